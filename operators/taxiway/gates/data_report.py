"""The coupling of the model gate to data validation.

The gate needs a passed DataReport of exactly the rows that the candidate was trained on, under exactly the schema recorded on it.
Without one the verdict is FAIL, whatever the metrics are.
"""

from collections.abc import Iterator
from datetime import date

from taxiway.gates.wording import reason_to_fail, reason_to_pass
from taxiway.records import Candidate, DataReport, Reason, Status


def data_reasons(candidate: Candidate, report: DataReport | None, today: date) -> Iterator[Reason]:
    """Whether the data that a candidate was trained on passed validation.

    Args:
        candidate: The model version.
        report: The DataReport of its snapshot; None if there is none.
        today: The day on which waivers of the report must still be valid.
    """
    if report is None:
        yield reason_to_fail(
            f"no DataReport for snapshot {candidate.snapshot}, on which version {candidate.version} was trained"
        )
        return
    problems = (*_report_mismatches(candidate, report), *_invalid_data(report, today))
    yield from map(reason_to_fail, problems)
    if not problems:
        waived = f", {len(report.waivers)} waived" if report.waivers else ""
        found = f"{_anomalies(len(report.anomalies))}, none blocking" if report.anomalies else "no anomalies"
        yield reason_to_pass(f"the data passed validation: {report.checks:,} checks, {found}{waived}")


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


def _invalid_data(report: DataReport, today: date) -> Iterator[str]:
    if report.blocking or report.status is not Status.PASS:
        found = f"its status is {report.status.value}"
        if report.blocking:
            found = f"{_anomalies(len(report.blocking), 'blocking ')}; the first: {report.blocking[0].message}"
        yield f"the data did not pass validation: {found}"
    for waiver in report.waivers:
        if waiver.until < today:
            yield (
                f"the data passed with a waiver that expired on {waiver.until}: {waiver.kind} in {waiver.column or 'the table'}, "
                f"waived by {waiver.owner}"
            )


def _anomalies(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}{'anomaly' if count == 1 else 'anomalies'}"
