"""The records of decisions: verdicts, shadow reports, promotions and run summaries."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import field_validator

from taxiway.records.base import Migration, Record, Status, renamed, without
from taxiway.records.data import Span
from taxiway.records.evaluation import Interval, Version


class Reason(Record):
    """One reason for a decision.

    Attributes:
        status: Its status.
        message: One sentence with the numbers.
    """

    status: Status
    message: str


class Verdict(Record):
    """The model gate's decision on a model version.

    Attributes:
        model: The name of the registered model.
        version: The version that was validated.
        champion: The version of the champion; None if there was none.
        snapshot: The digest of the snapshot.
        report: The digest of the data report; None if there was none.
        evaluation: The digest of the evaluation.
        status: FAIL if any reason is FAIL, else UNDECIDED if any is UNDECIDED, else PASS.
        reasons: The reasons.
    """

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

    Attributes:
        model: The name of the registered model.
        version: The version of the challenger.
        champion: The version of the champion; None if there was none.
        status: The decision; NOT_APPLICABLE without a champion or without a `shadow` section.
        reasons: The reasons.
        requests: The number of requests that both versions answered, with predictions or an error.
        agreement: The fraction of rows for which both predicted the same label; None if it could not be estimated.
        score_shift: The mean difference of the scores, challenger minus champion; None if it could not be estimated.
        champion_errors: The number of requests that the champion answered with an error.
        challenger_errors: The number of requests that the challenger answered with an error.
        latency_p50_ratio: The ratio of the median latencies, challenger to champion; None if it could not be estimated.
        latency_p99_ratio: The same ratio of the 99th percentiles.
        checked_answers: The number of logged predictions of both versions that were recomputed with the models and are equal;
            None if none were recomputed.
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

    Attributes:
        model: The name of the registered model.
        alias: The alias.
        from_version: The version before; None if the alias did not exist.
        to_version: The version after.
        by: The user or the run that moved the alias.
        at: The time, with a time zone.
        verdict: The digest of the verdict; None for a rollback.
        shadow: The digest of the shadow report; None for a rollback.
        reason: Why the alias moved.
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
            raise ValueError("the time of a promotion has no time zone; add one, such as UTC")
        return at


class Outcome(StrEnum):
    """The outcome of a run.

    Attributes:
        FIRST_CHAMPION: The model became the first champion.
        PROMOTED: The model replaced the champion.
        BLOCKED: The data did not pass.
        REJECTED: The model did not pass the gate or the shadow.
        UNDECIDED: The gate or the shadow could not decide.
    """

    FIRST_CHAMPION = "FIRST_CHAMPION"
    PROMOTED = "PROMOTED"
    BLOCKED = "BLOCKED"
    REJECTED = "REJECTED"
    UNDECIDED = "UNDECIDED"


class RunSummary(Record):
    """The outcome of a run. It marks the target span as processed.

    Attributes:
        pipeline: The name of the pipeline.
        run: The id of the run.
        span: The target span.
        outcome: The outcome.
        reasons: Why, as messages.
        version: The model version; None if no model was trained.
        mlflow_run: The id of the MLflow run.
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
