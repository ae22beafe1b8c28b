"""The Recorder: how a stage says what it notices, without knowing where that is written down."""

from collections.abc import Mapping
from typing import Any, Protocol

from taxiway.records import Record, Span


class Recorder(Protocol):
    """What a stage may report while it works. `lineage` writes it to MLflow; `Notes` keeps it for notebooks and tests.

    Everything here may be said twice: a retried task repeats itself.
    """

    def metrics(self, values: Mapping[str, float]) -> None:
        """Numbers about the run, by name."""

    def params(self, values: Mapping[str, Any]) -> None:
        """Settings of the run, by name."""

    def tags(self, values: Mapping[str, str]) -> None:
        """Facts about the run that may still change, by name."""

    def datasets(self, spans: tuple[Span, ...], context: str) -> None:
        """Rows that the run read, and for what: `training`, `evaluation`."""

    def record(self, record: Record) -> None:
        """A record that a stage returns."""


class Notes:
    """A Recorder that only remembers: for notebooks and tests."""

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
