"""A pipeline whose challengers run in containers, with the DAGs that monitor its champion and score its spans.

Its shadow task is killed once, when the container answers already.
"""

import os
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from taxiway.operators import ShadowDeployOperator
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.scoring import Scoring
from taxiway.stages.context import ContainerDeployer, StageContext
from taxiway.templates import batch_scoring, continuous_training
from taxiway.templates.monitoring import monitoring

HERE = Path(__file__).parent
# The one place that tasks may write to.
MARKER = Path(os.environ.get("AIRFLOW__TAXIWAY__STORE", HERE)) / "shadow.killed"


class DiesOnce:
    """A container engine after whose first start the process is killed, before the gateway is told."""

    def __init__(self, engine: ContainerDeployer) -> None:
        self.engine = engine

    def start(self, **asked: Any) -> Any:
        remote = self.engine.start(**asked)
        if not MARKER.exists():
            MARKER.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return remote

    def remove(self, run: str) -> int:
        return self.engine.remove(run)


class KilledShadowOperator(ShadowDeployOperator):
    """Dies when its first container answers, before the gateway is told."""

    def open(self, context: Any) -> StageContext:
        stage = super().open(context)
        assert stage.services.containers is not None
        return replace(stage, services=replace(stage.services, containers=DiesOnce(stage.services.containers)))


PIPELINE = Pipeline.model_validate(
    {
        "pipeline": "contained",
        "team": "shadows",
        "source": {"spans": "{data}/contained/{SPAN}.parquet", "window": 1, "label": "y"},
        "schema": str(HERE / "small.schema.yaml"),
        "model": {"estimator": "sklearn.linear_model.LogisticRegression"},
        "gate": {"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "roc_auc", "min_improvement": -0.05}},
        "gateway": "taxiway_gateway",
        "shadow": {"deployer": "docker", "min_requests": 100, "max_wait": "10m", "max_p99_ratio": 100},
        "monitor": {"log": "/var/lib/taxiway/request-log", "schedule": None},
    }
)
RETRY_SOON = {"retry_delay": timedelta(seconds=1)}

contained = continuous_training(PIPELINE, default_args=RETRY_SOON)
contained.get_task("shadow").__class__ = KilledShadowOperator

assert PIPELINE.monitor is not None
monitored = monitoring(PIPELINE, PIPELINE.monitor)
scored = batch_scoring(
    Scoring.model_validate(
        {
            "scoring": "contained_scored",
            "team": "shadows",
            "model": PIPELINE.name,
            "source": {"spans": "{data}/contained/{SPAN}.parquet"},
            "schema": PIPELINE.schema_file,
            "keys": ["id"],
            "output": "/var/lib/taxiway/predictions/contained/{SPAN}",
        }
    ),
    default_args=RETRY_SOON,
)
