"""A pipeline in Python: the same keys as in a file, and Airflow's own arguments for all of its tasks."""

from datetime import timedelta
from pathlib import Path

from taxiway.spec import AgainstChampion, FileSource, Gate, Model, Pipeline
from taxiway.templates import continuous_training

dag = continuous_training(
    Pipeline(
        pipeline="cancellations",
        team="subscriptions",
        source=FileSource(spans="{data}/subscriptions/{YYYY}-{MM}.parquet", label="cancelled"),
        schema_file=str(Path(__file__).with_name("subscriptions") / "cancellations.schema.yaml"),
        model=Model(estimator="sklearn.linear_model.LogisticRegression"),
        gate=Gate(thresholds={"roc_auc": 0.65}, against_champion=AgainstChampion(metric="roc_auc")),
    ),
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
)
