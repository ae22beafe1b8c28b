"""Estimated performance of a regression on rows without labels: a model of its error, fitted on reference rows.

Direct loss estimation (DLE) as in NannyML, with the boosted trees of scikit-learn.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from taxiway.records import Interval
from taxiway.stats.bootstrap import standard_interval
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONDITION = (
    "The estimate holds as long as the model's error for rows with the same features is as large as among the reference rows. It sees rows "
    "that are harder for the model; it does not see that the relation of features and label has changed (concept drift), or values of "
    "features outside of those of the reference rows, which only labels show."
)
"""When the estimates of this module hold, for people."""
LossMetric = Literal["mae", "rmse"]
_FOLDS = 5


@dataclass(frozen=True)
class LossModel:
    """A model of the error of a regression.

    Attributes:
        metric: The metric that it estimates.
        encoder: Turns raw columns into numbers.
        regressor: Predicts a row's absolute error (`mae`) or squared error (`rmse`), from its columns and the prediction for it.
        variation: The standard deviation of a row's error divided by the expected error, on rows that it was not fitted on.
    """

    metric: LossMetric
    encoder: Any
    regressor: Any
    variation: float

    def estimated(self, frame: "pd.DataFrame", predictions: "Floats", confidence: float) -> Interval:
        """Estimate the metric.

        The interval is where the metric of these rows will be when their labels are known, if the condition holds. It takes the error of
        a row as its expected value times noise that is distributed alike in all rows, so rows with large errors make it wider. It does
        not contain the error of the model of the errors.

        Args:
            frame: The raw columns of the rows, as of `taxiway.features.encoding.raw_frame`.
            predictions: The predictions for the rows (n).
            confidence: The confidence level, such as 0.99.
        """
        import numpy as np

        losses = np.maximum(self.regressor.predict(_columns(self.encoder, frame, predictions)), 0)
        error = self.variation * math.sqrt(float(losses @ losses)) / len(losses)
        mean = standard_interval(float(losses.mean()), error, confidence, len(losses))
        low = max(mean.low, 0.0)
        if self.metric == "mae":
            return mean.model_copy(update={"low": low})
        return Interval(value=math.sqrt(mean.value), low=math.sqrt(low), high=math.sqrt(mean.high), rows=mean.rows)


def fit_loss(metric: LossMetric, frame: "pd.DataFrame", predictions: "Floats", labels: "Floats") -> LossModel:
    """Fit a model of the error of a regression.

    Args:
        metric: The metric to estimate.
        frame: The raw columns of reference rows, as of `taxiway.features.encoding.raw_frame`. The regression must not have been trained on
            these rows, or its errors are smaller on them than on new ones.
        predictions: Its predictions for the rows (n).
        labels: Their labels (n).
    """
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import KFold, cross_val_predict

    errors = abs(predictions - labels)
    losses = errors if metric == "mae" else errors**2
    encoder = _encoder().fit(frame)
    columns, regressor = _columns(encoder, frame, predictions), HistGradientBoostingRegressor(random_state=SEED)
    folds = KFold(_FOLDS, shuffle=True, random_state=SEED)
    expected = np.maximum(cross_val_predict(regressor, columns, losses, cv=folds), 0)
    size, spread = float(expected @ expected), float(((losses - expected) ** 2).sum())
    return LossModel(metric, encoder, regressor.fit(columns, losses), math.sqrt(spread / size) if size else 0.0)


def _encoder() -> Any:
    """Numbers as they are, and categories as numbers; a category that the reference rows do not have counts as missing."""
    import numpy as np
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.preprocessing import OrdinalEncoder

    categories = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan)
    return make_column_transformer((categories, make_column_selector(dtype_exclude="number")), remainder="passthrough")


def _columns(encoder: Any, frame: "pd.DataFrame", predictions: "Floats") -> "Floats":
    import numpy as np

    return np.column_stack([encoder.transform(frame), predictions])
