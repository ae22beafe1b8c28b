"""The compiled form of a model predicts as the model does, bit for bit, or is not used."""

import json
import random
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline

from helping import examples
from taxiway.errors import DataError
from taxiway.features import raw_frame
from taxiway.features.build import build_transform
from taxiway.features.columns import FeatureColumns
from taxiway.features.signature import ModelColumns
from taxiway.models import predictor as predictors
from taxiway.models.fast_trees import fast_trees
from taxiway.models.predictor import Predictor, compiled_predictor, predictor_of
from taxiway.models.row_model import RowModel

NUMBERS, CATEGORIES, MANY, DATES = ("x", "y"), ("kind", "code"), ("place",), ("at",)
TYPES = {"x": "number", "y": "integer", "kind": "string", "code": "integer", "place": "string", "at": "datetime"}
ESTIMATORS = {
    "trees": (HistGradientBoostingClassifier(max_iter=8), True),
    "three classes": (HistGradientBoostingClassifier(max_iter=8), True),
    "poisson": (HistGradientBoostingRegressor(max_iter=8, loss="poisson"), True),
    "regression": (HistGradientBoostingRegressor(max_iter=8), True),
    "linear": (LogisticRegression(max_iter=300), False),
    "ridge": (Ridge(), False),
    "forest": (RandomForestClassifier(10, random_state=0), False),
}


class Loaded:
    """A pyfunc model as far as the predictor needs it."""

    def __init__(self, model: RowModel) -> None:
        self._model = model

    def get_raw_model(self) -> RowModel:
        return self._model


def rows(count: int = 800, gaps: float = 0.1) -> dict[str, list[Any]]:
    chance = random.Random(3)
    cells = {
        "x": [chance.gauss(0, 10) for _ in range(count)],
        "y": [chance.randrange(100) for _ in range(count)],
        "kind": [chance.choice(["a", "b", "rare", ""]) for _ in range(count)],
        "code": [chance.randrange(5) for _ in range(count)],
        "place": [f"p{chance.randrange(30)}" for _ in range(count)],
        "at": [
            f"2013-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}T{chance.randrange(24):02}:00:00"
            for _ in range(count)
        ],
    }
    return {name: [None if chance.random() < gaps else cell for cell in values] for name, values in cells.items()}


def fitted(kind: str, gaps: float = 0.1, **options: Any) -> Loaded:
    estimator, accepts_missing = ESTIMATORS[kind]
    cells = rows(gaps=gaps)
    numeric, categorical = NUMBERS + DATES, CATEGORIES + MANY
    frame = raw_frame(cells, numeric, categorical, TYPES)
    columns = FeatureColumns(NUMBERS, categorical, (), DATES)
    label = frame["x"].fillna(0) + (frame["kind"] == "a") * 10 + frame["place"].isin(["p1", "p2", "p3"]) * 9
    classes = ("False", "True") if hasattr(estimator, "predict_proba") else ()
    target = label > 5 if classes else label
    if kind == "three classes":
        classes, target = ("0", "1", "2"), np.digitize(label, [0, 10])
    elif kind == "poisson":
        target = label.abs()
    options = {
        "accepts_missing": accepts_missing,
        "types": TYPES,
        "many_valued": MANY if len(classes) < 3 else (),
        "classes": classes,
        **options,
    }
    model = make_pipeline(build_transform(columns, **options), estimator).fit(frame, target)
    return Loaded(RowModel.of(model, ModelColumns(numeric, categorical, TYPES, numeric + categorical), classes))


@pytest.fixture(scope="module", params=[*ESTIMATORS, "trees without gaps"])
def model(request: pytest.FixtureRequest) -> Loaded:
    return fitted(request.param.removesuffix(" without gaps"), gaps=0.0 if "without" in request.param else 0.1)


@pytest.fixture(scope="module")
def compiled(model: Loaded) -> Predictor:
    return compiled_predictor(model, None)


