"""The stages of a run, each with a mark that says how it is."""

from dataclasses import dataclass
from enum import StrEnum

from taxiway.lineage.run_records import RunRecords
from taxiway.records import Status
from taxiway_ui.airflow_db import APPROVAL, RunState

SWEEP = "trials"
OPTIONAL = (SWEEP, APPROVAL)
"""The stages that only some pipelines have."""
STAGES = ("ingest", "validate_data", "transform", SWEEP, "train", "validate_model", "shadow", APPROVAL, "push")


class Mark(StrEnum):
    """The state of a stage in a run."""

    DONE = "done"
    WARNED = "warned"
    STOPPED = "stopped"
    RUNNING = "running"
    WAITING = "waiting"
    SKIPPED = "skipped"
    OPEN = "open"


@dataclass(frozen=True)
class Stage:
    """A stage of a run, with its state."""

    name: str
    mark: Mark


def stages(run: RunState, records: RunRecords | None = None) -> tuple[Stage, ...]:
    """The states of a run's stages.

    `validate_data` is WARNED if the run continued although the data did not pass; `shadow` is SKIPPED if it compared nothing, and
    `approval` if no approval was needed.

    Args:
        run: The run, as Airflow knows it.
        records: Its records; None if they are not known.
    """
    records = records or RunRecords()
    report, shadow, verdict = records.report, records.shadow, records.verdict
    names = [name for name in STAGES if name not in OPTIONAL or name in run.tasks]
    marks = {name: _mark(run.tasks.get(name, "")) for name in names}
    if report is not None and report.status is not Status.PASS and marks["validate_data"] is Mark.DONE:
        marks["validate_data"] = Mark.WARNED
    if shadow is not None and shadow.status is Status.NOT_APPLICABLE and marks["shadow"] is Mark.DONE:
        marks["shadow"] = Mark.SKIPPED
    if verdict is not None and records.approval is None and marks.get(APPROVAL) is Mark.DONE:
        marks[APPROVAL] = Mark.SKIPPED
    return tuple(Stage(name, mark) for name, mark in marks.items())


def stopped_at(run: RunState) -> str:
    """The stage that stopped the run; empty if none did."""
    return next((stage.name for stage in stages(run) if stage.mark is Mark.STOPPED), "")


def _mark(state: str) -> Mark:
    return {
        "success": Mark.DONE,
        "failed": Mark.STOPPED,
        "skipped": Mark.SKIPPED,
        "awaiting_input": Mark.WAITING,
        "": Mark.OPEN,
        "upstream_failed": Mark.OPEN,
        "removed": Mark.OPEN,
    }.get(state, Mark.RUNNING)
