"""A training function in whole runs: it starts from the champion, and a run that is repeated trains nothing again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from taxiway import run
from taxiway.errors import DataError, UntrustedModelError
from taxiway.lineage.run_records import RunRecords
from taxiway.records import Status
from taxiway.registry.load import load_trusted

PIPELINE = """pipeline: warm
team: own
template: continuous_training
source:
  spans: "{data}/{SPAN}.parquet"
  window: 1
  label: y
schema: warm.schema.yaml
model:
  train: warm.py:train
gate:
  thresholds: {roc_auc: 0.6}
  against_champion: {metric: roc_auc, min_improvement: -0.1}
"""
SCHEMA = "label: y\nfeatures:\n  x: {type: number}\n  y: {type: boolean}\n"
FUNCTION = """from pathlib import Path


def train(data, params, previous):
    from sklearn.linear_model import SGDClassifier

    known = None if previous is None else previous.t_
    with (Path(__file__).parent / "calls").open("a") as file:
        file.write(f"{known}\\n")
    model = previous or SGDClassifier(loss="log_loss", random_state=data.seed)
    return model.partial_fit(data.matrix, data.labels, classes=[0, 1])
"""


def write_spans(folder: Path) -> None:
    """Three spans of 600 rows in which `y` depends on `x`."""
    rng = np.random.default_rng(5)
    folder.mkdir()
    for span in (1, 2, 3):
        x = rng.normal(size=600)
        pd.DataFrame({"x": x, "y": x + rng.normal(size=600) > 0}).to_parquet(folder / f"{span}.parquet")


WARM = PIPELINE.replace(
    "train: warm.py:train", "estimator: sklearn.linear_model.SGDClassifier\n  params: {loss: log_loss}\n  warm_start: champion"
)


@pytest.mark.parametrize("text", [PIPELINE, WARM], ids=["function", "estimator"])
def test_a_model_starts_from_the_champion_and_is_trained_once_for_a_span(tmp_path: Path, text: str) -> None:
    write_spans(tmp_path / "data")
    for name, content in (("warm.pipeline.yaml", text), ("warm.schema.yaml", SCHEMA), ("warm.py", FUNCTION)):
        (tmp_path / name).write_text(content)
    outcomes = []
    for _ in range(2):
        found = run(tmp_path / "warm.pipeline.yaml", data=str(tmp_path / "data"), home=tmp_path / "home")
        assert found.summary is not None
        outcomes.append((found.summary.span.name, str(found.summary.outcome), found.summary.version))
    assert outcomes == [("2", "FIRST_CHAMPION", 1), ("3", "PROMOTED", 2)]
    seen = [
        load_trusted(f"sqlite:///{tmp_path}/home/mlflow.db", "own.warm", version).get_raw_model().estimator[-1].t_
        for version in (1, 2)
    ]
    assert seen[1] - seen[0] in (540, 600)  # once over the rows of the second span; the function holds a tenth out
    # The champion was trained on these rows itself, from the version before it.
    again = run(tmp_path / "warm.pipeline.yaml", span="3", until="train", data=str(tmp_path / "data"), home=tmp_path / "home")
    assert again.candidate is not None
    assert again.candidate.version == 2
    if text == PIPELINE:
        assert (tmp_path / "calls").read_text().split() == ["None", "541.0"]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.r_[np.nan, np.ones(599)], "the weight w is missing, negative or no finite number in 1 of 600 training rows"),
        (np.r_[-1, np.ones(599)], "the weight w is missing, negative or no finite number in 1 of 600 training rows"),
        (np.zeros(600), "the weight w is at most 0; allowed: for each row one number from 0, with a sum from 1e-100 to 1e100"),
    ],
)
def test_weights_that_cannot_be_are_a_sentence(tmp_path: Path, weights: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        weighted(tmp_path, weights)


@pytest.mark.parametrize("weight", ["w", "own.py:weights"])
def test_weights_change_what_is_learned_and_their_column_is_no_feature(tmp_path: Path, weight: str) -> None:
    """The weights are those of the rows with the opposite label only: the model learns the opposite, and fails."""
    (tmp_path / "own.py").write_text("def weights(rows):\n    return rows['w']\n")
    found = weighted(tmp_path, None, weight)
    assert found.features is not None
    assert (found.features.numeric, found.features.weight) == (("x",), weight)
    assert found.verdict is not None
    assert found.verdict.status is Status.FAIL


def weighted(tmp_path: Path, weights: np.ndarray | None, weight: str = "w") -> RunRecords:
    """A run whose first half of the rows is labelled the wrong way round; without weights, only these count."""
    rng = np.random.default_rng(6)
    (tmp_path / "data").mkdir()
    for span in (1, 2):
        x, wrong = rng.normal(size=600), np.arange(600) < 300
        given = wrong.astype(float) if weights is None else weights
        pd.DataFrame({"x": x, "y": (x > 0) ^ (wrong if span == 1 else False), "w": given}).to_parquet(
            tmp_path / "data" / f"{span}.parquet"
        )
    used = f"estimator: sklearn.linear_model.LogisticRegression\n  weight: {weight}\nfeatures: {{drop: [w]}}"
    text = PIPELINE.replace("train: warm.py:train", used)
    (tmp_path / "warm.pipeline.yaml").write_text(text)
    (tmp_path / "warm.schema.yaml").write_text(f"{SCHEMA}  w: {{type: number, presence: optional}}\n")
    return run(tmp_path / "warm.pipeline.yaml", data=str(tmp_path / "data"), home=tmp_path / "home")


def test_a_program_is_tuned(tmp_path: Path) -> None:
    """With one of two values of a parameter the program fails."""
    write_spans(tmp_path / "data")
    command = 'command: [sh, train.sh, given.onnx, "{train.csv}", "{params.kind}", "{model.onnx}"]\nsweep: {search: grid, space: {kind: [bad, good]}}'
    text = PIPELINE.replace("train: warm.py:train", command).replace("window: 1", "window: 2")
    (tmp_path / "warm.pipeline.yaml").write_text(text)
    (tmp_path / "warm.schema.yaml").write_text(SCHEMA)
    (tmp_path / "given.onnx").write_bytes(slope())
    (tmp_path / "train.sh").write_text('echo "$3" >> "$(dirname "$1")/calls"; [ "$3" = good ] || exit 7; cp "$1" "$4"\n')
    found = run(tmp_path / "warm.pipeline.yaml", data=str(tmp_path / "data"), home=tmp_path / "home", until="train")
    assert found.candidate is not None
    assert (found.candidate.estimator, found.candidate.params) == ("sh train.sh given.onnx", '{"kind": "good"}')
    assert (tmp_path / "calls").read_text().split() == ["bad", "good", "good"]  # two trials, then the model


def slope() -> bytes:
    """A model whose probability of the second class grows with its only feature."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["scores"]), helper.make_node("Softmax", ["scores"], ["answers"])]
    given = helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 1])
    out = helper.make_tensor_value_info("answers", TensorProto.DOUBLE, [None, 2])
    graph = helper.make_graph(nodes, "g", [given], [out], [numpy_helper.from_array(np.array([[-1.0, 1.0]]), "w")])
    made: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    return made


