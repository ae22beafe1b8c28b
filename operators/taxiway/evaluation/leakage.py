"""Find columns that alone nearly determine the label, and may leak it.

A column that is only known after the label, or was made from it, is the most frequent kind of leakage (Kaufman, Rosset, Perlich and
Stitelman, "Leakage in Data Mining: Formulation, Detection, and Avoidance", ACM TKDD 6(4), 2012). Each column is scored as if it were a
model: by the order of its values, which for two classes is the Mann-Whitney statistic (Hanley and McNeil 1982), and for numbers
Spearman's correlation; by the mean label of each of its values in other rows (target means, Micci-Barreca 2001, out of fold so that
a column that is unique for every row tells nothing); and by which rows lack a value.
"""

from typing import TYPE_CHECKING, Any, Literal

from taxiway.records import ColumnAlone, MetricResult
from taxiway.spec.metrics import Problem
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Kind = Literal["missing", "order", "values"]

SUSPECT = {"roc_auc": 0.95, "r2": 0.81}
"""The score at or above which a column alone is reported; an R² of 0.81 is a correlation of 0.9."""
CERTAIN = 0.999
"""The score at or above which a column practically determines the label."""
_ALMOST_PERFECT = 0.99
_PERFECT_AT_1 = ("average_precision", "r2", "roc_auc")
_ROWS = 20_000
_LEAST = 20
_MAX_CLASSES = 20
_FOLDS = 5


def is_almost_perfect(result: MetricResult) -> bool:
    """Whether a model is too good to be true by this metric."""
    return result.metric.partition("(")[0] in _PERFECT_AT_1 and result.candidate.value >= _ALMOST_PERFECT


def columns_alone(frame: "pd.DataFrame", labels: "Floats", problem: Problem) -> tuple[ColumnAlone, ...]:
    """The columns whose score alone is suspiciously good, the best first.

    Args:
        frame: The columns, as floats with NaN or as values with None. Of more than 20,000 rows a sample is looked at.
        labels: The label of each row: the position of its class, or a number.
        problem: Classification or regression; scores are ROC AUC or R², of ranks where the order is scored. With more than two
            classes, it is the mean of the ROC AUC of each class that has enough rows against all others.

    Returns:
        One entry for each column, with its best score; empty if there are too few rows of each class to tell.
    """
    import numpy as np

    if len(labels) > _ROWS:
        chosen = np.sort(np.random.default_rng(SEED).choice(len(labels), _ROWS, replace=False))
        frame, labels = frame.iloc[chosen], labels[chosen]
    classes = problem == "classification"
    metric, scores = "roc_auc" if classes else "r2", _scores(frame, labels, classes=classes)
    if not scores:
        return ()
    found = []
    for column in frame.columns:
        by, value = max(((by, of[column]) for by, of in scores.items() if column in of), key=lambda item: round(item[1], 3))
        if value >= SUSPECT[metric]:
            found.append(ColumnAlone(column=str(column), metric=metric, value=value, by=by))
    return tuple(sorted(found, key=lambda alone: -alone.value))


def _scores(frame: "pd.DataFrame", labels: "Floats", *, classes: bool) -> "dict[Kind, dict[Any, float]]":
    """The score of each column by each kind; empty if there are too few rows."""
    import numpy as np

    if not classes:
        return {} if len(labels) < _LEAST or labels.min() == labels.max() else _scores_of(frame, labels, classes=False)
    present, counts = np.unique(labels, return_counts=True)
    enough = [one for one, rows in zip(present, counts, strict=True) if _LEAST <= rows <= len(labels) - _LEAST]
    if len(present) == 2:
        enough = enough[1:]  # the other class has the same scores
    each = [_scores_of(frame, (labels == one).astype(float), classes=True) for one in enough[:_MAX_CLASSES]]
    return {kind: _means([scores[kind] for scores in each]) for kind in (each[0] if each else ())}


def _means(scores: list[dict[Any, float]]) -> dict[Any, float]:
    """The mean score of each column that all have."""
    return {column: sum(each[column] for each in scores) / len(scores) for column in set.intersection(*map(set, scores))}


def _scores_of(frame: "pd.DataFrame", labels: "Floats", *, classes: bool) -> "dict[Kind, dict[Any, float]]":
    return {
        "missing": _by_missing(frame, labels, classes=classes),
        "order": _by_order(frame, labels, classes=classes),
        "values": _by_values(frame, labels, classes=classes),
    }


