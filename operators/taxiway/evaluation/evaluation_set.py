"""The identity of evaluation rows: digests that do not depend on the label, on the order of the rows, or on joined columns."""

import base64
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from taxiway.evaluation.comparison import Comparison
from taxiway.evaluation.predictions import Predictions
from taxiway.evaluation.row_hashes import row_hashes
from taxiway.records import SAMPLE_HASHES, Evaluation, EvaluationSet
from taxiway.records.digests import digest_of_bytes
from taxiway.spec.gate import Gate

if TYPE_CHECKING:
    import pandas as pd

_SCORES = {"metrics", "slices", "row_means", "groups"}
_NOT_SCORES = {"metrics": {"__all__": {"deciding_rows"}}}
"""Fields that follow from the predictions and labels. Each field that is added to a score belongs here: the keys of earlier queries stay."""
_NOT_RULES = {"budget", "show", "champion_unscorable"}
"""Keys of the gate that do not change what is decided about the scores."""


def evaluation_set(rows: "pd.DataFrame", without: Collection[str], former: Mapping[str, str] | None = None) -> EvaluationSet:
    """Identify evaluation rows.

    Args:
        rows: The rows.
        without: The columns that do not count: the label, which people may correct, and columns of joined tables. If no other column is
            left, all count.
        former: The former names of columns that the source has renamed, by their present ones.

    Returns:
        Their digest, and a sample of the hashes of the rows.
    """
    import numpy as np

    counted = [name for name in rows.columns if name not in without] or list(rows.columns)
    hashes = np.sort(row_hashes(rows[counted].rename(columns=former or {})))
    different, counts = np.unique(hashes, return_counts=True)
    return EvaluationSet(
        content=digest_of_bytes(hashes.astype(">u8").tobytes()),
        rows=len(hashes),
        different=len(different),
        once=int((counts == 1).sum()),
        sample=base64.b64encode(different[:SAMPLE_HASHES].astype(">u8").tobytes()).decode(),
    )


def query_key(content: str, gate: Gate, comparison: Comparison, evaluation: Evaluation) -> str:
    """The digest of what the model gate's answer depends on.

    The same predictions for the same rows in the same order are the same query, whatever the version is called, and however the model
    was made. The scores are part of it, too, because a team's own metric is code, which may change.

    Args:
        content: The digest of the rows.
        gate: The rules.
        comparison: The labels, and the predictions of both models.
        evaluation: The scores.

    Returns:
        The digest.
    """
    scores = evaluation.model_dump_json(include=_SCORES, exclude=_NOT_SCORES)
    champion = "" if comparison.champion is None else _predictions_digest(comparison.champion)
    labels = digest_of_bytes(comparison.labels.tobytes())
    predictions = (_predictions_digest(comparison.candidate), champion)
    return digest_of_bytes(
        "\n".join((content, gate.model_dump_json(exclude=_NOT_RULES), labels, *predictions, scores)).encode()
    )


def _predictions_digest(predictions: Predictions) -> str:
    predicted = b"" if predictions.predicted is None else predictions.predicted.tobytes()
    return digest_of_bytes(predictions.values.tobytes() + predicted)
