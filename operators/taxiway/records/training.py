"""The records of training: feature sets, sweeps and candidates."""

from collections.abc import Mapping
from typing import ClassVar

from taxiway.records.base import Migration, Record, without
from taxiway.records.evaluation import BaselineName


class FeatureSet(Record):
    """A fitted transform and the transformed training rows, both in the store.

    Attributes:
        snapshot: The digest of the snapshot.
        schema_version: The digest of the schema.
        numeric: The names of the raw numeric columns, in the order of the transform.
        categorical: The names of the raw categorical columns, in the order of the transform.
        label: The name of the label.
        classes: The values of the label as text, in the order of the model's probabilities; empty for a regression.
        transform: The digest of the fitted scikit-learn object (skops).
        rows: The digest of the transformed training rows with their labels (Parquet).
        row_count: The number of training rows.
        types: The types of the raw columns in the training spans, in the words of a schema; without those that had several.
        optional: The raw columns in which a value may be missing, by the schema or by the training rows.
        weight: The column with the weights of the training rows, which are stored with them, or the function that returned them; None if
            all weigh alike.
        text: The names of the raw columns of free text.
        dates: The names of the raw columns of dates and times.
        lists: The names of the raw columns of lists.
        left_out: Columns of lists that are not features, and why.
        notes: What became of each column of lists.
        rehearsed: Of the training spans of which only a sample of the rows was used, by their label: how many rows; see
            `taxiway.data.ingest.rehearsal`.
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
    weight: str | None = None
    text: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    left_out: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    rehearsed: Mapping[str, int] = {}

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the raw columns that a model of this feature set takes."""
        return self.numeric + self.dates + self.categorical + self.text + self.lists

    def describe(self) -> str:
        """`11 numeric, 3 categorical, 1 text and 2 date columns`; kinds without a column are left out."""
        kinds = (
            ("numeric", self.numeric),
            ("categorical", self.categorical),
            ("text", self.text),
            ("date", self.dates),
            ("list", self.lists),
        )
        *most, last = [f"{len(names)} {kind}" for kind, names in kinds if names] or ["no"]
        return f"{', '.join(most)}{' and ' if most else ''}{last} column{'' if len(self.columns) == 1 else 's'}"


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
        threshold: The probability at or above which the second of two classes is predicted; None for 0.5.
        files: The digest of the model's files, as they were written; None for a candidate of an earlier version of Taxiway.
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
    threshold: float | None = None
    files: str | None = None


class LearningCurve(Record):
    """How good models are that are trained on parts of the training rows, each of which contains the one before.

    Attributes:
        features: The digest of the feature set.
        metric: The metric.
        rows: The number of training rows of the version.
        held_out: The number of training rows that none of these models was fitted on, and on which all are scored.
        sizes: The number of rows that each was fitted on, smallest first.
        values: The metric of each.
        covariances: The covariance of the values of each two of them, by the paired bootstrap of the held-out rows.
    """

    features: str
    metric: str
    rows: int
    held_out: int
    sizes: tuple[int, ...]
    values: tuple[float, ...]
    covariances: tuple[tuple[float, ...], ...]


class BaselineModel(Record):
    """A fitted baseline, which is in the store.

    Attributes:
        name: The baseline.
        snapshot: The digest of the snapshot with its training rows.
        model: The digest of the fitted scikit-learn object (skops).
        model_bytes: Its size.
        rows: The number of rows that it was fitted on.
        threshold: The probability at or above which it predicts the second of two classes; None for 0.5.
    """

    name: BaselineName
    snapshot: str
    model: str
    model_bytes: int
    rows: int
    threshold: float | None = None


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
