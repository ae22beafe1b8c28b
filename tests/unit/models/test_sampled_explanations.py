"""Explanations by sampling: equal to Shapley values by their definition within the stated error, and adding up to the predictions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from models.brute_force import shapley
from models.explained import MODEL, TYPES, Loaded, rows
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from taxiway.errors import ConfigError
from taxiway.features.build import build_transform
from taxiway.features.columns import FeatureColumns
from taxiway.features.encoding import predict_rows, raw_frame
from taxiway.features.signature import ModelColumns
from taxiway.models.background import background_frame
from taxiway.models.explanations import Explanations, explainer_of
from taxiway.models.row_model import RowModel
from taxiway.models.shapley_sampling import PAIRS, sampled_shapley, value_of_columns

NAMES = ("a", "b", "c", "d")
NUMBERS = ModelColumns(NAMES, (), dict.fromkeys(NAMES, "number"), NAMES)
TWO, THREE = ("early", "late"), ("early", "late", "never")


def frame_of_rows(count: int, seed: int) -> pd.DataFrame:
    return raw_frame(rows(count, seed), MODEL.numeric, MODEL.categorical, TYPES)


def saved(frame: pd.DataFrame) -> bytes:
    """Background rows as a model saves them."""
    return json.dumps({name: frame[name].astype("object").where(frame[name].notna(), None).tolist() for name in frame}).encode()


def fitted(estimator: Any, classes: tuple[str, ...], *, accepts_missing: bool = False) -> Any:
    rows = frame_of_rows(400, 0)
    number = rows["a"].fillna(0.5) * np.where(rows["c"] == "x", 2, -1) + rows["b"] * (rows["d"] == "k")
    target = np.digitize(number, [-0.5, 0.5] if len(classes) > 2 else [0]) if classes else number
    transform = build_transform(FeatureColumns(("a", "b"), ("c", "d"), (), (), ()), accepts_missing=accepts_missing)
    return make_pipeline(transform, estimator).fit(rows, target)


def cells(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return json.loads(saved(frame))


MODELS = {
    "naive Bayes": (GaussianNB(), TWO, False),
    "naive Bayes of three": (GaussianNB(), THREE, False),
    "neighbours": (KNeighborsRegressor(5), (), False),
    "calibrated": (CalibratedClassifierCV(GaussianNB(), cv=3), TWO, False),
    "boosting with categories": (HistGradientBoostingClassifier(max_iter=5, categorical_features=[2, 3]), TWO, True),
}


@pytest.mark.parametrize("name", MODELS)
def test_contributions_are_those_of_all_subsets_within_their_error_and_add_up(name: str) -> None:
    estimator, classes, accepts_missing = MODELS[name]
    pipeline, background, some = (
        fitted(estimator, classes, accepts_missing=accepts_missing),
        frame_of_rows(30, 1),
        frame_of_rows(5, 2),
    )
    raw = RowModel.of(pipeline, MODEL, classes, background=saved(background))
    found = explainer_of(Loaded(raw))(cells(some))
    assert (found.method, found.unit) == ("sampling", "probability" if classes else "prediction")
    assert found.sampling is not None
    assert (found.sampling.orders, found.sampling.background_rows) == (2 * PAIRS, 30)
    predictions = predict_rows(raw.predict_frame, some)
    for at, row in enumerate(found.rows):
        output = classes.index(row.of) if classes else 0
        if len(classes) > 2:
            assert output == predictions[at].argmax()

        def value(known: set[int], at: int = at, output: int = output) -> float:
            """What the model predicts for the background rows with the known columns of the row."""
            mixed = background.copy()
            for column in known:
                mixed[NAMES[column]] = pd.Series([some[NAMES[column]].iloc[at]] * 30, dtype=mixed[NAMES[column]].dtype)
            return float(np.asarray(raw.predict_frame(mixed)).reshape(30, -1)[:, output].mean())

        exact = shapley(value, 4)
        assert row.standard_errors is not None
        for column, expected in zip(NAMES, exact, strict=True):
            assert abs(row.contributions[column] - expected) <= 4 * row.standard_errors[column] + 1e-9
        total = row.base + sum(row.contributions.values())
        assert row.base == pytest.approx(value(set()), abs=1e-12)
        assert total == pytest.approx(predictions[at][output] if classes else predictions[at], abs=1e-12)


def test_contributions_of_a_linear_model_are_exact_whatever_is_drawn() -> None:
    chance = np.random.default_rng(5)
    rows = pd.DataFrame(chance.normal(size=(200, 4)), columns=list(NAMES))
    model = LinearRegression().fit(rows, rows @ [1.0, -2.0, 0.5, 3.0] + chance.normal(size=200))
    found = sampled_shapley(value_of_columns(model.predict, rows.iloc[[0]], rows.iloc[100:]), 4)
    expected = model.coef_ * (rows.iloc[0] - rows.iloc[100:].mean()).to_numpy()
    assert found.values[:, 0] == pytest.approx(expected, abs=1e-9)
    assert found.errors[:, 0] == pytest.approx(np.zeros(4), abs=1e-9)


def test_the_stated_error_is_that_of_repeated_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a game with interactions of three players; those of two are exact, because the halves of a pair balance each other."""

    def value(teams: np.ndarray) -> np.ndarray:
        return (teams[:, 0] & teams[:, 1] & teams[:, 2] | teams[:, 3])[:, None].astype(float)

    exact = shapley(lambda known: float(value(np.array([[at in known for at in range(4)]]))[0, 0]), 4)
    estimates, errors = [], []
    for seed in range(300):
        monkeypatch.setattr("taxiway.models.shapley_sampling._SEED", seed)
        found = sampled_shapley(value, 4)
        estimates.append(found.values[:, 0])
        errors.append(found.errors[:, 0])
    assert np.mean(estimates, axis=0) == pytest.approx(exact, abs=0.01)
    assert np.std(estimates, axis=0) == pytest.approx(np.sqrt(np.mean(np.square(errors), axis=0)), rel=0.15)


