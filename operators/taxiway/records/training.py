"""The records of a model: feature sets, sweeps, candidates and evaluations."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from taxiway.records.base import Migration, Record, renamed, without

Version = Annotated[int, Field(ge=1)]
"""The number of a model version in the registry."""


class FeatureSet(Record):
    """A fitted transform and the transformed training rows, both in the store.

    Attributes:
        snapshot: The digest of the snapshot.
        schema_version: The digest of the schema.
        numeric: The names of the raw numeric columns, in the order of the transform.
        categorical: The names of the raw categorical columns, in the order of the transform.
        label: The name of the label.
        classes: The two values of the label as text, the negative one first; empty for a regression.
        transform: The digest of the fitted scikit-learn object (skops).
        rows: The digest of the transformed training rows with their labels (Parquet).
        row_count: The number of training rows.
        types: The types of the raw columns in the training spans, in the words of a schema; without those that had several.
        optional: The raw columns in which a value may be missing, by the schema or by the training rows.
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
    types: Mapping[str, str] = {}
    optional: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the raw columns that a model of this feature set takes."""
        return self.numeric + self.categorical


class Candidate(Record):
    """A registered model version, with the records that it was trained from.

    Attributes:
        model: The name of the registered model.
        version: Its version.
        snapshot: The digest of the snapshot.
        report: The digest of the data report.
        features: The digest of the feature set.
        schema_version: The digest of the schema.
        estimator: The name of the estimator.
        params: The parameters of the estimator, as JSON text with sorted keys.
        sweep: The digest of the SweepReport that chose some of the parameters; None without a sweep.
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
    """The planned trials of a sweep.

    Attributes:
        snapshot: The digest of the tuning snapshot: the spans of the training window, of which the newest is scored on.
        features: The digest of the feature set of the tuning snapshot.
        metric: The metric that the trials are compared by.
        trials: The parameters of each trial, as JSON text with sorted keys.
    """

    snapshot: str
    features: str
    metric: str
    trials: tuple[str, ...]


class Trial(Record):
    """One trial of a sweep.

    Attributes:
        params: The parameters, as JSON text with sorted keys.
        metric: The metric.
        score: Its value; None if the trial failed.
        rows: The number of rows that were scored on.
        error: Why the trial failed; None if it did not.
    """

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("error")}

    params: str
    metric: str
    score: float | None
    rows: int
    error: str | None = None


class Trials(Record):
    """The trials that one task of a sweep ran.

    Attributes:
        plan: The digest of the SweepPlan.
        trials: The trials, in the order of the plan.
    """

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("trials.error")}

    plan: str
    trials: tuple[Trial, ...]


class SweepReport(Record):
    """The results of a sweep.

    Attributes:
        snapshot: The digest of the tuning snapshot.
        metric: The metric that the trials were compared by.
        trials: All trials, the best one first, failed ones last.
    """

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("trials.error")}

    snapshot: str
    metric: str
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial:
        """The best trial, whose parameters the model is trained with."""
        return self.trials[0]


class Interval(Record):
    """An estimate with its confidence interval.

    Attributes:
        value: The estimate.
        low: The lower end of the interval.
        high: The upper end of the interval.
        rows: The number of rows that it was estimated from.
    """

    value: float
    low: float
    high: float
    rows: int


class MetricResult(Record):
    """One metric on all evaluation rows.

    Attributes:
        metric: The name of the metric.
        candidate: Its value for the candidate.
        champion: Its value for the champion; None without a champion.
        difference: Candidate minus champion; None without a champion.
    """

    metric: str
    candidate: Interval
    champion: Interval | None
    difference: Interval | None


class SliceResult(Record):
    """One metric on one slice: the evaluation rows in which a column has a value.

    Attributes:
        metric: The name of the metric.
        column: The column.
        value: Its value, as text.
        rows: The number of rows in the slice.
        confidence: The confidence of the interval. It is higher than that of the evaluation, because the intervals of all
            slices are simultaneous.
        difference: Candidate minus champion; None if the slice has too few rows or only one value of the label.
    """

    metric: str
    column: str
    value: str
    rows: int
    confidence: float
    difference: Interval | None


class ColumnAlone(Record):
    """A column that alone predicts the label suspiciously well.

    Attributes:
        column: The column.
        metric: `roc_auc` for two classes, or `r2`.
        value: The score of the column on its own, as if it were a model.
        by: What was scored: the `order` of its values, its `values` by their mean label, or which rows are `missing` it.
    """

    column: str
    metric: str
    value: float
    by: Literal["order", "values", "missing"]

    def describe(self) -> str:
        """`alive` alone reaches roc_auc 1.000; whether `tip` is missing alone reaches roc_auc 0.970."""
        what = f"whether `{self.column}` is missing" if self.by == "missing" else f"`{self.column}`"
        return f"{what} alone reaches {self.metric} {self.value:.3f}"


class Evaluation(Record):
    """The metrics of candidate and champion, scored on the same rows by the same code.

    Attributes:
        snapshot: The digest of the snapshot.
        model: The name of the registered model.
        candidate: The version of the candidate.
        champion: The version of the champion; None if there is none.
        confidence: The confidence of the intervals on all rows.
        metrics: The metrics on all rows.
        slices: The comparison metric by slice; empty without slices or without a champion.
        candidate_without: The columns of the candidate that the evaluation rows do not have any more; it was scored without values
            in them.
        champion_without: The same for the champion.
        alone: If the candidate is almost perfect, the columns that may give the label away.
    """

    record_version: ClassVar[int] = 3
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("champion"), 2: renamed(reliability="confidence")}

    snapshot: str
    model: str
    candidate: int
    champion: Version | None = None
    confidence: float
    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...] = ()
    candidate_without: tuple[str, ...] = ()
    champion_without: tuple[str, ...] = ()
    alone: tuple[ColumnAlone, ...] = ()
