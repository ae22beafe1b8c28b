"""The data report that a waiver is about, found by its digest or by a model version that was trained on its data."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from taxiway.errors import NotStoredError, TerminalError, allowed_values
from taxiway.lineage.queries import resolve
from taxiway.lineage.verdicts import judged_version
from taxiway.records import DataReport, Decision, DecisionKind, Severity, Snapshot
from taxiway.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

SOON = timedelta(days=7)
"""How long before its end a waiver is shown."""
_DIGEST = re.compile(r"[0-9a-f]{32}")


def report_and_model(client: "MlflowClient", store: Store, name: str) -> tuple[DataReport, str, str]:
    """Find a data report.

    Args:
        client: The MLflow client.
        store: The store of the installation.
        name: The digest of the report, or MODEL/VERSION.

    Returns:
        The report, the name of its pipeline, and the name of its target span.

    Raises:
        TerminalError: There is no such report.
    """
    if "/" not in name:
        report = _report_with_digest(store, name)
    else:
        judged = judged_version(client, store, *resolve(client, name))
        if judged.verdict.report is None:
            raise TerminalError(f"{name} was judged without a data report: there is nothing to waive")
        report = store.get(DataReport, judged.verdict.report)
    snapshot = store.get(Snapshot, report.snapshot)
    return report, snapshot.pipeline, snapshot.target_span.name


def _report_with_digest(store: Store, name: str) -> DataReport:
    """The report with a digest.

    Raises:
        TerminalError: There is none in the store.
    """
    try:
        if _DIGEST.fullmatch(name):
            return store.get(DataReport, name)
        problem = "is not the digest of a data report (32 hex characters)"
    except NotStoredError:
        problem = f"is not the digest of a data report in the store {store.url}"
    raise TerminalError(
        f"{name} {problem}; allowed: the digest of a report, which the message of the failed stage validate_data names, or "
        "MODEL/VERSION, for the data that a version was trained on",
        got=name,
    )


def other_valid_waivers(made: Decision, decisions: Iterable[Decision], today: date) -> tuple[Decision, ...]:
    """The waivers of the same anomaly that are valid beside a new one, which does not replace them.

    Args:
        made: The new waiver.
        decisions: The decisions about its report.
        today: The day on which waivers must be valid.
    """
    return tuple(
        other
        for other in decisions
        if other.kind is DecisionKind.WAIVER
        and (other.about, other.anomaly, other.column) == (made.about, made.anomaly, made.column)
        and other.digest != made.digest
        and other.until is not None
        and other.until >= today
    )


def require_anomaly(report: DataReport, kind: str, column: str | None) -> None:
    """Check that a report has an anomaly that blocks.

    Raises:
        TerminalError: It has none of this kind in this column; the message has those that it has.
    """
    blocking = [anomaly for anomaly in report.anomalies if anomaly.severity is Severity.ERROR]
    if any((anomaly.kind, anomaly.column) == (kind, column) for anomaly in blocking):
        return
    known = sorted({f"{anomaly.kind}:{anomaly.column}" if anomaly.column else anomaly.kind for anomaly in blocking})
    got = f"{kind}:{column}" if column else kind
    if not known:
        raise TerminalError(f"report {report.digest} has no anomaly that blocks, so there is nothing to waive")
    raise TerminalError(f"report {report.digest} has no anomaly {got}; {allowed_values(got, known)}", key="anomaly", got=got)


def waiver(report: DataReport, pipeline: str, anomaly: str, *, until: date, by: str, via: str, reason: str) -> Decision:
    """The decision to accept an anomaly of a data report until a date.

    Args:
        report: The report.
        pipeline: Its pipeline.
        anomaly: The anomaly: `KIND` or `KIND:COLUMN`.
        until: The last day on which the waiver is valid.
        by: The person.
        via: Where the person decides: `command line` or `airflow`.
        reason: Why.

    Raises:
        TerminalError: The report has no such anomaly that blocks, or the date is in the past.
    """
    now = datetime.now(UTC)
    if until < now.date():
        raise TerminalError(
            f"the waiver would end on {until}, which is in the past; give a day from {now.date()} on", key="until", got=until
        )
    kind, _, column = anomaly.partition(":")
    require_anomaly(report, kind, column or None)
    return Decision(
        kind=DecisionKind.WAIVER,
        model=pipeline,
        about=report.digest,
        by=by,
        via=via,
        at=now,
        reason=reason,
        until=until,
        anomaly=kind,
        column=column or None,
    )


def ending_waivers(found: Sequence[Decision], names: Sequence[str], today: date) -> tuple[Decision, ...]:
    """The waivers for these pipelines that hold today and end within a week, the next one first."""
    known = set(names)
    ending = [
        (made.until, made)
        for made in found
        if made.kind is DecisionKind.WAIVER
        and made.model in known
        and made.until is not None
        and today <= made.until <= today + SOON
    ]
    return tuple(made for _, made in sorted(ending, key=lambda pair: pair[0]))
