"""The identity of evaluation rows: digests of rows that do not depend on the label, on the order, or on joined columns."""

import base64
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from taxiway.evaluation.comparison import Comparison
from taxiway.evaluation.predictions import Predictions
from taxiway.records import EvaluationSet
from taxiway.records.digests import digest_of_bytes
from taxiway.spec.gate import Gate

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]

SAMPLE_HASHES = 256
"""The hashes of a set that are kept: with them, of two sets that share a twentieth of their rows, 99.8% are recognized."""
_NOT_RULES = {"budget", "show", "champion_unscorable"}


def evaluation_set(rows: "pd.DataFrame", without: Collection[str]) -> EvaluationSet:
    """Identify evaluation rows.

    Args:
        rows: The rows.
        without: The columns that do not count: the label, which people may correct, and columns of joined tables. If no other column is
            left, all count.
    """
    import numpy as np

    hashes = np.sort(row_hashes(rows[[name for name in rows.columns if name not in without] or list(rows.columns)]))
    different, counts = np.unique(hashes, return_counts=True)
    return EvaluationSet(
        content=digest_of_bytes(hashes.astype(">u8").tobytes()),
        rows=len(hashes),
        different=len(different),
        once=int((counts == 1).sum()),
        sample=base64.b64encode(different[:SAMPLE_HASHES].astype(">u8").tobytes()).decode(),
    )


def row_hashes(rows: "pd.DataFrame") -> "Hashes":
    """A hash of each row, the same for any order and any names of the columns, and for integers and equal floats.

    Args:
        rows: The rows.

    Returns:
        Numbers of 64 bits (rows).
    """
    import numpy as np

    mixed = np.zeros(len(rows), dtype=np.uint64)
    for position in range(rows.shape[1]):
        mixed += _column_hashes(rows.iloc[:, position])
    return mixed


def question_key(content: str, gate: Gate, comparison: Comparison) -> str:
    """The digest of what the model gate's answer depends on.

    The same predictions for the same rows are the same question, whatever the version is called, and however the model was made.

    Args:
        content: The digest of the rows.
        gate: The rules.
        comparison: The labels, and the predictions of both models.
    """
    rules = gate.model_dump_json(exclude=_NOT_RULES)
    champion = "" if comparison.champion is None else _predictions_digest(comparison.champion)
    labels = digest_of_bytes(comparison.labels.tobytes())
    return digest_of_bytes("\n".join((content, rules, labels, _predictions_digest(comparison.candidate), champion)).encode())


def _column_hashes(column: "pd.Series[Any]") -> "Hashes":
    import numpy as np
    import pandas as pd
    from pandas.api import types

    values: NDArray[Any]
    if types.is_datetime64_any_dtype(column.dtype):
        values = column.astype("int64").to_numpy()
    elif types.is_numeric_dtype(column.dtype):  # booleans too
        values = column.to_numpy(dtype="float64", na_value=np.nan) + 0.0  # -0.0 is 0.0
    else:
        values = column.map(str, na_action="ignore").to_numpy(dtype="object", na_value="")
    return pd.util.hash_array(values)


def _predictions_digest(predictions: Predictions) -> str:
    predicted = b"" if predictions.predicted is None else predictions.predicted.tobytes()
    return digest_of_bytes(predictions.values.tobytes() + predicted)
