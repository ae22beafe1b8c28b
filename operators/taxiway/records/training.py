"""The records of a model: from its features to its promotion, and what a run came to."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from taxiway.records.base import Migration, Record, Status, without
from taxiway.records.data import Span

Version = Annotated[int, Field(ge=1)]
"""The number of a model version in the registry."""


class FeatureSet(Record):
    """A fitted transform and the training rows that it made, both in the store.

    `transform` is the digest of the fitted scikit-learn object (skops); `rows` the digest of the transformed training rows
    and their labels (Parquet). `numeric` and `categorical` name the raw columns that the transform takes, in order. `classes` are the
    label's two values as text, the negative one first; empty where the label is a number to estimate.
    """

    snapshot: str
    schema_version: str
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    label: str
    classes: tuple[str, ...]
    transform: str
    rows: str
    row_count: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that a model of this feature set takes."""
        return self.numeric + self.categorical


class Candidate(Record):
    """A registered model version, with what it was trained from and under.

    `params` is JSON text, keys sorted; `sweep` is the SweepReport that some of them were chosen by, absent without a sweep.
    """

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("sweep")}

    model: str
    version: int
    snapshot: str
    report: str
    features: str
    schema_version: str
    estimator: str
    params: str
    sweep: str | None = None


class SweepPlan(Record):
    """The trials of a sweep, before they run: which rows they share, and the parameters of each as JSON text, keys sorted.

    `snapshot` is the tuning snapshot: the training window alone, with its newest span to be scored on; `features` are made of it.
    """

    snapshot: str
    features: str
    metric: str
    trials: tuple[str, ...]


class Trial(Record):
    """One trial of a sweep: its parameters as JSON text, and its score, or why it has none (`error`)."""

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("error")}

    params: str
    metric: str
    score: float | None
    rows: int
    error: str | None = None


class Trials(Record):
    """What one task of a sweep came to: some of a plan's trials, in its order."""

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("trials.error")}

    plan: str
    trials: tuple[Trial, ...]


class SweepReport(Record):
    """All trials of a sweep, the best one first, failed ones last. `snapshot` is the tuning snapshot that they were scored on."""

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("trials.error")}

    snapshot: str
    metric: str
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The trial whose parameters go on."""
        return self.trials[0]


class Interval(Record):
    """An estimate with its interval at the gate's reliability, over `rows` rows."""

    value: float
    low: float
    high: float
    rows: int


class MetricResult(Record):
    """One metric on all evaluation rows; `champion` and `difference` (candidate minus champion) are empty without one."""

    metric: str
    candidate: Interval
    champion: Interval | None
    difference: Interval | None


class SliceResult(Record):
    """One metric on the evaluation rows where `column` is `value`; the difference is candidate minus champion.

    `difference` is empty where the slice is too small, or of one class, to tell. `reliability` is that of its interval: higher than
    the evaluation's, because many slices share it.
    """

    metric: str
    column: str
    value: str
    rows: int
    reliability: float
    difference: Interval | None


class Evaluation(Record):
    """Candidate and champion (absent if there is none), scored on the same rows of a snapshot by the same code."""

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("champion")}

    snapshot: str
    model: str
    candidate: int
    champion: Version | None = None
    reliability: float
    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...] = ()


class Reason(Record):
    """One ground of a verdict, as a sentence with numbers."""

    status: Status
    sentence: str


class Verdict(Record):
    """The model gate's decision on one model version. FAIL if any reason fails, else UNDECIDED if any is, else PASS."""

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("champion", "report")}

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

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("champion")}

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
