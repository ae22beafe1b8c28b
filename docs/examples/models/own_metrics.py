"""A metric of the team's own."""

from typing import Any


def missed_gains(y_true: Any, y_pred: Any, rows: Any) -> Any:
    """The capital gain of those who earn more than was predicted, per row."""
    missed = (y_true == ">50K") & (y_pred == "<=50K")
    return missed * rows["capital-gain"].to_numpy()
