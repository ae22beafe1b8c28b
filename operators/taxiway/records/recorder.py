"""The Recorder: how stages report metrics, parameters and records, independent of MLflow."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from taxiway.records import Record, RecordRef, Snapshot, Span

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]


class Recorder(Protocol):
    """What a stage reports while it runs, to an MLflow run or an `InMemoryRecorder`.

    Every call must be idempotent, because a retried task repeats it.
    """

    def metrics(self, values: Mapping[str, float]) -> None:
        """Numbers about the run, by name."""

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings of the run, by name."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Facts about the run that may change, by name."""

    def datasets(self, spans: tuple[Span, ...], context: str) -> None:
        """The spans that the run read, and the context: `training` or `evaluation`."""

    def record(self, record: Record) -> None:
        """A record that a stage returns."""


class RunRecorder(Recorder, Protocol):
    """The Recorder of a run, which later stages and retries can resume."""

    @property
    def run_id(self) -> str:
        """The run's id in MLflow."""

    @property
    def url(self) -> str:
        """The run's page."""

    def joined(self, snapshot: Snapshot) -> None:
        """Tables that were joined to the rows of a snapshot."""

    def tag(self, name: str) -> str:
        """The value of a tag; empty if it was not set."""

    def refs(self) -> tuple[RecordRef, ...]:
        """The references of the records that were reported so far."""

    def nested(self, key: str, name: str) -> "RunRecorder":
        """The run below this one for the trial `key`, shown as `name`."""

    def end_nested(self, status: RunStatus) -> None:
        """End those runs below this one that were left open."""

    def end(self, status: RunStatus) -> None:
        """End the run."""


class InMemoryRecorder:
    """A Recorder that keeps everything in memory, for notebooks and tests."""

    def __init__(self) -> None:
        self.noted: dict[str, Any] = {}
        self.records: list[Record] = []

    def metrics(self, values: Mapping[str, float]) -> None:
        self.noted |= values

    def params(self, values: Mapping[str, Any]) -> None:
        self.noted |= values

    def tags(self, values: Mapping[str, str]) -> None:
        self.noted |= values

    def datasets(self, spans: tuple[Span, ...], context: str) -> None:
        self.noted[f"datasets.{context}"] = [span.content for span in spans]

    def record(self, record: Record) -> None:
        self.records.append(record)


class InMemoryRun(InMemoryRecorder):
    """A RunRecorder that keeps everything in memory."""

    run_id = url = "notes"

    def __init__(self) -> None:
        super().__init__()
        self.trials: dict[str, InMemoryRun] = {}
        self.status: RunStatus | None = None

    def joined(self, snapshot: Snapshot) -> None:
        self.noted["datasets.joined"] = [found.content for found in snapshot.joins]

    def tag(self, name: str) -> str:
        return str(self.noted.get(name, ""))

    def refs(self) -> tuple[RecordRef, ...]:
        newest = {type(record).__name__: record.digest for record in self.records}
        return tuple(RecordRef(record=kind, digest=digest) for kind, digest in newest.items())

    def nested(self, key: str, name: str) -> "InMemoryRun":  # noqa: ARG002
        return self.trials.setdefault(key, InMemoryRun())

    def end_nested(self, status: RunStatus) -> None:
        for trial in self.trials.values():
            trial.status = trial.status or status

    def end(self, status: RunStatus) -> None:
        self.status = status
