"""The team's own model: a regression on products of pairs of columns."""

from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures


def build_model(params: dict[str, Any]) -> Pipeline:
    """Return an unfitted estimator; parameters of the run override those of the sweep, which override those of the file."""
    return make_pipeline(PolynomialFeatures(degree=2, include_bias=False), LogisticRegression(**params))
