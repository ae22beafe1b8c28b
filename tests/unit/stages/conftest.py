"""A small pipeline of three columns, its source, and installations that keep what its runs make."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import Services
from taxiway.stages.installation import Installation
from taxiway.store import Store
from taxiway.tracking.local import local_mlflow

SCHEMA = """\
label: y
key: id
features:
  id: {type: integer, presence: required}
  a: {type: number, presence: required, range: {min: -100, max: 100}}
  b: {type: string, presence: required, domain: open}
  y: {type: boolean, presence: required}
"""

SCHEMA_OF_PREDICTIONS = """\
label: y
key: id
features:
  id: {type: integer, presence: required}
  y: {type: boolean, presence: required}
  prediction: {type: string, presence: required, domain: open}
  probability_False: {type: number, presence: required}
  probability_True: {type: number, presence: required}
  model: {type: string, presence: required, domain: open}
  version: {type: integer, presence: required}
"""
"""The schema of a pipeline on predictions of that one."""


@dataclass(frozen=True)
class Site:
    """A team's folder, with the data of one pipeline.

    Attributes:
        folder: The folder.
        name: The name of the pipeline.
        first_id: The smallest id of its rows. Rows with other ids are other rows, of which another budget is spent.
    """

    folder: Path
    name: str
    first_id: int = 0

    def pipeline(self, **changes: Any) -> Pipeline:
        (self.folder / "small.schema.yaml").write_text(SCHEMA)
        content: dict[str, Any] = {
            "pipeline": self.name,
            "team": "runner",
            "source": {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y"},
            "schema": str(self.folder / "small.schema.yaml"),
            "model": {"estimator": "sklearn.linear_model.LogisticRegression"},
            "gate": {"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "roc_auc", "min_improvement": -0.05}},
        }
        return Pipeline.model_validate({**content, **changes})

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def arrive(self, span: int, *, signal: float = 1.0, scale: float = 1.0) -> Path:
        """A span of 1,000 rows in which `y` depends on `a` by so much; `a` is written in another unit if `scale` is not 1."""
        rng = np.random.default_rng(span)
        a = rng.normal(size=1000)
        rows = pd.DataFrame(
            {
                "id": np.arange(1000) + 10_000 * span + self.first_id,
                "a": a * scale,
                "b": rng.choice(list("xyz"), 1000),
                "y": signal * a + rng.normal(size=1000) > 0,
            }
        )
        self.data.mkdir(exist_ok=True)
        path = self.data / f"{span}.parquet"
        rows.to_parquet(path.with_suffix(".beside"))
        return path.with_suffix(".beside").replace(path)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path, f"small_{uuid.uuid4().hex[:8]}")
    made.arrive(1)
    made.arrive(2)
    return made


@pytest.fixture(scope="session")
def mlflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an MLflow without a server, as `taxiway run` makes it, for all runs of these tests."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def local_client(mlflow_home: Path) -> Iterator[MlflowClient]:
    """A client of that MLflow. A run through it costs two thirds of one through a server, which tests/airflow uses."""
    with local_mlflow(mlflow_home) as client:
        yield client


@pytest.fixture
def installation(site: Site, local_client: MlflowClient) -> Installation:
    """Nobody else's, on a real MLflow."""
    return Installation(Store(str(site.folder / "store")), local_client, Services(data=str(site.data)))
