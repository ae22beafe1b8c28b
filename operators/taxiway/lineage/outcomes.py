"""Outcomes: what a run ended with, derived from its records, and which spans have one."""

import logging
from collections.abc import Hashable

from taxiway.records import (
    DataReport,
    Outcome,
    Promotion,
    RunSummary,
    ShadowReport,
    Snapshot,
    Span,
    Status,
    Verdict,
    span_label,
)
from taxiway.store import LOST, SpanIndex, SpanKey, Store

_log = logging.getLogger(__name__)


def processed_spans(store: Store, pipeline: str) -> frozenset[SpanKey]:
    """Name and version of every span that a run of `pipeline` has reached an outcome on."""
    return frozenset(_index(store, pipeline).spans())


def processed_state(store: Store, pipeline: str) -> Hashable:
    """As long as this is the same, so are the processed spans; it costs the same however many there are."""
    return _index(store, pipeline).state()


def mark_processed(store: Store, summary: RunSummary) -> None:
    """Record a run's outcome on its span."""
    _index(store, summary.pipeline).add(summary.span.name, summary.span.version, store.put(summary).digest)


def summary_of(store: Store, pipeline: str, span: Span) -> RunSummary | None:
    """The summary of the run that decided this span in this version; None if none did, or if its record is lost."""
    return _summary(store, pipeline, (span.name, span.version))


def summaries(store: Store, pipeline: str, newest: int = 100) -> tuple[RunSummary, ...]:
    """What the runs over the `newest` processed spans of `pipeline` ended with, oldest span first; lost records are left out."""
    keys = _index(store, pipeline).spans()[-newest:]
    return tuple(summary for key in keys if (summary := _summary(store, pipeline, key)) is not None)


def changed_since(store: Store, snapshot: Snapshot) -> tuple[str, ...]:
    """A message for each span of `snapshot` that was decided, in the same version, with other content."""
    found = []
    # The parts of a split are of one file: it is told once.
    for span in {(span.name, span.version): span for span in snapshot.spans}.values():
        decided = summary_of(store, snapshot.pipeline, span)
        if decided is not None and decided.span.source_digest != span.source_digest:
            found.append(
                f"{span_label(span.name, span.version)} was decided as {decided.outcome} by {decided.run} with the content {decided.span.source_digest} and is now "
                f"{span.source_digest}: its file was written again under the same name. It is read as it is now and not decided again; "
                f"name corrected files with {{VERSION}}, or start a run with the parameter span={span.name}"
            )
    return tuple(found)


def _index(store: Store, pipeline: str) -> SpanIndex:
    return SpanIndex(store, f"decided/{pipeline}")


def _summary(store: Store, pipeline: str, key: SpanKey) -> RunSummary | None:
    digest = _index(store, pipeline).get(*key)
    if digest is None:
        return None
    try:
        return store.get(RunSummary, digest)
    except LOST as error:
        _log.warning("the summary of %s is left out: %s", span_label(*key), error)
        return None


def summarize(
    snapshot: Snapshot,
    report: DataReport | None,
    verdict: Verdict | None,
    shadow: ShadowReport | None,
    promotion: Promotion | None,
    *,
    run: str,
    mlflow_run: str,
) -> RunSummary | None:
    """What the run came to; None where a stage broke before anything was decided, so that the span stays open.

    A promotion without a verdict is one of an earlier run whose end was lost: this run found its model to be champion already.
    """
    # A run that was cleared and ran again may have left records of its first pass: those that do not belong together are dropped.
    if report is not None and report.snapshot != snapshot.digest:
        report = None
    if verdict is not None and (report is None or verdict.report != report.digest):
        verdict = None
    if shadow is not None and (verdict is None or shadow.version != verdict.version):
        shadow = None
    if promotion is not None and verdict is not None and promotion.verdict != verdict.digest:
        promotion = None
    found = _outcome(report, verdict, shadow, promotion)
    if found is None:
        return None
    outcome, reasons = found
    return RunSummary(
        pipeline=snapshot.pipeline,
        run=run,
        span=snapshot.target_span,
        outcome=outcome,
        reasons=reasons,
        version=verdict.version if verdict else promotion.to_version if promotion else None,
        mlflow_run=mlflow_run,
    )


def _outcome(
    report: DataReport | None, verdict: Verdict | None, shadow: ShadowReport | None, promotion: Promotion | None
) -> tuple[Outcome, tuple[str, ...]] | None:
    if report is not None and report.status is not Status.PASS and verdict is None:
        return Outcome.BLOCKED, tuple(anomaly.message for anomaly in report.blocking)
    if promotion is not None and verdict is None:
        return _promoted(promotion), (
            f"version {promotion.to_version} was made champion on this span before, at {promotion.at:%Y-%m-%d %H:%M:%S} UTC",
        )
    for decision in (verdict, shadow):
        if decision is None:
            return None
        if decision.status in (Status.FAIL, Status.UNDECIDED):
            outcome = Outcome.REJECTED if decision.status is Status.FAIL else Outcome.UNDECIDED
            return outcome, tuple(r.message for r in decision.reasons if r.status is decision.status)
    if promotion is None or verdict is None or shadow is None:
        return None
    return _promoted(promotion), tuple(r.message for r in (*verdict.reasons, *shadow.reasons))


def _promoted(promotion: Promotion) -> Outcome:
    return Outcome.FIRST_CHAMPION if promotion.from_version is None else Outcome.PROMOTED
