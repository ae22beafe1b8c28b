"""What a gate report is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from taxiway.records import Candidate, DataReport, Evaluation, FeatureSet, Snapshot, Verdict
from taxiway.spec.pipeline import Pipeline


@dataclass(frozen=True)
class TrainingCosts:
    """What the training of a version cost; each is None if it was not measured in this run.

    Attributes:
        seconds: The time of the fit.
        cpu_seconds: Its CPU time.
        energy_wh: The estimated energy in Wh.
        model_bytes: The size of the file with the model.
        compared: How much slower and larger it is than the linear model, in words; empty if that is not known.
    """

    seconds: float | None = None
    cpu_seconds: float | None = None
    energy_wh: float | None = None
    model_bytes: float | None = None
    compared: str = ""

    @classmethod
    def of(cls, metrics: Mapping[str, float], compared: str) -> "TrainingCosts":
        """The costs among the metrics of an MLflow run."""
        return cls(
            metrics.get("train.seconds"),
            metrics.get("train.cpu_seconds"),
            metrics.get("train.energy_wh"),
            metrics.get("model.bytes"),
            compared,
        )


@dataclass(frozen=True)
class ReportContent:
    """A verdict, and everything that explains it.

    Attributes:
        pipeline: The pipeline of the model.
        verdict: The verdict.
        candidate: The version that it is about.
        evaluation: The evaluation. If its scores are withheld, the report has no numbers of it.
        snapshot: The rows.
        data: The report on these rows.
        today: The day of the verdict.
        features: What the model was trained with; None if it cannot be read.
        costs: What the training cost.
        run: The run, as `DAG/RUN`.
    """

    pipeline: Pipeline
    verdict: Verdict
    candidate: Candidate
    evaluation: Evaluation
    snapshot: Snapshot
    data: DataReport
    today: date
    features: FeatureSet | None = None
    costs: TrainingCosts = TrainingCosts()
    run: str = ""
