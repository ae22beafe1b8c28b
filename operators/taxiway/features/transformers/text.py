"""Numbers made from free text.

This module imports scikit-learn, because a saved model names its class; import it inside of functions.
"""

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin  # noqa: TID253 the bases of a class that skops looks up by its name

from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_MAX_TERMS = 20_000
_MAX_NUMBERS = 30
_MIN_ROWS = 3
_MAX_ROWS = 0.8
_MIN_WORDS = 3
_SAMPLE = 10_000


class TextVectors(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Turns each column of free text into numbers: at most 30, unless it is given a vectorizer.

    By default, words and pairs of words are weighted by TF-IDF (Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988).
    If there are more than 30, they are reduced by a truncated singular value decomposition, known as latent semantic analysis
    (Deerwester et al., "Indexing by latent semantic analysis", 1990). Terms in fewer than three rows, or in more than 80% of them,
    are left out. A missing text is an empty one.

    Args:
        vectorizer: An unfitted text vectorizer of scikit-learn, whose weights are used as they are; None for the default.

    Attributes:
        vectorizers_: The fitted vectorizer of each column; None for a column without terms.
        reductions_: The fitted decomposition of each column; None for one with at most 30 terms.
        sizes_: How many numbers each column becomes.
    """

    def __init__(self, vectorizer: Any = None) -> None:
        self.vectorizer = vectorizer

    def fit(self, texts: "pd.DataFrame", y: Any = None) -> "TextVectors":  # noqa: ARG002 scikit-learn passes the labels
        """Learn the terms and their weights.

        Args:
            texts: The texts by column, with None for a missing one.
            y: Not used.
        """
        self.vectorizers_: list[Any] = []
        self.reductions_: list[Any] = []
        self.sizes_: list[int] = []
        for name in texts:
            column = _fill_missing(texts[name])
            vectorizer = _fit_vectorizer(column, self.vectorizer)
            weights = None if vectorizer is None else vectorizer.transform(column)
            reduction = _reduction(weights) if self.vectorizer is None else None
            self.vectorizers_.append(vectorizer)
            self.reductions_.append(reduction)
            self.sizes_.append(0 if weights is None else weights.shape[1] if reduction is None else _MAX_NUMBERS)
        return self

    def transform(self, texts: "pd.DataFrame") -> "Floats":
        """The numbers for the texts (rows, numbers)."""
        import numpy as np

        columns = [np.empty((len(texts), 0))]
        for name, vectorizer, reduction in zip(texts, self.vectorizers_, self.reductions_, strict=True):
            if vectorizer is None:
                continue
            weights = vectorizer.transform(_fill_missing(texts[name]))
            columns.append(weights.toarray() if reduction is None else reduction.transform(weights))
        return np.hstack(columns)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names of the numbers: `review=terrible` for a term, `review.1` for a dimension of many terms."""
        import numpy as np

        names: list[str] = []
        for name, vectorizer, reduction, size in zip(
            input_features, self.vectorizers_, self.reductions_, self.sizes_, strict=True
        ):
            if reduction is None and hasattr(vectorizer, "get_feature_names_out"):
                names += [f"{name}={term}" for term in vectorizer.get_feature_names_out()]
            else:
                names += [f"{name}.{at}" for at in range(1, size + 1)]
        return np.array(names, dtype="object")


def is_free_text(values: "pd.Series[Any]", least_distinct: int) -> bool:
    """Whether a column of texts holds free text: many different values, of three words or more on average.

    Args:
        values: The values. Of more than 10,000, evenly spaced ones are looked at.
        least_distinct: Fewer different values are categories, whatever their length.
    """
    known = values.dropna()
    known = known.iloc[:: max(1, len(known) // _SAMPLE)].astype(str)
    if known.nunique() <= least_distinct:
        return False
    return sum(len(text.split()) for text in known) / len(known) >= _MIN_WORDS


def _fit_vectorizer(column: list[str], unfitted: Any) -> Any:
    """The fitted vectorizer of a column; None if no term is left."""
    from sklearn.base import clone
    from sklearn.feature_extraction.text import TfidfVectorizer

    if unfitted is not None:
        return clone(unfitted).fit(column)
    least = min(_MIN_ROWS, max(1, len(column) // _MIN_ROWS))
    try:
        return TfidfVectorizer(
            ngram_range=(1, 2), min_df=least, max_df=_MAX_ROWS, max_features=_MAX_TERMS, sublinear_tf=True
        ).fit(column)
    except ValueError:
        return None


def _reduction(weights: Any) -> Any:
    from sklearn.decomposition import TruncatedSVD

    if weights is None or weights.shape[1] <= _MAX_NUMBERS:
        return None
    return TruncatedSVD(_MAX_NUMBERS, random_state=SEED).fit(weights)


def _fill_missing(column: "pd.Series[Any]") -> list[str]:
    return [text if isinstance(text, str) else "" for text in column]  # scikit-learn may have made NaN of None
