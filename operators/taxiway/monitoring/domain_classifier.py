"""Drift of several columns together: whether a classifier distinguishes the rows of a window from reference rows.

It finds changed relations between columns, each of which is distributed as before. The rows are split at random into five parts. A
classifier is trained on the first part and scores the second, another is trained on the first two and scores the third, and so on. If both
samples are from one distribution, then whatever was learned before, the ranks of the window's rows among those of a part are random, so
the Mann-Whitney statistics of the parts are independent, and their variances add up. With cross-validation, they would not be: each part
would be scored by what was learned from the others, and the statistics would have a larger variance than the sum.

The first split of a tree does not see the relation of two columns, and among many columns, few trees split by both. So a classifier also
gets the products of the pairs whose correlation differs most between the samples, among the rows that it is trained on.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from taxiway.monitoring.drift import COLUMN_FALSE_ALERTS, COMPARISON_FALSE_ALERTS
from taxiway.records import Record
from taxiway.records.digests import digest_of_bytes
from taxiway.stats.seed import SEED
from taxiway.store import StageKey, Store, keep, made_before

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_log = logging.getLogger(__name__)
JOINT_FALSE_ALERTS = COMPARISON_FALSE_ALERTS - COLUMN_FALSE_ALERTS
"""The probability of a false report of a domain shift in a comparison, for rows without a change."""
_MAX_ROWS = 5000
FEWEST_ROWS = 100
"""The smallest number of rows of each sample."""
_PARTS = 5
_MAX_CATEGORIES = 30
_PAIRS = 10
_TOP = 3
_RULE = 1
"""The version of the test; it grows when the test finds something else for the same rows."""
_PACKAGES = ("numpy", "scipy", "scikit-learn")
_SMALLEST_IMPORTANCE = 0.01
"""A column is named if the area decreases by this much without it, which noise rarely causes."""


class DomainShift(Record):
    """How well a classifier distinguishes the rows of a window from reference rows.

    Attributes:
        auc: The area under the ROC curve, on average over the parts that were scored: 0.5 for rows of one distribution.
        p_value: The probability of an area as large without a change.
        columns: The columns that matter most, at most three: the area decreases the most if their values are shuffled. None with a
            p-value above `JOINT_FALSE_ALERTS`.
    """

    auc: float
    p_value: float
    columns: tuple[str, ...]

    @property
    def distance(self) -> float:
        """2 AUC - 1: for a classifier with two answers, the change of their shares, from 0 to 1."""
        return max(0.0, 2 * self.auc - 1)


def sample(rows: int) -> "NDArray[np.int64]":
    """The positions of at most 5,000 rows, at random with a fixed seed: a classifier of more rows takes longer than it is worth."""
    import numpy as np

    return np.random.default_rng(SEED).permutation(rows)[:_MAX_ROWS]


@dataclass(frozen=True)
class CodedSamples:
    """Two samples as a classifier gets them.

    Attributes:
        values: The rows, first those of the reference: numbers, NaN for missing values (n, columns).
        before: How many rows are of the reference.
        names: The names of the columns.
        categorical: Which columns are categories.
    """

    values: "Floats"
    before: int
    names: tuple[str, ...]
    categorical: tuple[bool, ...]

    @property
    def digest(self) -> str:
        """The digest of all that the test depends on."""
        about = json.dumps([self.values.shape, self.before, self.names, self.categorical])
        return digest_of_bytes(about.encode() + self.values.tobytes())


def kept_domain_shift(before: "pd.DataFrame", after: "pd.DataFrame", store: Store) -> DomainShift | None:
    """As `domain_shift`; the result for the same rows is kept in the store, because it takes most of the time of a monitoring run.

    A store that cannot be written to, such as that of an analyst who may only read, only costs this time.
    """
    samples = coded_samples(before, after)
    if samples is None:
        return None
    key = StageKey("domain_shift", {"samples": samples.digest}, {"rule": _RULE}, packages=_PACKAGES)
    known = made_before(store, key, DomainShift)
    if known is not None:
        return known
    shift = _shift_of(samples)
    try:
        keep(store, key, shift)
    except OSError as error:
        _log.warning("the drift of several columns is not kept for the next run: %s: %s", type(error).__name__, error)
    return shift


def domain_shift(before: "pd.DataFrame", after: "pd.DataFrame") -> DomainShift | None:
    """Train classifiers to distinguish two samples, and test their scores.

    Args:
        before: The reference rows, as from `raw_frame`: columns of float64 are numbers, all others categories. Of columns with more
            than 30 categories, the rarer ones count as one.
        after: The rows of the window, with the same columns.

    Returns:
        None if a sample has fewer than 100 rows.
    """
    samples = coded_samples(before, after)
    return _shift_of(samples) if samples is not None else None


def coded_samples(before: "pd.DataFrame", after: "pd.DataFrame") -> CodedSamples | None:
    """The samples as a classifier gets them; the arguments are those of `domain_shift`."""
    import pandas as pd

    if min(len(before), len(after)) < FEWEST_ROWS or not before.shape[1]:
        return None
    values, categorical = _coded(pd.concat([before, after], ignore_index=True))
    return CodedSamples(values, len(before), tuple(map(str, before.columns)), tuple(categorical))


def _shift_of(samples: CodedSamples) -> DomainShift:
    import numpy as np
    import sklearn.ensemble  # noqa: F401 (a limit holds for libraries that are loaded)
    from threadpoolctl import threadpool_limits

    rng, rows = np.random.default_rng(SEED), len(samples.values)
    labels = np.repeat([0, 1], [samples.before, rows - samples.before])
    order = rng.permutation(rows)
    # With few rows, more threads cost more than they gain, and much more if other processes use the cores.
    with threadpool_limits(1, user_api="openmp"):
        return _measured_shift(samples.values[order], labels[order], list(samples.categorical), samples.names, rng)


def _measured_shift(
    values: "Floats", labels: "NDArray[np.int64]", categorical: list[bool], names: Sequence[str], rng: "np.random.Generator"
) -> DomainShift:
    import numpy as np
    from scipy.stats import norm

    ends = np.linspace(0, len(labels), _PARTS + 1).astype(int)
    areas, excess, variance = [], 0.0, 0.0
    for start, end in pairwise(ends[1:]):
        classifier = _Classifier(values[:start], labels[:start], categorical)
        part, of_part = values[start:end], labels[start:end]
        area, part_excess, part_variance = mann_whitney(classifier.scores(part), of_part)
        areas.append(area)
        excess, variance = excess + part_excess, variance + part_variance
    p_value = float(norm.sf(excess / np.sqrt(variance))) if variance > 0 else 1.0
    columns = _most_important(classifier, part, of_part, names, rng) if p_value <= JOINT_FALSE_ALERTS else ()
    return DomainShift(auc=float(np.mean(areas)), p_value=p_value, columns=columns)


class _Classifier:
    """Trees on columns and on products of pairs of columns.

    Args:
        values: The rows, from `_coded`.
        labels: 0 for reference rows, 1 for those of the window.
        categorical: Which columns are categories.
    """

    def __init__(self, values: "Floats", labels: "NDArray[np.int64]", categorical: list[bool]) -> None:
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingClassifier

        self._centers = np.array(
            [column[~np.isnan(column)].mean() if not np.isnan(column).all() else 0.0 for column in values.T]
        )
        self._pairs = self._changed_pairs(values, labels)
        self._known = ~np.isnan(self._features(values)).all(axis=0)
        self._trees = HistGradientBoostingClassifier(
            max_iter=40,
            max_leaf_nodes=16,
            max_bins=64,
            categorical_features=[*categorical, *(False for _ in self._pairs)],
            early_stopping=False,
            random_state=SEED,
        ).fit(self._filled(values), labels)

    def scores(self, values: "Floats") -> "Floats":
        """The scores of rows: the larger, the more likely they are of the window."""
        found: Floats = self._trees.decision_function(self._filled(values))
        return found

    def _filled(self, values: "Floats") -> "Floats":
        """The features; 0 for those without a value in the training rows, which scikit-learn refuses."""
        import numpy as np

        return np.where(self._known, self._features(values), 0.0)

    def _features(self, values: "Floats") -> "Floats":
        import numpy as np

        left, right = self._pairs.T
        return np.hstack([values, (values[:, left] - self._centers[left]) * (values[:, right] - self._centers[right])])

    def _changed_pairs(self, values: "Floats", labels: "NDArray[np.int64]") -> "NDArray[np.int64]":
        """The pairs of columns whose correlation differs most between the samples (pairs, 2); a missing value counts as the mean."""
        import numpy as np

        centered = np.nan_to_num(values - self._centers)
        scaled = centered / np.maximum(np.sqrt((centered**2).mean(axis=0)), 1e-300)
        moments = [scaled[labels == label].T @ scaled[labels == label] / max((labels == label).sum(), 1) for label in (0, 1)]
        changes = np.triu(np.abs(moments[1] - moments[0]), k=1)
        largest = np.argsort(-changes, axis=None, kind="stable")[: min(_PAIRS, len(changes) * (len(changes) - 1) // 2)]
        return np.stack(np.unravel_index(largest, changes.shape), axis=1)


def mann_whitney(scores: "Floats", labels: "NDArray[np.int64]") -> tuple[float, float, float]:
    """The area under the ROC curve, and the statistic U of Mann and Whitney (1947).

    Args:
        scores: The scores of the rows.
        labels: 0 or 1.

    Returns:
        The area; U minus its expectation if the labels are random; and the variance of U then, given the ties.
    """
    import numpy as np
    from scipy.stats import rankdata

    rows, ones = len(labels), int(labels.sum())
    pairs = ones * (rows - ones)
    if not pairs:
        return 0.5, 0.0, 0.0
    excess = rankdata(scores)[labels == 1].sum() - ones * (rows + 1) / 2
    ties = np.unique(scores, return_counts=True)[1].astype(float)
    variance = pairs / 12 * (rows + 1 - (ties**3 - ties).sum() / (rows * (rows - 1)))
    return float(excess / pairs + 0.5), float(excess), float(variance)


def _most_important(
    classifier: _Classifier, values: "Floats", labels: "NDArray[np.int64]", names: Sequence[str], rng: "np.random.Generator"
) -> tuple[str, ...]:
    area = mann_whitney(classifier.scores(values), labels)[0]
    losses = {}
    for at, name in enumerate(names):
        shuffled = values.copy()
        shuffled[:, at] = rng.permutation(shuffled[:, at])
        losses[name] = area - mann_whitney(classifier.scores(shuffled), labels)[0]
    most = sorted(losses, key=lambda name: -losses[name])[:_TOP]
    return tuple(name for name in most if losses[name] >= _SMALLEST_IMPORTANCE)


def _coded(rows: "pd.DataFrame") -> "tuple[Floats, list[bool]]":
    """The rows as numbers, NaN for missing values, and which columns are categories; the most frequent ones have a code of their own."""
    import numpy as np
    import pandas as pd

    values = np.empty(rows.shape)
    categorical = [rows[name].dtype != "float64" for name in rows.columns]
    for at, (name, is_category) in enumerate(zip(rows.columns, categorical, strict=True)):
        if not is_category:
            values[:, at] = rows[name]
            continue
        codes, _ = pd.factorize(rows[name].astype("object"))
        counts = np.bincount(codes + 1)[1:]
        ranks = np.empty(len(counts) + 1)
        ranks[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        ranks[-1] = np.nan  # missing
        values[:, at] = np.minimum(ranks[codes], _MAX_CATEGORIES)
    return values, categorical
