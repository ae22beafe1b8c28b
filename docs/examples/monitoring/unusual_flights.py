"""A check of monitoring: whether more rows than usual are unlike those that the model was evaluated on."""

from typing import Any

USUAL = 0.01
"""The share of the evaluation rows that counts as unusual."""
TOO_MANY = 0.05


def unusual_flights(rows: Any, evaluation: Any) -> list[str]:
    """Say how many rows are unusual, by an isolation forest of the numeric inputs.

    Args:
        rows: The rows of the window, with their inputs, predictions and labels.
        evaluation: The inputs of the evaluation rows.
    """
    from sklearn.ensemble import IsolationForest

    numbers = [name for name in evaluation.select_dtypes("number") if name in rows]
    usual = evaluation[numbers].median()
    forest = IsolationForest(contamination=USUAL, random_state=0).fit(evaluation[numbers].fillna(usual))
    scores = forest.decision_function(rows[numbers].astype(float).fillna(usual))
    share = (scores < 0).mean()
    if share <= TOO_MANY:
        return []
    strangest = rows.iloc[scores.argmin()]
    return [
        f"{share:.1%} of the rows are unusual, most of all row {strangest['served.row']} of request {strangest['served.request_id']}"
    ]
