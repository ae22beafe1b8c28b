"""The records of an evaluation: metrics with their intervals, by slice, for candidate and champion."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from taxiway.records.base import Migration, Record, renamed, without

Version = Annotated[int, Field(ge=1)]
"""The number of a model version in the registry."""
Better = Literal["higher", "lower"]
BaselineName = Literal["dummy", "linear"]
"""The `linear` model is a logistic or a ridge regression, the `dummy` model predicts the shares of the classes, or the mean."""


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
        better: Whether higher or lower values of a metric of `gate.metrics` are better; None for one of Taxiway's metrics.
        deciding_rows: How many of the rows, or groups of rows, decide the candidate's value of a metric of one class, such as those of the
            class for `recall`; None if they are at least `gate.min_rows`, or all, and for other metrics.
    """

    metric: str
    candidate: Interval
    champion: Interval | None
    difference: Interval | None
    better: Better | None = None
    deciding_rows: int | None = None


class MetricValue(Record):
    """The value of a metric on all evaluation rows.

    Attributes:
        metric: The name of the metric.
        value: Its value.
    """

    metric: str
    value: float


class Baseline(Record):
    """A simple model, scored on the same rows as the candidate.

    Attributes:
        name: The baseline.
        metric: The comparison metric of the gate.
        score: Its value for the baseline.
        difference: Candidate minus baseline.
        others: The other metrics that could be computed for the baseline.
        rows: The number of rows that it was fitted on.
    """

    name: BaselineName
    metric: str
    score: Interval
    difference: Interval
    others: tuple[MetricValue, ...] = ()
    rows: int


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
        metric: `roc_auc` for classes, or `r2`.
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


class ClassRows(Record):
    """A class and the evaluation rows that are labelled with it.

    Attributes:
        name: The class as text.
        rows: The number of rows.
    """

    name: str
    rows: int


class RowGroups(Record):
    """The groups of rows that were resampled together for the intervals.

    Attributes:
        column: The column whose values are the groups.
        groups: Their number.
    """

    column: str
    groups: int


class RowMeans(Record):
    """What conditions of the gate are about: the means of a metric over the rows, for both models.

    Attributes:
        metric: The metric, which is a number between two limits for each row.
        rows: The number of rows.
        units: The number of independent rows or groups of rows that they are worth.
        candidate: The mean of the candidate.
        champion: The mean of the champion; None without a champion.
        disagreement: The share of rows for which both predict another class; None without a champion, and for a regression.
        variance: The sample variance of candidate minus champion over the rows; None without a champion.
    """

    metric: str
    rows: int
    units: float
    candidate: float
    champion: float | None = None
    disagreement: float | None = None
    variance: float | None = None


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
        candidate_missing_columns: The columns that the candidate was trained with and the evaluation rows no longer have; it was scored
            with missing values in them.
        champion_missing_columns: The same for the champion.
        leakage_suspects: The columns that alone predict the label suspiciously well, and may leak it. They are only looked for if
            the candidate is almost perfect.
        unseen_classes: The classes of evaluation rows that the candidate was not trained on; it was scored with a probability of 0
            for them.
        champion_unseen_classes: The same for the champion.
        absent_classes: The classes of the candidate that no evaluation row has.
        groups: The groups of rows that were resampled together; None if each row was on its own.
        baselines: The simple models that the candidate was compared with.
        row_means: For each metric of the gate's conditions, the means over the rows.
        withheld: Whether scores were left out, because more models may be tried on the same rows; see `gate.show`.
        rows_without_label: How many rows of the spans were left out because their label is missing; with a split, those to train on too.
        labels_not_counted: How many labelled rows were left out because they were not drawn at random.
    """

    record_version: ClassVar[int] = 4
    migrations: ClassVar[Mapping[int, Migration]] = {
        1: without("champion"),
        2: renamed(reliability="confidence"),
        3: renamed(
            candidate_without="candidate_missing_columns", champion_without="champion_missing_columns", alone="leakage_suspects"
        ),
    }

    snapshot: str
    model: str
    candidate: int
    champion: Version | None = None
    confidence: float
    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...] = ()
    candidate_missing_columns: tuple[str, ...] = ()
    champion_missing_columns: tuple[str, ...] = ()
    leakage_suspects: tuple[ColumnAlone, ...] = ()
    unseen_classes: tuple[ClassRows, ...] = ()
    champion_unseen_classes: tuple[ClassRows, ...] = ()
    absent_classes: tuple[str, ...] = ()
    groups: RowGroups | None = None
    baselines: tuple[Baseline, ...] = ()
    row_means: tuple[RowMeans, ...] = ()

    def better(self, metric: str) -> Better | None:
        """Whether higher or lower values of a metric are better; None if its name says so."""
        return next((result.better for result in self.metrics if result.metric == metric), None)

    withheld: bool = False
    rows_without_label: int = 0
    labels_not_counted: int = 0

    def without_scores(self, rounded: tuple[RowMeans, ...] = ()) -> "Evaluation":
        """The evaluation without what depends on labels and predictions together.

        Args:
            rounded: The means to keep.
        """
        left_out = {
            "metrics": (),
            "slices": (),
            "leakage_suspects": (),
            "baselines": (),
            "row_means": rounded,
            "withheld": True,
        }
        return self.model_copy(update=left_out)
