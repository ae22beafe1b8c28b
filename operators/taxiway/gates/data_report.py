"""The coupling of the model gate to data validation.

The gate needs a passed DataReport of exactly the rows that the candidate was trained on, under exactly the schema recorded on it.
Without one the verdict is FAIL, whatever the metrics are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from taxiway.gates.wording import reason_to_fail, reason_to_pass
from taxiway.records import Anomaly, Candidate, DataReport, Decision, DecisionKind, Reason, Status, Waiver


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
        yield reason_to_fail(
            f"no DataReport for snapshot {candidate.snapshot}, on which version {candidate.version} was trained"
        )
        return
    problems = (*_report_mismatches(candidate, report), *_invalid_data(report, today, decisions))
    yield from map(reason_to_fail, problems)
    if not problems:
        by_command = [waiver for waiver in decisions if any(_covers(waiver, anomaly, today) for anomaly in report.blocking)]
        waived = f", {len(report.waivers)} waived" if report.waivers else ""
        found = f"{_anomalies(len(report.anomalies))}, none blocking" if report.anomalies else "no anomalies"
        if by_command:
            found = f"{_anomalies(len(report.anomalies))}, those that block are waived ({'; '.join(map(_waived, by_command))})"
        yield reason_to_pass(f"the data passed validation: {report.checks:,} checks, {found}{waived}")


def still_blocking(report: DataReport, decisions: Sequence[Decision], today: date) -> tuple[Anomaly, ...]:
    """The anomalies of a report that block and that nobody has waived.

    Args:
        report: The report.
        decisions: The decisions of people about it.
        today: The day on which waivers must be valid.
    """
    return tuple(anomaly for anomaly in report.blocking if not any(_covers(made, anomaly, today) for made in decisions))


@dataclass(frozen=True)
class ExpiredWaiver:
    """A waiver without which the data would not pass, and that is not valid any more.

    Attributes:
        kind: The kind of the anomaly that it accepted.
        column: The column of that anomaly; None for the whole table.
        until: The last day on which it held.
        by: Who has waived it.
    """

    kind: str
    column: str | None
    until: date | None
    by: str

    @property
    def message(self) -> str:
        """`a waiver that expired on 2026-03-01: range in wind, waived by ann`."""
        return f"a waiver that expired on {self.until}: {self.kind} in {self.column or 'the table'}, waived by {self.by}"

    @property
    def anomaly(self) -> str:
        """The anomaly as `taxiway waive` takes it: `range:wind`."""
        return f"{self.kind}:{self.column}" if self.column else self.kind


def expired_waivers(report: DataReport, decisions: Sequence[Decision], today: date) -> tuple[ExpiredWaiver, ...]:
    """The waivers without which the data would not pass, and that are not valid any more.

    A waiver of the schema that has expired can be renewed by command.

    Args:
        report: The report.
        decisions: The decisions of people about it.
        today: The day on which waivers must be valid.
    """
    in_schema = [
        ExpiredWaiver(waiver.kind, waiver.column, waiver.until, waiver.owner)
        for waiver in report.waivers
        if waiver.until < today and not any(_covers(made, waiver, today) for made in decisions)
    ]
    by_command = [
        ExpiredWaiver(anomaly.kind, anomaly.column, made.until, made.by)
        for anomaly in still_blocking(report, decisions, today)
        for made in decisions
        if _is_about(made, anomaly)
    ]
    return tuple(dict.fromkeys((*in_schema, *by_command)))


def _is_about(made: Decision, anomaly: Anomaly | Waiver) -> bool:
    return made.kind is DecisionKind.WAIVER and (made.anomaly, made.column) == (anomaly.kind, anomaly.column)


def _covers(made: Decision, anomaly: Anomaly | Waiver, today: date) -> bool:
    return _is_about(made, anomaly) and made.until is not None and today <= made.until


def _waived(made: Decision) -> str:
    return f"{made.anomaly} in {made.column or 'the table'} until {made.until} by {made.by}: {made.reason}"


def _report_mismatches(candidate: Candidate, report: DataReport) -> Iterator[str]:
    """Why the report is not of exactly the rows and the schema of the candidate."""
    if report.snapshot != candidate.snapshot:
        yield f"the DataReport belongs to snapshot {report.snapshot}, but the model was trained on snapshot {candidate.snapshot}"
    if report.schema_version != candidate.schema_version:
        yield (
            f"the DataReport was made under schema {report.schema_version}, but the model was trained under schema "
            f"{candidate.schema_version}"
        )
    if report.digest != candidate.report:
        yield f"the DataReport {report.digest} is not the one recorded on the model, {candidate.report}"


def _invalid_data(report: DataReport, today: date, decisions: Sequence[Decision]) -> Iterator[str]:
    blocking = still_blocking(report, decisions, today)
    if blocking:
        yield f"the data did not pass validation: {_anomalies(len(blocking), 'blocking ')}; the first: {blocking[0].message}"
    elif report.status is not Status.PASS and not report.blocking:
        yield f"the data did not pass validation: its status is {report.status.value}"
    for expired in expired_waivers(report, decisions, today):
        yield f"the data passed with {expired.message}"


def _anomalies(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}{'anomaly' if count == 1 else 'anomalies'}"
