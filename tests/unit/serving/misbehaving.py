"""A loader for the gateway's workers, with models that behave as their only file, `behaviour`, says."""

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd


class Metadata:
    """The signature of all of them: one number, x. It is its own schema: to import MLflow's takes each gateway two seconds."""

    def get_input_schema(self) -> "Metadata":
        return self

    def is_tensor_spec(self) -> bool:
        return False

    def has_input_names(self) -> bool:
        return True

    def input_dict(self) -> dict[str, Any]:
        return {"x": SimpleNamespace(type="double")}


class Healthy:
    """Answers 1 minus x and x, which makes it easy to see whose answer went where."""

    metadata = Metadata()

    def predict(self, rows: pd.DataFrame) -> Any:
        x = rows["x"].to_numpy(dtype=float)
        if (x == -1).any():
            raise ValueError("a row has x = -1")
        return np.column_stack([1 - x, x])


class PredictsNumbers(Healthy):
    """Answers 10 times x."""

    def predict(self, rows: pd.DataFrame) -> Any:
        return rows["x"].to_numpy(dtype=float) * 10


class Raises(Healthy):
    def predict(self, rows: pd.DataFrame) -> Any:
        raise RuntimeError("broken on purpose")


class Sleeps(Healthy):
    def predict(self, rows: pd.DataFrame) -> Any:
        time.sleep(3600)
        return super().predict(rows)


class OneTooFew(Healthy):
    def predict(self, rows: pd.DataFrame) -> Any:
        return super().predict(rows)[:-1]


class AnswersNaN(Healthy):
    def predict(self, rows: pd.DataFrame) -> Any:
        return np.full(len(rows), np.nan)


class DiesOnTwo(Healthy):
    """Ends its own process, as a crash in native code would, where x is 2."""

    def predict(self, rows: pd.DataFrame) -> Any:
        if (rows["x"] == 2).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict(rows)


class HalfASecond(Healthy):
    def predict(self, rows: pd.DataFrame) -> Any:
        time.sleep(0.5)
        return super().predict(rows)


class NeedsMemoryForThree(Healthy):
    """Needs 8 GiB where x is 3."""

    def predict(self, rows: pd.DataFrame) -> Any:
        if (rows["x"] == 3).any():
            np.ones(1 << 30)
        return super().predict(rows)


class SlowToExplain(Healthy):
    """Predicts at once, and takes an hour to be explained."""

    def get_raw_model(self) -> Any:
        if "taxiway.serving.workers.explain" in sys.modules:
            time.sleep(3600)
        raise NotImplementedError


SECRETS = {"GATEWAY", "VERSION", "TAXIWAY_ADMIN_TOKEN", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY"}
"""What no model may see: the settings of the tests' servers have their tokens, too."""
BEHAVIOURS = {
    kind.__name__: kind
    for kind in (
        Healthy,
        PredictsNumbers,
        Raises,
        Sleeps,
        OneTooFew,
        AnswersNaN,
        DiesOnTwo,
        HalfASecond,
        NeedsMemoryForThree,
        SlowToExplain,
    )
}


def load(folder: Path) -> Healthy:
    """Raises ValueError for `Unloadable`."""
    behaviour = (folder / "behaviour").read_text()
    for name in SECRETS & set(os.environ):
        raise ValueError(f"the code of a team sees {name}")
    if behaviour == "Unloadable":
        raise ValueError("unloadable on purpose")
    return BEHAVIOURS[behaviour]()
