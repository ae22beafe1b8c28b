"""The outcomes of runs, derived from their records, and the index of spans that have one."""

from collections.abc import Hashable

from taxiway.records import (
    Candidate,
    DataReport,
    Decision,
    DecisionKind,
    Outcome,
    Promotion,
    RunSummary,
    ShadowReport,
    Snapshot,
    Span,
    Status,
    Verdict,
    span_label,
    span_order,
)
from taxiway.store import LOST, SpanIndex, SpanKey, Store


def processed_spans(store: Store, pipeline: str) -> frozenset[SpanKey]:
    """Name and version of every span that a run of `pipeline` has reached an outcome on."""
    return frozenset(_index(store, pipeline).spans())


def decided_pipelines(store: Store) -> tuple[str, ...]:
    """The names `team.pipeline` of the pipelines with processed spans. The other folders are parts of their indexes."""
    return tuple(name for name in store.list_refs("decided") if name.count(".") == 1)


def processed_state(store: Store, pipeline: str) -> Hashable:
    """A value that changes whenever the processed spans change; its cost does not depend on their number."""
    return _index(store, pipeline).state()


def mark_processed(store: Store, summary: RunSummary) -> None:
    """Record a run's outcome on its span."""
    _index(store, summary.pipeline).add(summary.span.name, summary.span.version, store.put(summary).digest)


def summary_of(store: Store, pipeline: str, span: Span) -> RunSummary | None:
    """The summary of the run that decided this version of the span; None if there is none, or if its record is lost."""
    return _index(store, pipeline).record(RunSummary, span.name, span.version)


def newest_attempt(store: Store, pipeline: str, span: str) -> RunSummary | None:
    """The summary of the run that decided the newest version of the span of this name last; None if there is none."""
    index = _index(store, pipeline)
    versions = [version for name, version in index.spans() if name == span]
    return index.record(RunSummary, span, max(versions)) if versions else None


def summaries(store: Store, pipeline: str, newest: int = 100) -> tuple[RunSummary, ...]:
    """The summaries of the `newest` processed spans of `pipeline`, oldest span first; lost records are left out."""
    index = _index(store, pipeline)
    return tuple(index.records(RunSummary, index.spans()[-newest:]).values())


def as_attempt(known: RunSummary | None, made: RunSummary, why: str) -> RunSummary:
    """A summary with its number among the attempts at its span; the known one if it says the same, as after a retry.

    Args:
        known: The summary of the newest attempt; None if there is none.
        made: The new summary.
        why: Why the span was decided again.
    """
    if known is None:
        return made
    same = made.model_copy(update={"attempt": known.attempt, "again": known.again, "previous": known.previous})
    if same == known:
        return known
    return made.model_copy(update={"attempt": known.attempt + 1, "again": why, "previous": known.digest})


def earlier_attempts(store: Store, summary: RunSummary, newest: int = 20) -> tuple[RunSummary, ...]:
    """The attempts before one, newest first, at most so many; it ends where a record is lost."""
    found: list[RunSummary] = []
    while summary.previous is not None and len(found) < newest:
        try:
            summary = store.get(RunSummary, summary.previous)
        except LOST:
            break
        found.append(summary)
    return tuple(found)


def newest_decided(store: Store, pipeline: str) -> str | None:
    """The name of the newest span with an outcome; None if there is none."""
    names = [name for name, _ in _index(store, pipeline).spans()]
    return max(names, key=span_order, default=None)


def changed_since(store: Store, snapshot: Snapshot, *, span_option: str) -> tuple[str, ...]:
    """A message for each span of a snapshot that was decided, in the same version, with other content.

    Args:
        store: The store.
        snapshot: The snapshot.
        span_option: How a run is started that decides a span again, with `{span}` for its name.
    """
    found = []
    # The training and evaluation parts of a span come from one file, which is reported once.
    for span in {(span.name, span.version): span for span in snapshot.spans}.values():
        decided = summary_of(store, snapshot.pipeline, span)
        if decided is not None and decided.span.source_digest != span.source_digest:
            found.append(
                f"the file of span {span_label(span.name, span.version)} was overwritten: run {decided.run} decided the span as "
                f"{decided.outcome} with content {decided.span.source_digest}, the content is now {span.source_digest}. This run reads "
                "the new content, but the span is not decided again. Put {VERSION} into the names of corrected files, or decide the "
                f"span again with {span_option.format(span=span.name)}"
            )
    return tuple(found)


