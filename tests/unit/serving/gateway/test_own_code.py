"""Models of a team's own class at a gateway: it runs its own copy of the code, or refuses the version."""

import uuid
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from running import start_gateway
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from helping import until
from taxiway.features.signature import ModelColumns
from taxiway.models.own_model import OwnModel
from taxiway.models.row_model import RowModel
from taxiway.registry.register import ModelToSave, register
from taxiway.spec.python_refs import load_python
from taxiway.tracking.run import MlflowRun

CODE = """import numpy as np


class Doubled:
    def __init__(self, factor):
        self.factor = factor

    def predict(self, matrix):
        return matrix[:, 0] * self.factor

    def save(self, folder):
        (folder / "factor.txt").write_text(str(self.factor))

    @classmethod
    def load(cls, folder):
        return cls(float((folder / "factor.txt").read_text()))
"""


def test_a_gateway_serves_what_its_own_files_can_load(mlflow_url: str, tmp_path: Path) -> None:
    """One gateway for both versions: it starts processes that import MLflow, which takes seconds."""
    client, name = MlflowClient(mlflow_url), f"tests.own_{uuid.uuid4().hex[:8]}"
    code = tmp_path / "dags" / "team"
    code.mkdir(parents=True)
    rows = pd.DataFrame({"x": np.random.default_rng(1).normal(size=50)})
    run = MlflowRun.find_or_make(client, "tests/own", f"dag/{uuid.uuid4()}", {})
    made = []
    for text in (CODE, f"{CODE}# changed\n"):
        (code / "doubled.py").write_text(text)
        own = OwnModel.of(load_python(code / "doubled.py").Doubled(1 / 3), code)
        fitted = Pipeline([("transform", StandardScaler().fit(rows)), ("model", own)])
        made.append(RowModel.of(fitted, ModelColumns(("x",), ())))
        register(client, run.run_id, name, ModelToSave(made[-1], rows, str(len(made)), {"taxiway.classes": "[]"}, {}))
    (code / "doubled.py").write_text(CODE)
    client.set_registered_model_alias(name, "champion", "1")
    running = start_gateway(
        mlflow_url, tmp_path / "state", models=[name], loader="taxiway.registry.load:load_folder", code=str(code.parent)
    )
    until(lambda: running.admin.status(name).champion == 1, "version 1 is served")
    given = rows["x"].tolist()
    assert running.ask(name, *given).json()["predictions"] == made[0].predict(rows)["prediction"].tolist()

    client.set_registered_model_alias(name, "champion", "2")
    words = "doubled.py has another digest: it was changed since. Keep the file"
    until(lambda: words in str(running.admin.status(name).problem), "version 2 is refused")
    assert running.ask(name, *given[:1]).headers["X-Taxiway-Model-Version"] == "1"
    running.stop()
