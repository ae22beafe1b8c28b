"""A worse estimate is divided among the inputs that drifted, also that of a regression, in few calls of the model."""

from datetime import date
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from taxiway.evaluation.predictions import Predictions
from taxiway.features.signature import ModelColumns
from taxiway.models.row_model import RowModel
from taxiway.monitoring.direct_loss import fit_loss
from taxiway.monitoring.realised import realised
from taxiway.stages.monitor.windows.drift import ColumnDrift, WindowDrift
from taxiway.stages.monitor.windows.input_shares import Estimates, input_shares
from taxiway.stages.monitor.windows.performance import CONFIDENCE, Evaluated, Reference, WindowPerformance
from taxiway.stages.monitor.windows.regression import ErrorEstimates

ROWS = 4000


class Counted(RowModel):
    """A model that counts its calls."""

    calls: ClassVar[list[int]] = []

    def predict_frame(self, frame: pd.DataFrame) -> Any:
        self.calls.append(len(frame))
        return super().predict_frame(frame)


def test_the_error_of_a_regression_grows_by_the_input_that_makes_rows_harder() -> None:
    rng = np.random.default_rng(1)
    names = [f"x{at}" for at in range(8)]
    before = pd.DataFrame(rng.random((ROWS, 8)), columns=names)
    labels = before["x1"].to_numpy() + rng.normal(size=ROWS) * (0.1 + before["x0"].to_numpy())
    columns = ModelColumns(tuple(names), ())
    model = Counted.of(make_pipeline(LinearRegression()).fit(before, labels), columns)
    predictions = model.estimator.predict(before)
    found = realised("mae", Predictions(predictions), labels, (), CONFIDENCE)
    reference = Reference("mae", (), None, found, None, Evaluated(np.arange(ROWS), predictions, labels), "")
    errors = ErrorEstimates(reference, fit_loss("mae", before, predictions, labels), columns)
    after = before.assign(x0=0.8 + before["x0"] / 5, x1=before["x1"] / 2, **{name: before[name] / 2 for name in names[2:]})
    estimate = errors.loss.estimated(after, model.estimator.predict(after), CONFIDENCE)
    window = WindowPerformance(date(2026, 1, 5), ROWS, 0, estimate, None, None, "estimated")
    drift = WindowDrift([ColumnDrift(name, 0.5, 0.0, f"{name}: changed") for name in names], None)
    Counted.calls.clear()
    made = input_shares(
        Estimates(reference, errors, SimpleNamespace(get_raw_model=lambda: model), before), window, drift, after
    )
    assert made is not None
    first, *others = made.shares
    assert first == "x0"
    assert made.shares["x0"] == pytest.approx(1, abs=0.15)
    assert all(abs(made.shares[name]) < 0.15 for name in others)
    assert all(error > 0 for error in made.errors.values()), "orders of eight inputs are sampled"
    assert max(Counted.calls) <= ROWS
    assert sum(Counted.calls) <= 260 * 2000
    assert made.before < made.now
