"""The Recorder, which stages report metrics, parameters and records to. It does not depend on MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from taxiway.records import Record, RecordRef, Snapshot, Span

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class Logged:
    """What was logged in a run so far.

    Attributes:
        metrics: The newest value of each metric.
        tags: The tags.
        artifacts: Where the artifacts are: a folder, or a URL.
    """

    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    artifacts: str


class Recorder(Protocol):
    """The interface that stages report to: an MLflow run or an `InMemoryRecorder`.

    Every method must be idempotent, because a retried task calls it again.
    """

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log metrics by name."""

    def history(self, values: Mapping[str, Mapping[int, float]]) -> None:
        """Log metrics by name with a value for each step."""

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters by name."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags by name. Unlike parameters, they may change."""

    def datasets(self, spans: tuple[Span, ...], context: str) -> None:
        """Log the spans that the run read.

        Args:
            spans: The spans.
            context: `training` or `evaluation`.
        """

    def record(
        self, record: Record, *, metrics: Mapping[str, float] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        """Log a record that a stage returns, and in the same request metrics and tags that say what is in it."""

    def files(self, folder: str, contents: Mapping[str, bytes]) -> None:
        """Log files, by their names below a folder of the run's artifacts."""


class RunRecorder(Recorder, Protocol):
    """The Recorder of a run, which later stages and retries can resume."""

    @property
    def run_id(self) -> str:
        """The id of the MLflow run."""

    @property
    def url(self) -> str:
        """The URL of the run's page."""

    def joined(self, snapshot: Snapshot) -> None:
        """Log the tables that were joined to the spans of a snapshot."""

    def tag(self, name: str) -> str:
        """The value of a tag; empty if it is not set."""

    def logged(self) -> Logged:
        """The metrics and tags that were logged so far; takes one request."""

    def refs(self) -> tuple[RecordRef, ...]:
        """The references of the records that were logged, the newest one of each type."""

    def nested(self, key: str, name: str) -> "RunRecorder":
        """Start or resume a nested run.

        Args:
            key: Identifies the trial.
            name: The name that MLflow shows.
        """

    def end_nested(self, status: RunStatus) -> None:
        """End the nested runs that are still active."""

    def end(self, status: RunStatus) -> None:
        """End the run."""


class InMemoryRecorder:
    """A Recorder that keeps everything in memory, for notebooks and tests.

    Attributes:
        values: The metrics, parameters, tags and datasets, by name.
        records: The records, in order.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.records: list[Record] = []

    def metrics(self, values: Mapping[str, float]) -> None:
        self.values |= values

    def history(self, values: Mapping[str, Mapping[int, float]]) -> None:
        self.values |= values

    def params(self, values: Mapping[str, Any]) -> None:
        self.values |= values

    def tags(self, values: Mapping[str, str]) -> None:
        self.values |= values

    def datasets(self, spans: tuple[Span, ...], context: str) -> None:
        self.values[f"datasets.{context}"] = [span.content for span in spans]

    def record(
        self, record: Record, *, metrics: Mapping[str, float] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        self.records.append(record)
        self.values |= {**(metrics or {}), **(tags or {})}

    def files(self, folder: str, contents: Mapping[str, bytes]) -> None:
        self.values |= {f"{folder}/{name}": content for name, content in contents.items()}


class InMemoryRun(InMemoryRecorder):
    """A RunRecorder that keeps everything in memory.

    Attributes:
        trials: The nested runs, by the key of their trial.
        status: The status of the run; None until it ends.
    """

    run_id = url = "notes"

    def __init__(self) -> None:
        super().__init__()
        self.trials: dict[str, InMemoryRun] = {}
        self.status: RunStatus | None = None

    def joined(self, snapshot: Snapshot) -> None:
        self.values["datasets.joined"] = [found.content for found in snapshot.joins]

    def tag(self, name: str) -> str:
        return str(self.values.get(name, ""))

    def logged(self) -> Logged:
        numbers = {name: value for name, value in self.values.items() if isinstance(value, int | float)}
        return Logged(numbers, {name: value for name, value in self.values.items() if isinstance(value, str)}, self.url)

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
