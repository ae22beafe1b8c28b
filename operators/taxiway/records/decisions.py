"""Records of decisions: verdicts, shadow reports, promotions, and how a run ended."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import field_validator

from taxiway.records.base import Migration, Record, Status, renamed, without
from taxiway.records.data import Span
from taxiway.records.training import Interval, Version


class Reason(Record):
    """One ground of a verdict, as a message with numbers."""

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
    """The paired comparison of challenger and champion on live requests, and its decision.

    `champion` is absent if there was nothing to compare with; the status is then NOT_APPLICABLE, as it is if the pipeline
    switches shadow off. `requests` counts the pairs in which both answers are known. `checked_answers` of both sides were compared
    with what the models themselves answer to the logged requests, and are equal.
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
    """An alias that moved: an event, recorded append-only. `from_version` is absent if the alias did not exist; `verdict` and `shadow` are absent for a rollback."""

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
    """How a run over a span ended."""

    FIRST_CHAMPION = "FIRST_CHAMPION"
    PROMOTED = "PROMOTED"
    BLOCKED = "BLOCKED"
    REJECTED = "REJECTED"
    UNDECIDED = "UNDECIDED"


class RunSummary(Record):
    """What a run came to, in one look: it marks its newest span as decided, and fills the tables that people read.

    BLOCKED: the data did not pass. REJECTED: the model or its shadow did not. `version` is absent if no model was trained.
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
