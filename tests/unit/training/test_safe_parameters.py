"""Parameters that make a trusted estimator read files, write caches or call code are found, wherever in a model they are."""

import functools
import inspect
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, StackingClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import all_estimators
from sklearn.utils._param_validation import HasMethods, StrOptions, make_constraint

from taxiway.models.row_model import RowModel
from taxiway.training.safe_parameters import unsafe_parameters

FILES = CountVectorizer(input="filename", analyzer="char")


def _defaults() -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _, kind in all_estimators():
            needed = [
                p
                for p in inspect.signature(kind).parameters.values()
                if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
            ]
            yield kind(*[LogisticRegression()] * len(needed))


ESTIMATORS = list(_defaults())


@pytest.mark.parametrize(
    ("model", "found"),
    [
        (FILES, "CountVectorizer.input"),
        (TfidfVectorizer(input="file"), "TfidfVectorizer.input"),
        (HashingVectorizer(input=np.str_("filename")), "HashingVectorizer.input"),
        (make_pipeline(ColumnTransformer([("t", FILES, "x")]), LinearRegression()), "CountVectorizer.input"),
        (FeatureUnion([("a", make_pipeline(FILES))]), "CountVectorizer.input"),
        (StackingClassifier([("a", make_pipeline(FILES, LogisticRegression()))]), "CountVectorizer.input"),
        (Pipeline([("m", LogisticRegression())], memory="/var/cache"), "Pipeline.memory"),
        (TransformedTargetRegressor(Pipeline([("m", LinearRegression())], memory="cache")), "Pipeline.memory"),
        (GridSearchCV(LogisticRegression(), {}, pre_dispatch="__import__('os').getpid()"), "GridSearchCV.pre_dispatch"),
        (FunctionTransformer(os.listdir), "FunctionTransformer.func"),
        (FunctionTransformer(functools.partial(np.fromfile, dtype="u1")), "FunctionTransformer.func"),
        (FunctionTransformer(np.log1p, inverse_func=np.load), "FunctionTransformer.inverse_func"),
        (LogisticRegression(solver="/bin/sh"), "LogisticRegression.solver"),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_a_parameter_that_is_not_harmless_is_found(model: Any, found: str) -> None:
    assert [problem.split(" is ")[0] for problem in unsafe_parameters(model)] == [found]


def test_a_parameter_of_a_fitted_part_is_found() -> None:
    model = make_pipeline(RandomForestClassifier(n_estimators=2)).fit(np.eye(4), [0, 1, 0, 1])
    assert unsafe_parameters(model) == []
    model[0].estimators_[1].__dict__["hidden"] = np.array([{"deep": (FILES,)}], dtype=object)
    assert unsafe_parameters(model) == ['CountVectorizer.input is "filename"; allowed: "content"']


def test_no_method_of_another_object_can_be_called() -> None:
    """Stacking calls the methods that it names of its members: those of an array can write files."""
    rows, labels = np.arange(8.0).reshape(4, 2), [0, 1, 0, 1]
    model = StackingClassifier([("a", LogisticRegression())], cv=2).fit(rows, labels)
    assert unsafe_parameters(model) == []
    model.__dict__["estimators_"] = [np.array([b"written"])]
    assert unsafe_parameters(model) == ["StackingClassifier.estimators_ has a ndarray; allowed: estimators of scikit-learn"]
    model.__dict__["estimators_"], model.__dict__["stack_method_"] = [LogisticRegression()], ["tofile"]
    assert [problem.split(";")[0] for problem in unsafe_parameters(model)] == ['StackingClassifier.stack_method_ is "tofile"']
    assert unsafe_parameters(RowModel(LogisticRegression(), ["a"], [], {"a": "number"}, ["a"], ["no", "yes"])) == []
    assert unsafe_parameters(RowModel(np.array([b"written"]))) == [
        "RowModel.estimator has a ndarray; allowed: estimators of scikit-learn"
    ]
    assert unsafe_parameters(RowModel(make_pipeline(FILES))) == ['CountVectorizer.input is "filename"; allowed: "content"']
    assert unsafe_parameters(FunctionTransformer(str))
    assert unsafe_parameters(make_pipeline(FunctionTransformer(func=dict)))


@pytest.mark.parametrize("missing", ["?", "", np.nan, None, -1])
def test_any_mark_of_a_missing_value_is_harmless(missing: Any) -> None:
    assert unsafe_parameters(SimpleImputer(missing_values=missing)) == []


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(loss="log_loss", scoring="roc_auc", early_stopping=True),
        make_pipeline(
            FunctionTransformer(np.log1p, inverse_func=np.expm1), LogisticRegression(penalty="l1", solver="liblinear")
        ),
        TfidfVectorizer(encoding="latin-1", token_pattern=r"\w+", stop_words="english", strip_accents="unicode"),
        GridSearchCV(LogisticRegression(), {"C": [1, 2]}, scoring="roc_auc", refit="roc_auc"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_parameters_that_people_use_are_harmless(model: Any) -> None:
    assert unsafe_parameters(model) == []


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_every_estimator_of_scikit_learn_is_harmless_as_it_is_and_takes_no_path_function_or_cache(estimator: Any) -> None:
    assert unsafe_parameters(estimator) == []
    for name, parameter, value in _dangers(type(estimator)):
        before = estimator.__dict__[name]
        estimator.__dict__[name] = value
        assert unsafe_parameters(estimator), f"{parameter} takes {value!r}"
        estimator.__dict__[name] = before


def _dangers(kind: type) -> Iterator[tuple[str, str, Any]]:
    """Values that the class accepts by its own rules, and that reach beyond the rows: paths, functions, caches and file names."""
    for name in inspect.signature(kind).parameters:
        rules = getattr(kind, "_parameter_constraints", {}).get(name, ())
        for rule in [] if isinstance(rules, str) else map(make_constraint, rules):
            if rule.is_satisfied_by(os.system):
                yield name, f"{kind.__name__}.{name}", os.system
                yield name, f"{kind.__name__}.{name}", functools.partial(os.system, "true")
            if isinstance(rule, HasMethods) and "cache" in rule.methods:
                yield name, f"{kind.__name__}.{name}", "/var/cache"
            if isinstance(rule, StrOptions):
                yield from ((name, f"{kind.__name__}.{name}", option) for option in rule.options if "file" in option)


def test_what_is_tried_on_every_estimator_includes_what_is_known_to_be_dangerous() -> None:
    def tried(kind: type) -> set[str]:
        return {f"{name}={value}" for name, _, value in _dangers(kind) if isinstance(value, str)}

    assert tried(CountVectorizer) == {"input=file", "input=filename"}
    assert tried(Pipeline) == {"memory=/var/cache"}