def _index(store: Store, pipeline: str) -> SpanIndex:
    return SpanIndex(store, f"decided/{pipeline}")


def summarize(
    snapshot: Snapshot,
    report: DataReport | None,
    verdict: Verdict | None,
    shadow: ShadowReport | None,
    promotion: Promotion | None,
    *,
    candidate: Candidate | None = None,
    approval: Decision | None = None,
    run: str,
    mlflow_run: str,
    invalid_stops: bool = True,
) -> RunSummary | None:
    """The summary of a run, from the records of its stages.

    A promotion without a verdict belongs to an earlier run that was killed before its end: this run found its candidate to be the
    champion already.

    Args:
        snapshot: The rows of the run.
        report: The DataReport; None if the stage did not finish, as for the records below.
        verdict: The model gate's decision.
        shadow: The shadow gate's decision.
        promotion: The promotion.
        candidate: The model version that was trained or found.
        approval: The answer of the person who was asked for approval.
        run: The id of the DAG run.
        mlflow_run: The id of the MLflow run.
        invalid_stops: Whether a report that did not pass stops the pipeline; False if its anomalies are waived, or if the pipeline
            continues with invalid data.

    Returns:
        The summary; None if a stage failed before anything was decided, so that the span stays due.
    """
    # A cleared run may have left records of its first pass; those that do not match the records before them are dropped.
    if report is not None and report.snapshot != snapshot.digest:
        report = None
    if verdict is not None and (report is None or verdict.report != report.digest):
        verdict = None
    if shadow is not None and (verdict is None or not shadow.is_about(verdict)):
        shadow = None
    if promotion is not None and not _is_of_this_pass(promotion, verdict, report, candidate):
        promotion = None
    if approval is not None and (verdict is None or approval.about != verdict.digest):
        approval = None
    found = _outcome(report if invalid_stops else None, verdict, shadow, promotion, approval)
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
    report: DataReport | None,
    verdict: Verdict | None,
    shadow: ShadowReport | None,
    promotion: Promotion | None,
    approval: Decision | None,
) -> tuple[Outcome, tuple[str, ...]] | None:
    if report is not None and report.status is not Status.PASS and verdict is None:
        return Outcome.BLOCKED, tuple(anomaly.message for anomaly in report.blocking)
    if promotion is not None and verdict is None:
        return _promoted(promotion), (_already_promoted(promotion),)
    for decision in (verdict, shadow):
        if decision is None:
            return None
        if decision.status in (Status.FAIL, Status.UNDECIDED):
            outcome = Outcome.REJECTED if decision.status is Status.FAIL else Outcome.UNDECIDED
            return outcome, tuple(r.message for r in decision.reasons if r.status is decision.status)
    if approval is not None and approval.kind is DecisionKind.REJECTION:
        return Outcome.REJECTED, (f"rejected by {approval.by}: {approval.reason}",)
    if promotion is None or verdict is None or shadow is None:
        return None
    return _promoted(promotion), tuple(r.message for r in (*verdict.reasons, *shadow.reasons))


def _is_of_this_pass(
    promotion: Promotion, verdict: Verdict | None, report: DataReport | None, candidate: Candidate | None
) -> bool:
    """Whether a promotion follows from the verdict, or without one is that of the candidate from the rows of the report."""
    if verdict is not None:
        return promotion.verdict == verdict.digest
    if candidate is None or report is None:
        return False
    found = (candidate.snapshot, candidate.report, candidate.version)
    return found == (report.snapshot, report.digest, promotion.to_version)


def repeats_promotion(made: RunSummary, promotion: Promotion | None) -> bool:
    """Whether a run has only found that its version is the champion already, and decided nothing."""
    return promotion is not None and made.reasons == (_already_promoted(promotion),)


def _already_promoted(promotion: Promotion) -> str:
    return (
        f"version {promotion.to_version} was already promoted to champion on this span at {promotion.at:%Y-%m-%d %H:%M:%S} UTC"
    )


def _promoted(promotion: Promotion) -> Outcome:
    return Outcome.FIRST_CHAMPION if promotion.from_version is None else Outcome.PROMOTED