OWN_CLASS = """from pathlib import Path


class Slope:
    def __init__(self, slope):
        self.slope = slope

    def predict_proba(self, matrix):
        import numpy as np

        raised = 1 / (1 + np.exp(-self.slope * matrix[:, 0]))
        return np.column_stack([1 - raised, raised])

    def save(self, folder):
        (folder / "slope.txt").write_text(str(self.slope))

    @classmethod
    def load(cls, folder):
        return cls(float((folder / "slope.txt").read_text()))


def train(data, params, previous):
    return Slope(1.0 if previous is None else previous.slope + 1)
"""


def test_a_champion_needs_the_file_that_it_was_trained_with(tmp_path: Path) -> None:
    """Whole runs: a changed file is a sentence before anything is trained, and the old file under another name mends it."""
    write_spans(tmp_path / "data")
    for name, text in (("warm.pipeline.yaml", PIPELINE), ("warm.schema.yaml", SCHEMA), ("warm.py", OWN_CLASS)):
        (tmp_path / name).write_text(text)

    def ran() -> RunRecords:
        return run(tmp_path / "warm.pipeline.yaml", data=str(tmp_path / "data"), home=tmp_path / "home")

    first = ran()
    assert (first.summary and str(first.summary.outcome)) == "FIRST_CHAMPION"
    (tmp_path / "warm.py").write_text(f"{OWN_CLASS}# changed\n")
    with pytest.raises(UntrustedModelError, match=r"warm\.py has another digest: it was changed since. Keep the file"):
        ran()
    (tmp_path / "warm_of_version_1.py").write_text(OWN_CLASS)
    second = ran()
    assert (second.summary and str(second.summary.outcome), second.summary and second.summary.version) == ("PROMOTED", 2)


COSTLY = (
    PIPELINE.replace("  train: warm.py:train\n", "  estimator: sklearn.linear_model.LogisticRegression\nTHRESHOLD")
    .replace(
        "gate:\n  thresholds: {roc_auc: 0.6}",
        "gate:\n  metrics: {cost: {costs: {'True': {'False': 9}, 'False': {'True': 1}}}}\n  thresholds: {cost: 5}",
    )
    .replace("metric: roc_auc", "metric: cost")
)


@pytest.mark.parametrize(
    ("threshold", "low", "high"),
    [("  threshold: 0.25\n", 0.25, 0.25), ("  threshold: {by: cost}\n", 0.02, 0.3)],
)
def test_the_decision_threshold_is_part_of_the_model(tmp_path: Path, threshold: str, low: float, high: float) -> None:
    rng = np.random.default_rng(5)
    for span in (1, 2):
        x = rng.normal(size=1500)
        pd.DataFrame({"x": x, "y": x + rng.normal(size=1500) > 1}).to_parquet(tmp_path / f"{span}.parquet")
    for name, text in (("warm.pipeline.yaml", COSTLY.replace("THRESHOLD", threshold)), ("warm.schema.yaml", SCHEMA)):
        (tmp_path / name).write_text(text)
    found = run(tmp_path / "warm.pipeline.yaml", data=str(tmp_path), home=tmp_path / "home")
    assert found.candidate is not None
    assert found.evaluation is not None
    chosen = found.candidate.threshold
    assert chosen is not None
    assert low <= chosen <= high
    model = load_trusted(f"sqlite:///{tmp_path}/home/mlflow.db", "own.warm", 1)
    rows = pd.read_parquet(tmp_path / "2.parquet")
    answers = model.predict(rows)
    assert (answers["prediction"] == "True").equals(answers["probability_True"] >= chosen)
    wrong = (answers["prediction"] == "True") != rows["y"]
    mean_cost = (wrong * np.where(rows["y"], 9, 1)).mean()
    assert [m.candidate.value for m in found.evaluation.metrics if m.metric == "cost"] == [pytest.approx(mean_cost)]
