"""The records of decisions: verdicts, shadow reports, promotions, and run summaries."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import field_validator

from taxiway.records.base import Migration, Record, Status, renamed, without
from taxiway.records.data import Span
from taxiway.records.training import Interval, Version


class Reason(Record):
    """One reason of a verdict: its status, and a message with numbers."""

    status: Status
    message: str


class Verdict(Record):
    """The model gate's decision on one model version. FAIL if any reason fails, else UNDECIDED if any is, else PASS."""

    record_version: ClassVar[int] = 3
    migrations: ClassVar[Mapping[int, Migration]] = {
        1: without("champion", "report"),
        2: renamed(sentence="message"),
    }

    model: str
    version: int
    champion: Version | None = None
    snapshot: str
    report: str | None = None
    evaluation: str
    status: Status
    reasons: tuple[Reason, ...]


class ShadowReport(Record):
    """The paired comparison of challenger and champion on live requests, and the decision.

    `champion` is None if there was none; the status is then NOT_APPLICABLE, as it is without a shadow section. `requests` counts the
    requests that both answered. `checked_answers` logged predictions of both were recomputed with the models and are equal.
    """

    record_version: ClassVar[int] = 3
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("champion"), 2: renamed(sentence="message")}

    model: str
    version: int
    champion: Version | None = None
    status: Status
    reasons: tuple[Reason, ...]
    requests: int = 0
    agreement: Interval | None = None
    score_shift: Interval | None = None
    champion_errors: int = 0
    challenger_errors: int = 0
    latency_p50_ratio: Interval | None = None
    latency_p99_ratio: Interval | None = None
    checked_answers: int | None = None


class Promotion(Record):
    """The event that an alias moved to another version.

    `from_version` is None if the alias did not exist; `verdict` and `shadow` are None for a rollback.
    """

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("from_version", "verdict", "shadow")}

    model: str
    alias: str
    from_version: Version | None = None
    to_version: int
    by: str
    at: datetime
    verdict: str | None = None
    shadow: str | None = None
    reason: str

    @field_validator("at")
    @classmethod
    def _aware(cls, at: datetime) -> datetime:
        if at.tzinfo is None:
            raise ValueError("a promotion's time needs a time zone")
        return at


class Outcome(StrEnum):
    """The outcome of a run."""

    FIRST_CHAMPION = "FIRST_CHAMPION"
    PROMOTED = "PROMOTED"
    BLOCKED = "BLOCKED"
    REJECTED = "REJECTED"
    UNDECIDED = "UNDECIDED"


class RunSummary(Record):
    """The outcome of a run. It marks the target span as processed.

    BLOCKED: the data did not pass. REJECTED: the model or its shadow did not pass. `version` is None if no model was trained.
    """

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("version")}

    pipeline: str
    run: str
    span: Span
    outcome: Outcome
    reasons: tuple[str, ...]
    version: Version | None = None
    mlflow_run: str