def test_shap_finds_the_same_values() -> None:
    shap = pytest.importorskip("shap")
    chance = np.random.default_rng(6)
    rows = chance.normal(size=(150, 4))
    model = KNeighborsRegressor(7).fit(rows, rows[:, 0] * rows[:, 1] * rows[:, 2] + rows[:, 3])
    background, row = rows[:40], rows[100]
    explainer = shap.explainers.Permutation(model.predict, shap.maskers.Independent(background, max_samples=40), seed=1)
    expected = explainer(row[None], max_evals=9 * 200).values[0]
    frames = [pd.DataFrame(part, columns=list(NAMES)) for part in (row[None], background)]
    found = sampled_shapley(value_of_columns(lambda frame: model.predict(frame.to_numpy()), *frames), 4)
    assert np.all(np.abs(found.values[:, 0] - expected) <= 4 * found.errors[:, 0] + 0.01)


def test_a_row_is_explained_alone_as_among_others() -> None:
    raw = RowModel.of(fitted(GaussianNB(), TWO), MODEL, TWO, background=saved(frame_of_rows(30, 1)))
    explained, some = explainer_of(Loaded(raw)), frame_of_rows(4, 3)
    together = explained(cells(some))
    assert [explained(cells(some.iloc[[at]])).rows[0] for at in range(4)] == list(together.rows)


def test_features_of_several_columns_are_explained() -> None:
    rows = pd.DataFrame(np.random.default_rng(7).normal(size=(100, 4)), columns=list(NAMES))
    components = ColumnTransformer([("components", PCA(2), list(NAMES))])
    pipeline = make_pipeline(components, LinearRegression()).fit(rows, rows["a"] + rows["b"])
    found = explainer_of(Loaded(RowModel.of(pipeline, NUMBERS, background=saved(rows.head(20)))))(cells(rows.tail(2)))
    assert found.method == "sampling"
    for row, predicted in zip(found.rows, pipeline.predict(rows.tail(2)), strict=True):
        assert row.base + sum(row.contributions.values()) == pytest.approx(predicted)


def test_without_background_rows_the_input_example_stands_for_them() -> None:
    raw, example = RowModel.of(fitted(GaussianNB(), TWO), MODEL, TWO), frame_of_rows(3, 4)
    records = [dict(zip(NAMES, row, strict=True)) for row in zip(*cells(example).values(), strict=True)]  # as MLflow returns it
    found: Explanations = explainer_of(Loaded(raw, records))(cells(frame_of_rows(1, 5)))
    assert explainer_of(Loaded(raw, example))(cells(frame_of_rows(1, 5))) == found
    assert found.sampling is not None
    assert found.sampling.background_rows == 3
    answer = json.loads(found.as_json())
    assert {*answer} == {"unit", "rows", "method", "sampling"}
    assert {*answer["rows"][0]} == {"of", "base", "contributions", "standard_errors"}
    shown = json.loads((Path(__file__).parents[3] / "docs/examples/sampled_explanation.json").read_text())["explanations"]
    assert ({*shown}, {*shown["rows"][0]}) == ({*answer}, {*answer["rows"][0]})
    total = shown["rows"][0]["base"] + sum(shown["rows"][0]["contributions"].values())
    assert total == pytest.approx(0.085)
    with pytest.raises(ConfigError, match=r"no rows of its training data are saved with it.*train it again"):
        explainer_of(Loaded(raw, example[["a"]]))


def test_background_rows_are_read_as_they_were_saved() -> None:
    frame = frame_of_rows(50, 8)
    pd.testing.assert_frame_equal(background_frame(saved(frame), MODEL), frame)
