"""Training by a team's own function: what it gets, what it may return, and what it does wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from onnx import TensorProto, helper, numpy_helper

from taxiway.errors import ConfigError, FitError
from taxiway.features.encoding import predict_rows
from taxiway.models.onnx_model import OnnxModel, content_of
from taxiway.registry.register import check_savable
from taxiway.spec.metrics import Problem
from taxiway.spec.model.section import Model
from taxiway.training.estimator import accepts_missing, build_estimator
from taxiway.training.fit import training_data
from taxiway.training.own.training import require_predictions
from taxiway.training.rows import TrainingRows

CLASSES = ("no", "yes")
ESTIMATOR = "from sklearn.linear_model import LogisticRegression; return LogisticRegression().fit(data.matrix, data.labels)"


def function(folder: Path, body: str, signature: str = "data, params") -> Model:
    (folder / "own.py").write_text(f"import os\nimport numpy as np\n\n\ndef train({signature}):\n    {body}\n")
    return Model(train=f"{folder / 'own.py'}:train", params={"C": 2})


def trained(model: Model, problem: Problem = "classification", previous: Any = None) -> Any:
    rows = TrainingRows.made_up(problem)
    data = training_data(rows, CLASSES if problem == "classification" else (), ("a", "b", "c", "d"))
    own = build_estimator(model, {}, problem)
    assert not accepts_missing(own)
    return own.fit(data, problem, lambda: previous)


def linear(weights: np.ndarray, *, softmax: bool = True, **changes: Any) -> Any:
    nodes = [helper.make_node("MatMul", ["rows", "weights"], ["scores"], domain=changes.get("domain", ""))]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["scores"], ["answers"]))
    initializer = numpy_helper.from_array(weights.astype(np.float32), "weights")
    if changes.get("external"):
        initializer.ClearField("raw_data")
        initializer.data_location = TensorProto.EXTERNAL
        entry = initializer.external_data.add()
        entry.key, entry.value = "location", "weights.bin"  # in the working folder, where the checker finds it
    kind, out = TensorProto.FLOAT, "answers" if softmax else "scores"
    inputs = [helper.make_tensor_value_info("rows", kind, [None, len(weights)])]
    if changes.get("inputs"):
        inputs.append(helper.make_tensor_value_info("more", kind, [None, 1]))
    graph = helper.make_graph(
        nodes, "g", inputs, [helper.make_tensor_value_info(out, kind, [None, weights.shape[1]])], [initializer]
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("evil", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def test_a_function_returns_a_fitted_estimator(tmp_path: Path) -> None:
    made = trained(function(tmp_path, f"assert params == {{'C': 2}}; {ESTIMATOR}"))
    matrix = TrainingRows.made_up("classification").matrix
    loaded = skops.io.loads(skops.io.dumps(made), trusted=check_savable(made))
    assert np.array_equal(loaded.predict_proba(matrix), made.predict_proba(matrix))


def test_a_function_gets_validation_rows_with_each_class_and_never_the_same_twice(tmp_path: Path) -> None:
    rows = TrainingRows.made_up("classification")
    data = training_data(rows, CLASSES, ("a", "b", "c", "d"))
    assert set(data.labels.tolist()) == set(data.validation_labels.tolist()) == {0, 1}
    assert len(data.validation_labels) == 20
    together = np.vstack([data.matrix, data.validation_matrix])
    assert sorted(map(tuple, together)) == sorted(map(tuple, rows.matrix))
    again = training_data(rows, CLASSES, ("a", "b", "c", "d"))
    assert np.array_equal(again.matrix, data.matrix)


def test_a_function_that_wants_it_gets_the_champions_estimator(tmp_path: Path) -> None:
    body = "return data if previous is None else previous"
    with pytest.raises(FitError, match="returned a TrainingData"):
        trained(function(tmp_path, body, "data, params, previous"))
    champion = trained(function(tmp_path, ESTIMATOR))
    assert trained(function(tmp_path, body, "data, params, previous"), previous=champion) is champion


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("os._exit if False else None; raise SystemExit(4)", "own.py:train raised SystemExit: 4"),
        ("return 1 / 0", "own.py:train raised ZeroDivisionError"),
        ("return None", "returned a NoneType; allowed: a fitted estimator"),
        ("return b'not a model'", "the ONNX model is not valid"),
        ("from sklearn.linear_model import Ridge; return Ridge().fit(data.matrix, data.labels)", "returned a Ridge"),
        (
            "from sklearn.linear_model import LogisticRegression; "
            "return LogisticRegression().fit(data.matrix, np.array(['x', 'y'])[data.labels])",
            "an estimator of the classes x, y; required: fitted to data.labels, which are 0, 1 for no, yes",
        ),
    ],
)
def test_what_a_function_does_wrong_is_a_sentence(tmp_path: Path, body: str, words: str) -> None:
    with pytest.raises(FitError, match=words):
        trained(function(tmp_path, body))


def test_a_process_that_a_function_forks_does_not_go_on(tmp_path: Path) -> None:
    """The child comes back from the function, too; only the parent may register a model."""
    mark = tmp_path / "returned"
    trained(function(tmp_path, f"os.fork(); {ESTIMATOR}"))
    with mark.open("a") as file:
        file.write("x")
    assert mark.read_text() == "x"


def test_a_function_cannot_change_the_rows_of_others(tmp_path: Path) -> None:
    before = TrainingRows.made_up("classification").matrix.copy()
    rows = TrainingRows.made_up("classification")
    data = training_data(rows, CLASSES, ("a", "b", "c", "d"))
    data.matrix[:] = np.nan
    assert np.array_equal(rows.matrix, before)


@pytest.mark.parametrize(("softmax", "problem"), [(True, "classification"), (False, "regression")])
def test_an_onnx_model_is_an_estimator_that_is_saved_as_data(tmp_path: Path, softmax: bool, problem: Problem) -> None:
    weights = np.random.default_rng(1).normal(size=(4, 2 if softmax else 1)).astype(np.float32)
    content = content_of(linear(weights, softmax=softmax))
    assert content is not None
    model, matrix = OnnxModel(content), TrainingRows.made_up(problem).matrix
    answer = "predict_proba" if softmax else "predict"
    found = getattr(model, answer)(matrix)
    scores = matrix.astype(np.float32) @ weights
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True) if softmax else scores[:, 0]
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)
    loaded = skops.io.loads(skops.io.dumps(model), trusted=check_savable(model))  # a session is not saved with it
    assert np.array_equal(getattr(loaded, answer)(matrix), found)
    require_predictions(model, matrix, 2 if softmax else 0, "it")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"domain": "evil"}, "has operators of evil"),
        ({"external": True}, "in other files"),
        ({"inputs": True}, "has 2 inputs; allowed: one"),
    ],
)
def test_an_onnx_model_that_reads_files_or_runs_other_code_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(bytes(32))
    with pytest.raises(FitError, match=words):
        content_of(linear(np.ones((4, 2)), **changes))


@pytest.mark.parametrize(
    ("weights", "classes", "words"),
    [
        (np.full((4, 2), np.nan), 2, "predicts NaN or infinity for 200 of 200 training rows"),
        (np.eye(4, 2) * 9, 2, "required: probabilities, which add up to 1"),
        (np.ones((4, 3)), 2, r"an array of the shape \(200, 3\) for 200 rows"),
        (np.ones((5, 2)), 2, "it cannot predict"),
    ],
)
def test_predictions_that_nobody_can_use_are_refused(weights: np.ndarray, classes: int, words: str) -> None:
    content = content_of(linear(weights, softmax=9 not in weights))
    assert content is not None
    with pytest.raises(FitError, match=words):
        require_predictions(OnnxModel(content), TrainingRows.made_up("classification").matrix, classes, "it")


def test_an_operator_of_another_domain_is_refused_inside_a_branch_too() -> None:
    kind = TensorProto.FLOAT
    out = helper.make_tensor_value_info("inner", kind, [None, 2])
    branch = helper.make_graph([helper.make_node("Gelu", ["rows"], ["inner"], domain="com.microsoft")], "b", [], [out])
    other = helper.make_graph([helper.make_node("Identity", ["rows"], ["inner"])], "b", [], [out])
    graph = helper.make_graph(
        [helper.make_node("If", ["yes"], ["answers"], then_branch=branch, else_branch=other)],
        "g",
        [helper.make_tensor_value_info("rows", kind, [None, 2])],
        [helper.make_tensor_value_info("answers", kind, [None, 2])],
        [numpy_helper.from_array(np.array(True), "yes")],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    with pytest.raises(FitError, match=r"has operators of com\.microsoft"):
        content_of(helper.make_model(graph, opset_imports=opsets, ir_version=9))


def test_a_regression_of_a_column_of_numbers_is_refused() -> None:
    from sklearn.linear_model import LinearRegression

    rows = TrainingRows.made_up("regression")
    with pytest.raises(FitError, match=r"an array of the shape \(200, 1\)"):
        require_predictions(LinearRegression().fit(rows.matrix, rows.labels[:, None]), rows.matrix, 0, "it")


@pytest.mark.parametrize("text", ["train = dict", "def train(data):\n    return data"])
def test_a_function_that_cannot_be_called_so_is_refused_at_once(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(ConfigError, match=r"own\.py:train cannot be called with \(data, params\)"):
        build_estimator(Model(train=f"{tmp_path / 'own.py'}:train"), {}, "classification")


def test_the_section_has_one_way_to_train(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exactly one of estimator"):
        Model(estimator="a.B", train="f.py:train")
    with pytest.raises(ValueError, match="early_stopping is for estimators"):
        Model.model_validate({"train": "f.py:train", "early_stopping": {}})
    with pytest.raises(ConfigError, match=r'own\.py has no "learn"'):
        function(tmp_path, ESTIMATOR)
        build_estimator(Model(train=f"{tmp_path / 'own.py'}:learn"), {}, "classification")


def test_an_answer_of_an_onnx_model_does_not_depend_on_who_shares_the_call() -> None:
    rng = np.random.default_rng(3)
    content = content_of(linear(rng.normal(size=(37, 5))))
    assert content is not None
    model, rows = OnnxModel(content), pd.DataFrame(rng.normal(size=(300, 37)))

    def predict(frame: pd.DataFrame) -> np.ndarray:
        return model.predict_proba(frame.to_numpy())

    together = predict_rows(predict, rows)
    for count in (1, 2, 7, 16, 33, 100):
        for start in range(0, len(rows) - count, 59):
            assert np.array_equal(predict_rows(predict, rows.iloc[start : start + count]), together[start : start + count])
