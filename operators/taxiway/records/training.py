"""The records of a model: feature sets, sweeps, candidates and evaluations."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from taxiway.records.base import Migration, Record, renamed, without

Version = Annotated[int, Field(ge=1)]
"""The number of a model version in the registry."""


class FeatureSet(Record):
    """A fitted transform and the transformed training rows, both in the store.

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
    """A registered model version, with the records that it was trained from.

    `params` is JSON text with sorted keys; `sweep` is the digest of the SweepReport that chose some of them, None without a sweep.
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
    """The trials that one task of a sweep ran, in the order of the plan."""

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
        """The best trial, whose parameters are used."""
        return self.trials[0]


class Interval(Record):
    """An estimate with its interval at the gate's confidence, over `rows` rows."""

    value: float
    low: float
    high: float
    rows: int


class MetricResult(Record):
    """One metric on all evaluation rows; `champion` and `difference` (candidate minus champion) are None without a champion."""

    metric: str
    candidate: Interval
    champion: Interval | None
    difference: Interval | None


class SliceResult(Record):
    """One metric on the evaluation rows where `column` is `value`; the difference is candidate minus champion.

    `difference` is None if the slice has too few rows or only one class. `confidence` is that of its interval: higher than the
    evaluation's, because it is simultaneous for all slices.
    """

    metric: str
    column: str
    value: str
    rows: int
    confidence: float
    difference: Interval | None


class Evaluation(Record):
    """Candidate and champion (absent if there is none), scored on the same rows of a snapshot by the same code."""

    record_version: ClassVar[int] = 3
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("champion"), 2: renamed(reliability="confidence")}

    snapshot: str
    model: str
    candidate: int
    champion: Version | None = None
    confidence: float
    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...] = ()
