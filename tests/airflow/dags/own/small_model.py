"""The team's own model: pairs of columns matter, so they are multiplied before the regression."""

from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures


def build_model(params: dict[str, Any]) -> Pipeline:
    """An unfitted estimator; `params` are those of the pipeline file, of the sweep and of the run, later ones over earlier."""
    return make_pipeline(PolynomialFeatures(degree=2, include_bias=False), LogisticRegression(**params))
