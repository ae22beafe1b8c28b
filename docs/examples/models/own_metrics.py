"""A metric of the team's own."""

import numpy as np


def missed_gains(y_true: np.ndarray, y_pred: np.ndarray, rows) -> np.ndarray:
    """The capital gain of those who earn more than was predicted, per row."""
    return np.where((y_true == ">50K") & (y_pred == "<=50K"), rows["capital-gain"], 0)
