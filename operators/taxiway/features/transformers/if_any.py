"""A transformer for features of which there may be none.

This module imports scikit-learn, because a saved model names its class; import it inside of functions.
"""

from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin, clone  # noqa: TID253 the bases of a class that skops looks up by its name


class IfAny(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Applies a transformer, which by itself refuses an array without columns, if there are columns.

    Args:
        transformer: The unfitted transformer.

    Attributes:
        transformer_: The fitted transformer; None if there was no column.
    """

    def __init__(self, transformer: Any = None) -> None:
        self.transformer = transformer

    def fit(self, matrix: Any, y: Any = None) -> "IfAny":
        """Fit the transformer.

        Args:
            matrix: The features (rows, columns); there may be no column.
            y: The labels, which the transformer gets.
        """
        self.transformer_ = clone(self.transformer).fit(matrix, y) if matrix.shape[1] else None
        return self

    def transform(self, matrix: Any) -> Any:
        """The transformed features (rows, columns); the matrix itself if there was no column."""
        return matrix if self.transformer_ is None else self.transformer_.transform(matrix)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names of the transformer's features."""
        return input_features if self.transformer_ is None else self.transformer_.get_feature_names_out(input_features)