def answered(predictor: Predictor, cells: dict[str, list[Any]]) -> tuple[Any, ...]:
    try:
        found = np.asarray(predictor.predict(cells))
    except DataError as error:
        return ("error", str(error))
    return found.shape, found.dtype, found.tobytes()


CELLS = {
    "x": st.floats(allow_nan=False) | st.integers() | st.sampled_from(["1.5", "x", True, -0.0]),
    "y": st.integers(-5, 200) | st.floats(),
    "kind": st.sampled_from(["a", "b", "rare", "", "new", 1, "\x00"]),
    "code": st.integers(-1, 6) | st.sampled_from(["3", 3.0, 2.5]),
    "place": st.sampled_from(["p1", "p2", "p31"]) | st.text(max_size=2),
    "at": st.sampled_from(["2013-06-01", "1650-02-03T04:05:06", "2013-02-29", "2400-12-31T23:59:59.999999", 7]),
}


@examples(60)
@given(
    sent=st.lists(st.fixed_dictionaries({name: st.none() | cells for name, cells in CELLS.items()}), min_size=1, max_size=20)
)
def test_the_compiled_form_predicts_and_refuses_as_the_model(
    model: Loaded, compiled: Predictor, sent: list[dict[str, Any]]
) -> None:
    assert compiled.plan == "compiled"
    cells = {name: [row[name] for row in sent] for name in CELLS}
    assert answered(compiled, cells) == answered(predictor_of(model), cells)


def test_a_compiled_form_with_other_predictions_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted("linear")
    features = predictors.predict_features
    monkeypatch.setattr(predictors, "predict_features", lambda predict, matrix: features(predict, matrix * (1 + 1e-12)))
    found = compiled_predictor(model, None)
    assert found.plan == "original: its compiled form has other predictions"
    monkeypatch.undo()
    cells = rows(40)
    assert answered(found, cells) == answered(predictor_of(model), cells)


def test_what_cannot_be_compiled_is_served_as_it_was_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = fitted("linear", sparse=True, max_categories=255)
    assert sparse.get_raw_model().estimator[0].sparse_output_
    assert compiled_predictor(sparse, None).plan == "original: its transform is of another kind, or has sparse features"
    longer = fitted("ridge")
    longer.get_raw_model().estimator = Pipeline([("one", longer.get_raw_model().estimator)])
    assert compiled_predictor(longer, None).plan == "original: it is not a transform and an estimator"

    def broken(*_: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr("taxiway.features.fast_transform._numeric_step", broken)
    plan = compiled_predictor(fitted("ridge"), None).plan
    assert re.fullmatch(
        r"original: RuntimeError in broken \(test_predictor\.py:\d+\) while it was compiled or tried on the example rows", plan
    )


@pytest.mark.parametrize("kind", ["trees", "three classes", "poisson"])
@pytest.mark.parametrize("count", [1, 512, 513])
def test_trees_are_added_up_in_the_order_of_scikit_learn(kind: str, count: int) -> None:
    pytest.importorskip("treelite")
    pipeline = fitted(kind).get_raw_model().estimator
    features = np.random.default_rng(5).normal(
        0, 50, (count, pipeline[0].transform(raw_frame(rows(1), NUMBERS + DATES, CATEGORIES + MANY, TYPES)).shape[1])
    )
    predict = fast_trees(pipeline[-1])
    assert predict is not None
    original = getattr(pipeline[-1], "predict_proba", pipeline[-1].predict)
    assert predict(features).tobytes() == original(features).tobytes()


def test_values_of_the_example_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    same = predictors._same
    monkeypatch.setattr(predictors, "_same", lambda first, second, cells: seen.append(cells) or same(first, second, cells))
    example = pd.DataFrame({"x": [123.456], "kind": ["of the example"]})
    assert compiled_predictor(fitted("trees"), example).plan == "compiled"
    assert 123.456 in seen[0]["x"]
    assert "of the example" in seen[0]["kind"]
    assert {len(values) for values in seen[0].values()} == {256}
    assert json.loads(json.dumps(seen[0]["place"])).count("p7"), "known categories"
