"""Rows and a loaded model for the tests of explanations."""

from typing import Any

import numpy as np
import pandas as pd

from taxiway.features.signature import ModelColumns

TYPES = {"a": "number", "b": "number", "c": "string", "d": "string"}
MODEL = ModelColumns(("a", "b"), ("c", "d"), TYPES, ("a", "b", "c", "d"))


class Loaded:
    """A loaded pyfunc model."""

    def __init__(self, raw: Any, input_example: Any = None) -> None:
        self._raw = raw
        self.input_example = input_example

    def get_raw_model(self) -> Any:
        return self._raw


def rows(count: int = 600, seed: int = 0) -> pd.DataFrame:
    """Two columns of numbers and two of texts, with missing values in one of each."""
    chance = np.random.default_rng(seed)
    made = pd.DataFrame(
        {
            "a": chance.normal(size=count),
            "b": chance.normal(size=count),
            "c": chance.choice(["x", "y", "z"], count),
            "d": chance.choice(["k", "l"], count),
        }
    )
    made.loc[chance.random(count) < 0.1, "a"] = np.nan
    made.loc[chance.random(count) < 0.1, "c"] = None
    return made
