"""Why a verdict is re-opened: an expired waiver, a corrected span, or an anomaly that the present schema finds in its data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from taxiway.errors import TaxiwayError
from taxiway.records import DataReport, Snapshot, Span, Verdict, span_label
from taxiway.stages.review.pipeline import PipelineReview
from taxiway.stages.review.under_schema import anomalies_message, feature_digest, needs_validation, new_anomalies
from taxiway.store import SpanKey

NewestRead = Mapping[SpanKey, tuple[int, str]]
"""The newest version that was trained or evaluated on a span, and the content that it read."""


@dataclass(frozen=True)
class Reopening:
    """Why a verdict is re-opened.

    Attributes:
        message: What became known.
        action: What to do next.
    """

    message: str
    action: str


def reopenings(
    reviewed: PipelineReview,
    verdict: Verdict,
    snapshot: Snapshot,
    report: DataReport | None,
    *,
    with_schema: bool,
    newest_read: NewestRead | None = None,
) -> tuple[tuple[Reopening, ...], tuple[str, ...]]:
    """Why a verdict is re-opened.

    Args:
        reviewed: The pipeline.
        verdict: The verdict.
        snapshot: The snapshot of the version.
        report: The report on it; None if there was none.
        with_schema: Whether to validate the stored rows under the present schema, which is the only expensive check.
        newest_read: What the other versions that are reviewed have read; None if they are not known.

    Returns:
        The reasons, and notes on what could not be looked at.
    """
    found, notes = (
        [*_expired(reviewed, snapshot, report), *_corrected(reviewed, verdict.version, snapshot, newest_read or {})],
        reviewed.notes,
    )
    if with_schema and report is not None:
        try:
            found += _rejected_by_schema(reviewed, verdict, snapshot, report)
        except (TaxiwayError, OSError) as error:
            notes = (*notes, f"{reviewed.name}: its data cannot be validated again: {error}")
    return tuple(found), notes


def _expired(reviewed: PipelineReview, snapshot: Snapshot, report: DataReport | None) -> Iterator[Reopening]:
    from taxiway.gates.data_report import expired_waivers
    from taxiway.ledger.decisions import decisions

    today = reviewed.clock().date()
    if report is None or not (report.blocking or any(waiver.until < today for waiver in report.waivers)):
        return
    for expired in expired_waivers(report, decisions(reviewed.ledger, about=report.digest), today):
        yield Reopening(
            expired.message,
            f"if the data is right: taxiway waive {report.digest} --anomaly {expired.anomaly} --until DATE --reason WHY; otherwise correct it, "
            f"then {reviewed.run_again(snapshot)}",
        )


def newest_read(snapshots: Mapping[int, Snapshot]) -> NewestRead:
    """What the newest of some versions have read of each span, by the snapshots of the versions."""
    found: dict[SpanKey, tuple[int, str]] = {}
    for version in sorted(snapshots):
        spans = (parts[0] for parts in snapshots[version].spans_by_name)
        found |= {(span.name, span.version): (version, span.source_digest) for span in spans}
    return found


def _corrected(reviewed: PipelineReview, version: int, snapshot: Snapshot, newest_read: NewestRead) -> Iterator[Reopening]:
    for parts in snapshot.spans_by_name:
        message = _correction(reviewed, parts[0]) or _overwritten(reviewed, version, parts[0], newest_read)
        if message is not None:
            yield Reopening(message, reviewed.run_again(snapshot))


def _correction(reviewed: PipelineReview, span: Span) -> str | None:
    """By which newer version a span was corrected; None if by none."""
    for versions, where in ((reviewed.decided, "has a decision"), (reviewed.at_source, "is at the source")):
        newest = versions.get(span.name, span.version)
        if newest > span.version:
            read = f"version {span.version}" if span.version else "the first version"
            return f"span {span.name} was corrected: version {newest} {where}, and the model read {read}"
    return None


def _overwritten(reviewed: PipelineReview, version: int, span: Span, newest_read: NewestRead) -> str | None:
    """What is known of other content that a span has had since; None for nothing.

    The decision about the span may be older than the version, which has then read the newer content.
    """
    later, content = newest_read.get((span.name, span.version), (version, span.source_digest))
    if later > version and content != span.source_digest:
        return (
            f"span {span_label(span.name, span.version)} was overwritten: version {later} has read content {content}, and the model read "
            f"content {span.source_digest}"
        )
    summary = reviewed.summary_of(span)
    if summary is None or (summary.version is not None and summary.version < version):
        return None
    if summary.span.source_digest != span.source_digest:
        return (
            f"span {span_label(span.name, span.version)} was overwritten: run {summary.run} has decided it with content "
            f"{summary.span.source_digest}, and the model read content {span.source_digest}"
        )
    return None


def _rejected_by_schema(
    reviewed: PipelineReview, verdict: Verdict, snapshot: Snapshot, report: DataReport
) -> Iterator[Reopening]:
    """What the present schema finds in the stored rows, and what was not known when the verdict was given."""
    context = reviewed.context
    if isinstance(context, str) or not needs_validation(context.pipeline, report):
        return
    features = feature_digest(reviewed.ledger.client.get_model_version(verdict.model, str(verdict.version)).tags)
    found = new_anomalies(context.pipeline, reviewed.store, reviewed.clock().date(), snapshot, report, features)
    if found:
        yield schema_reopening(reviewed, snapshot, tuple(anomaly.message for anomaly in found))


def schema_reopening(reviewed: PipelineReview, snapshot: Snapshot, messages: tuple[str, ...]) -> Reopening:
    """Why a verdict is re-opened by anomalies that the present schema finds.

    Args:
        reviewed: The pipeline.
        snapshot: The snapshot with the anomalies.
        messages: The anomalies; there is at least one.
    """
    return Reopening(
        anomalies_message(messages),
        f"if the data is wrong: taxiway rollback {reviewed.name} --reason WHY, or correct it and {reviewed.run_again(snapshot)}; "
        "otherwise change the schema",
    )
