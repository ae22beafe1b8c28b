"""Why a verdict is re-opened: an expired waiver, a corrected span, or an anomaly that the present schema finds in its data."""

from collections.abc import Iterator
from dataclasses import dataclass

from taxiway.errors import TaxiwayError
from taxiway.lineage.outcomes import summary_of
from taxiway.messages import counted
from taxiway.records import DataReport, FeatureSet, Severity, Snapshot, Span, Verdict, span_label
from taxiway.stages.review.pipeline import PipelineReview
from taxiway.tracking import tags

_SHOWN_ANOMALIES = 3


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
    reviewed: PipelineReview, verdict: Verdict, snapshot: Snapshot, report: DataReport | None, *, with_schema: bool
) -> tuple[tuple[Reopening, ...], tuple[str, ...]]:
    """Why a verdict is re-opened.

    Args:
        reviewed: The pipeline.
        verdict: The verdict.
        snapshot: The snapshot of the version.
        report: The report on it; None if there was none.
        with_schema: Whether to validate the stored rows under the present schema, which is the only expensive check.

    Returns:
        The reasons, and notes on what could not be looked at.
    """
    found, notes = [*_expired(reviewed, snapshot, report), *_corrected(reviewed, snapshot)], reviewed.notes
    if with_schema and report is not None:
        try:
            found += _rejected_by_schema(reviewed, verdict, snapshot, report)
        except (TaxiwayError, OSError) as error:
            notes = (*notes, f"{reviewed.name}: its data cannot be validated again: {error}")
    return tuple(found), notes


def _expired(reviewed: PipelineReview, snapshot: Snapshot, report: DataReport | None) -> Iterator[Reopening]:
    from taxiway.gates.data_report import expired_waivers
    from taxiway.ledger.decisions import decisions

    today = reviewed.context.clock().date()
    if report is None or not (report.blocking or any(waiver.until < today for waiver in report.waivers)):
        return
    for expired in expired_waivers(report, decisions(reviewed.context.ledger, about=report.digest), today):
        yield Reopening(
            expired.message,
            f"if the data is right: taxiway waive {report.digest} --anomaly {expired.anomaly} --until DATE --reason WHY; otherwise correct it, "
            f"then {reviewed.run_again(snapshot)}",
        )


def _corrected(reviewed: PipelineReview, snapshot: Snapshot) -> Iterator[Reopening]:
    for parts in snapshot.spans_by_name:
        message = _correction(reviewed, parts[0])
        if message is not None:
            yield Reopening(message, reviewed.run_again(snapshot))


def _correction(reviewed: PipelineReview, span: Span) -> str | None:
    """How a span was corrected since; None if it was not."""
    for versions, where in ((reviewed.decided, "has a decision"), (reviewed.at_source, "is at the source")):
        newest = versions.get(span.name, span.version)
        if newest > span.version:
            read = f"version {span.version}" if span.version else "the first version"
            return f"span {span.name} was corrected: version {newest} {where}, and the model read {read}"
    summary = summary_of(reviewed.context.store, reviewed.name, span)
    if summary is not None and summary.span.source_digest != span.source_digest:
        return (
            f"span {span_label(span.name, span.version)} was overwritten: run {summary.run} has decided it with content "
            f"{summary.span.source_digest}, and the model read content {span.source_digest}"
        )
    return None


def _rejected_by_schema(
    reviewed: PipelineReview, verdict: Verdict, snapshot: Snapshot, report: DataReport
) -> Iterator[Reopening]:
    """What the present schema finds in the stored rows, and what was not known when the verdict was given."""
    from taxiway.stages.validate_data import report_on

    context = reviewed.context
    if context.schema().digest == report.schema_version and context.pipeline.suite is None:
        return
    known = {(a.kind, a.column, a.span) for a in report.anomalies if a.severity is Severity.ERROR}
    today = report_on(context, snapshot, _columns(reviewed, verdict))
    found = [anomaly for anomaly in today.blocking if (anomaly.kind, anomaly.column, anomaly.span) not in known]
    if found:
        shown = " ".join(anomaly.message for anomaly in found[:_SHOWN_ANOMALIES])
        more = f" And {len(found) - _SHOWN_ANOMALIES} more." if len(found) > _SHOWN_ANOMALIES else ""
        yield Reopening(
            f"the present schema finds {counted(len(found), 'blocking anomaly', 'blocking anomalies')} in its data: {shown}{more}",
            f"if the data is wrong: taxiway rollback {verdict.model} --reason WHY, or correct it and {reviewed.run_again(snapshot)}; "
            "otherwise change the schema",
        )


def _columns(reviewed: PipelineReview, verdict: Verdict) -> tuple[str, ...] | None:
    """The columns of the version itself, which may be others than those of the present pipeline file; None if they are not known."""
    found = reviewed.context.registry.get_model_version(verdict.model, str(verdict.version))
    features = found.tags.get(tags.FEATURES)
    return reviewed.context.store.get(FeatureSet, features).columns if features else None