def _by_missing(frame: "pd.DataFrame", labels: "Floats", *, classes: bool) -> dict[Any, float]:
    missing = frame.isna().to_numpy(dtype=float)
    if classes:
        gap = missing[labels > 0].mean(axis=0) - missing[labels <= 0].mean(axis=0)
        return dict(zip(frame.columns, 0.5 + abs(gap) / 2, strict=True))
    return dict(zip(frame.columns, _squared_correlations(missing, labels), strict=True))


def _by_order(frame: "pd.DataFrame", labels: "Floats", *, classes: bool) -> dict[Any, float]:
    """Of numeric columns, over the rows with a value."""
    import numpy as np
    import pandas as pd

    numbers = frame.select_dtypes("number")
    ranks = numbers.rank()
    present = ranks.notna().to_numpy()
    if not classes:
        # Ranks of the label among all rows: a constant shift apart, those among the rows with a value.
        order, scores = pd.Series(labels).rank().to_numpy(), {}
        for index, column in enumerate(numbers.columns):
            rows = present[:, index]
            if rows.sum() >= _LEAST:
                scores[column] = float(_squared_correlations(ranks.to_numpy()[rows, index : index + 1], order[rows])[0])
        return scores
    positive, negative = present[labels > 0].sum(axis=0), present[labels <= 0].sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        sums = np.nansum(ranks.to_numpy()[labels > 0], axis=0)
        areas = (sums - positive * (positive + 1) / 2) / (positive * negative)
    has_enough_rows = (positive >= _LEAST) & (negative >= _LEAST)
    return {
        column: float(max(area, 1 - area))
        for column, area, enough in zip(numbers.columns, areas, has_enough_rows, strict=True)
        if enough
    }


def _by_values(frame: "pd.DataFrame", labels: "Floats", *, classes: bool) -> dict[Any, float]:
    """Of all columns with values that repeat; rows without a value are one more value."""
    import numpy as np
    import pandas as pd

    folds = np.random.default_rng(SEED).integers(0, _FOLDS, len(labels))
    scores = {}
    for column in frame.columns:
        codes, values = pd.factorize(frame[column], use_na_sentinel=False)
        if not 1 < len(values) <= len(labels) / 2:
            continue
        means = _means_of_others(codes, folds, labels, len(values))
        scores[column] = _area(means, labels) if classes else _explained_variance(means, labels)
    return scores


def _means_of_others(codes: "NDArray[np.intp]", folds: "NDArray[np.int64]", labels: "Floats", count: int) -> "Floats":
    """For each row, the mean label of the rows of other folds with the same value; of all rows if there are none."""
    import numpy as np

    groups = codes * _FOLDS + folds
    sums = np.bincount(groups, labels, count * _FOLDS).reshape(count, _FOLDS)
    rows = np.bincount(groups, minlength=count * _FOLDS).reshape(count, _FOLDS)
    others = rows.sum(axis=1, keepdims=True) - rows
    means = np.full(rows.shape, labels.mean())
    np.divide(sums.sum(axis=1, keepdims=True) - sums, others, out=means, where=others > 0)
    found: Floats = means[codes, folds]
    return found


def _area(scores: "Floats", labels: "Floats") -> float:
    import pandas as pd

    ranks, positive = pd.Series(scores).rank().to_numpy(), labels > 0
    hits, misses = positive.sum(), (~positive).sum()
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def _explained_variance(means: "Floats", labels: "Floats") -> float:
    return float(1 - ((labels - means) ** 2).sum() / ((labels - labels.mean()) ** 2).sum())


def _squared_correlations(columns: "Floats", labels: "Floats") -> "Floats":
    """The squared correlation of each column with the labels; 0 for a constant."""
    import numpy as np

    centered_columns, centered_labels = columns - columns.mean(axis=0), labels - labels.mean()
    spread = (centered_columns**2).sum(axis=0) * (centered_labels**2).sum()
    found: Floats = np.divide(
        (centered_columns * centered_labels[:, None]).sum(axis=0) ** 2,
        spread,
        out=np.zeros(centered_columns.shape[1]),
        where=spread > 0,
    )
    return found
