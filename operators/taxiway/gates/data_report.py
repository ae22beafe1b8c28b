"""The coupling of the model gate to data validation.

The gate needs a passed DataReport of exactly the rows that the candidate was trained on, under exactly the schema recorded on it.
Without one the verdict is FAIL, whatever the metrics are. Waivers are in the schema file, and then part of the report, or by command
(`taxiway waive`), and then decisions of people about the report.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from taxiway.gates.wording import fail_reason, reason_to_pass
from taxiway.records import Anomaly, Candidate, DataReport, Decision, DecisionKind, Reason, ReasonCode, Severity, Status, Waiver


def data_reasons(
    candidate: Candidate, report: DataReport | None, today: date, decisions: Sequence[Decision] = ()
) -> Iterator[Reason]:
    """Whether the data that a candidate was trained on passed validation.

    Args:
        candidate: The model version.
        report: The DataReport of its snapshot; None if there is none.
        today: The day on which waivers of the report must still be valid.
        decisions: The decisions of people about the report, such as waivers by command.
    """
    if report is None:
        message = f"no DataReport for snapshot {candidate.snapshot}, on which version {candidate.version} was trained"
        yield fail_reason(ReasonCode.DATA_REPORT, message)
        return
    mismatches = (fail_reason(ReasonCode.DATA_REPORT, message) for message in _report_mismatches(candidate, report))
    problems = (*mismatches, *_invalid_data(report, today, decisions))
    yield from problems
    if not problems:
        message = f"the data passed validation: {report.checks:,} checks, {_describe_anomalies(report, decisions, today)}"
        yield reason_to_pass(ReasonCode.DATA_ANOMALY, message)


def _describe_anomalies(report: DataReport, decisions: Sequence[Decision], today: date) -> str:
    """`3 anomalies, none blocking, 1 waived`; with the waivers by command, each with its person and reason."""
    if not report.anomalies:
        return "no anomalies"
    by_command = [waiver for waiver in decisions if any(_covers(waiver, anomaly, today) for anomaly in report.blocking)]
    if by_command:
        return f"{_anomalies(len(report.anomalies))}; the blocking ones were waived ({'; '.join(map(_waived, by_command))})"
    waived = sum(anomaly.severity is Severity.ERROR for anomaly in report.anomalies)
    return f"{_anomalies(len(report.anomalies))}, none blocking{f', {waived} waived' if waived else ''}"


def still_blocking(report: DataReport, decisions: Sequence[Decision], today: date) -> tuple[Anomaly, ...]:
    """The anomalies of a report that block and that nobody has waived.

    Args:
        report: The report.
        decisions: The decisions of people about it.
        today: The day on which waivers must be valid.
    """
    return tuple(anomaly for anomaly in report.blocking if not any(_covers(waiver, anomaly, today) for waiver in decisions))


@dataclass(frozen=True)
class ExpiredWaiver:
    """An expired waiver that the data needs in order to pass.

    Attributes:
        kind: The kind of the anomaly that it accepted.
        column: The column of that anomaly; None for the whole table.
        until: The last day on which it held.
        by: Who waived it: its owner in the schema, or the person who gave the command.
    """

    kind: str
    column: str | None
    until: date | None
    by: str

    @property
    def message(self) -> str:
        """`the waiver of range in wind, by ann, was valid until 2026-03-01`."""
        return f"the waiver of {self.kind} in {self.column or 'the table'}, by {self.by}, was valid until {self.until}"

    @property
    def anomaly(self) -> str:
        """The anomaly as `taxiway waive` takes it: `range:wind`."""
        return f"{self.kind}:{self.column}" if self.column else self.kind


def expired_waivers(report: DataReport, decisions: Sequence[Decision], today: date) -> tuple[ExpiredWaiver, ...]:
    """The expired waivers that the data needs in order to pass.

    A waiver of the schema that has expired can be renewed by command, and is then left out.

    Args:
        report: The report.
        decisions: The decisions of people about it.
        today: The day on which waivers must be valid.
    """
    in_schema = [
        ExpiredWaiver(waiver.kind, waiver.column, waiver.until, waiver.owner)
        for waiver in report.waivers
        if waiver.until < today and not any(_covers(renewal, waiver, today) for renewal in decisions)
    ]
    by_command = [  # those of an anomaly that still blocks have expired
        ExpiredWaiver(anomaly.kind, anomaly.column, waiver.until, waiver.by)
        for anomaly in still_blocking(report, decisions, today)
        for waiver in decisions
        if _is_about(waiver, anomaly)
    ]
    return tuple(dict.fromkeys((*in_schema, *by_command)))


def _is_about(waiver: Decision, anomaly: Anomaly | Waiver) -> bool:
    return waiver.kind is DecisionKind.WAIVER and (waiver.anomaly, waiver.column) == (anomaly.kind, anomaly.column)


def _covers(waiver: Decision, anomaly: Anomaly | Waiver, today: date) -> bool:
    return _is_about(waiver, anomaly) and waiver.until is not None and today <= waiver.until


def _waived(waiver: Decision) -> str:
    return f"{waiver.anomaly} in {waiver.column or 'the table'} until {waiver.until} by {waiver.by}: {waiver.reason}"


def _report_mismatches(candidate: Candidate, report: DataReport) -> Iterator[str]:
    """Why the report is not of exactly the rows and the schema of the candidate."""
    if report.snapshot != candidate.snapshot:
        yield f"the DataReport belongs to snapshot {report.snapshot}, but the model was trained on snapshot {candidate.snapshot}"
    if report.schema_version != candidate.schema_version:
        yield (
            f"the DataReport was made with schema {report.schema_version}, but the model was trained with schema "
            f"{candidate.schema_version}"
        )
    if report.digest != candidate.report:
        yield f"the DataReport {report.digest} is not the one recorded on the model, {candidate.report}"


def _invalid_data(report: DataReport, today: date, decisions: Sequence[Decision]) -> Iterator[Reason]:
    blocking = still_blocking(report, decisions, today)
    failed = "the data did not pass validation"
    if blocking:
        message = f"{failed}: {_anomalies(len(blocking), 'blocking ')}; the first: {blocking[0].message}"
        yield fail_reason(ReasonCode.DATA_ANOMALY, message)
    elif report.status is not Status.PASS and not report.blocking:
        yield fail_reason(ReasonCode.DATA_ANOMALY, f"{failed}: its status is {report.status.value}")
    for expired in expired_waivers(report, decisions, today):
        yield fail_reason(ReasonCode.DATA_WAIVER, expired.message)


def _anomalies(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}{'anomaly' if count == 1 else 'anomalies'}"
