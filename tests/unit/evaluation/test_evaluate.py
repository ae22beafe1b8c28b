"""Evaluation on a snapshot's rows: the same rows for both, the label as the candidate learned it, slices that can tell."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from taxiway.data.ingest.ingest import ingest
from taxiway.data.sources.files import find_spans
from taxiway.errors import DataError
from taxiway.evaluation.evaluate import evaluate, publish
from taxiway.evaluation.groups import row_groups
from taxiway.evaluation.scoring import LoadedModel
from taxiway.records import Evaluation, Snapshot
from taxiway.records.recorder import InMemoryRecorder
from taxiway.spec.gate import Gate
from taxiway.store import Store

GATE = Gate.model_validate(
    {
        "thresholds": {"roc_auc": 0.6},
        "against_champion": {"metric": "roc_auc"},
        "slices": {"by": ["b"], "max_drop": 0.05, "min_rows": 300},
    }
)


NUMBERS = Gate.model_validate(
    {
        "thresholds": {"r2": 0.1},
        "against_champion": {"metric": "rmse"},
        "slices": {"by": ["b"], "max_drop": 0.05, "min_rows": 50},
    }
)


@dataclass
class Metadata:
    schema: Any

    def get_input_schema(self) -> Any:
        return self.schema


class Estimator:
    """Answers with the column `a`, moved by an offset."""

    def __init__(self, offset: float = 0) -> None:
        self.offset = offset
        self.metadata = Metadata(infer_signature(pd.DataFrame({"a": [1.0], "b": ["x"]})).inputs)

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        return rows["a"].to_numpy() + self.offset


class Scorer:
    """Answers with the column `a`, turned into a probability, or with the opposite."""

    def __init__(self, sign: int = 1) -> None:
        self.sign = sign
        self.metadata = Metadata(infer_signature(pd.DataFrame({"a": [1.0], "b": ["x"]})).inputs)

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        positive = 1 / (1 + np.exp(-self.sign * rows["a"].to_numpy()))
        return np.column_stack([1 - positive, positive])


class Colours(Scorer):
    """Three classes: the column `a` is split at -0.5 and at 0.5, with probabilities that depend on the distance."""

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        a = rows["a"].to_numpy()
        logits = np.column_stack([-a * 2, -abs(a) + 0.5, a * 2])
        return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def made(tmp_path: Path, labels: Any) -> tuple[Snapshot, Store, pd.DataFrame]:
    rng = np.random.default_rng(1)
    a = rng.normal(size=2000)
    late = a + rng.normal(size=2000) > 0
    rows = pd.DataFrame({"a": a, "b": np.where(np.arange(2000) < 1900, "big", "small"), "y": labels(late)})
    source = tmp_path / "source"
    source.mkdir()
    for span in (1, 2):
        rows.to_parquet(source / f"{span}.parquet")
    store = Store(str(tmp_path / "store"))
    return ingest(find_spans(f"{source}/{{SPAN}}.parquet"), pipeline="f.y", source="s", store=store), store, rows


def run(
    snapshot: Snapshot, store: Store, candidate: LoadedModel, champion: LoadedModel | None = None, gate: Gate = GATE
) -> Evaluation:
    return scored(snapshot, candidate, champion, model="f.y", label="y", gate=gate, store=store)


def scored(*args: Any, recorder: InMemoryRecorder | None = None, **given: Any) -> Evaluation:
    """Evaluate, and record everything."""
    evaluated = evaluate(*args, **given)
    publish(evaluated, evaluated.evaluation, recorder or InMemoryRecorder())
    return evaluated.evaluation


def test_metrics_are_of_the_evaluation_rows(tmp_path: Path) -> None:
    snapshot, store, rows = made(tmp_path, lambda late: late)
    found = run(snapshot, store, LoadedModel(1, Scorer(), ("False", "True")))
    auc = next(m for m in found.metrics if m.metric == "roc_auc")
    assert auc.candidate.value == pytest.approx(roc_auc_score(rows["y"], rows["a"]))
    assert auc.candidate.rows == 2000
    assert (found.champion, auc.champion, found.slices) == (None, None, ())


def test_the_rows_of_a_rare_class_decide_its_recall(tmp_path: Path) -> None:
    snapshot, store, _ = made(tmp_path, lambda late: late & (np.arange(2000) < 40))
    gate = GATE.model_copy(update={"thresholds": {"recall": 0.5, "accuracy": 0.5}})
    found = {each.metric: each for each in run(snapshot, store, LoadedModel(1, Scorer(), ("False", "True")), gate=gate).metrics}
    positives = found["recall"].deciding_rows
    assert positives is not None
    assert positives <= 40
    assert found["accuracy"].deciding_rows is None
    recall = found["recall"].candidate
    exact = binomtest(round(recall.value * positives), positives).proportion_ci(0.99, method="exact")
    assert (recall.low, recall.high) == pytest.approx((exact.low, exact.high))


def test_the_columns_that_give_the_label_of_an_almost_perfect_model_away_are_named(tmp_path: Path) -> None:
    snapshot, store, rows = made(tmp_path, lambda late: late)
    assert run(snapshot, store, LoadedModel(1, Scorer(), ("False", "True"))).leakage_suspects == ()
    leaking = rows.assign(y=rows["a"] > 0)
    for path in (tmp_path / "source").iterdir():
        leaking.to_parquet(path)
    snapshot = ingest(find_spans(f"{tmp_path}/source/{{SPAN}}.parquet"), pipeline="f.y", source="s", store=store)
    (alone,) = run(snapshot, store, LoadedModel(1, Scorer(), ("False", "True"))).leakage_suspects
    assert (alone.column, alone.metric, alone.value, alone.by) == ("a", "roc_auc", 1.0, "order")


def test_a_model_compared_with_itself_differs_by_nothing(tmp_path: Path) -> None:
    snapshot, store, _ = made(tmp_path, lambda late: late)
    same = (LoadedModel(2, Scorer(), ("False", "True")), LoadedModel(1, Scorer(), ("False", "True")))
    found = run(snapshot, store, *same)
    for metric in found.metrics:
        assert metric.difference is not None
        assert (metric.difference.low, metric.difference.value, metric.difference.high) == (0, 0, 0)
    assert [(s.value, s.rows, s.difference is not None) for s in found.slices] == [("big", 1900, True), ("small", 100, False)]
    assert found.slices[0].confidence == pytest.approx(0.99)


@pytest.mark.parametrize("values", [("no", "yes"), (0, 1), (0.0, 1.0), (5, 9)])
def test_the_second_class_that_was_learned_is_the_positive_one(tmp_path: Path, values: tuple[Any, Any]) -> None:
    snapshot, store, rows = made(tmp_path, lambda late: np.where(late, values[1], values[0]))
    classes = tuple(str(int(v)) if isinstance(v, float) else str(v) for v in values)
    found = run(snapshot, store, LoadedModel(1, Scorer(), classes))
    auc = next(m for m in found.metrics if m.metric == "roc_auc")
    assert auc.candidate.value == pytest.approx(roc_auc_score(rows["y"] == values[1], rows["a"]))


def test_labels_that_were_recoded_are_refused(tmp_path: Path) -> None:
    snapshot, store, _ = made(tmp_path, lambda late: np.where(late, 3, 2))
    with pytest.raises(DataError, match='y is "2", "3" in the evaluation rows, and none of this is a class of version 1'):
        run(snapshot, store, LoadedModel(1, Scorer(), ("0", "1")))


def test_a_champion_of_another_label_is_not_compared_with(tmp_path: Path) -> None:
    snapshot, store, _ = made(tmp_path, lambda late: np.where(late, 1, 0))
    with pytest.raises(DataError, match="cannot be compared"):
        run(snapshot, store, LoadedModel(2, Scorer(), ("0", "1")), LoadedModel(1, Scorer(-1), ("no", "yes")))


COLOURS = Gate.model_validate(
    {
        "thresholds": {"balanced_accuracy": 0.5, "recall(class=red)": 0.5},
        "against_champion": {"metric": "roc_auc"},
        "slices": {"by": ["b"], "max_drop": 0.05, "min_rows": 50},
    }
)


@pytest.mark.usefixtures("pictures_are_drawn")
def test_three_classes_have_metrics_slices_and_pictures(tmp_path: Path) -> None:
    snapshot, store, rows = made(tmp_path, lambda late: np.where(late, "red", "blue"))
    rows["y"] = np.select([rows["a"] < -0.5, rows["a"] > 0.5], ["blue", "red"], "green")
    for path in (tmp_path / "source").iterdir():
        rows.to_parquet(path)
    snapshot = ingest(find_spans(f"{tmp_path}/source/{{SPAN}}.parquet"), pipeline="f.y", source="s", store=store)
    classes, recorder = ("blue", "green", "red"), InMemoryRecorder()
    candidate, champion = LoadedModel(2, Colours(), classes), LoadedModel(1, Colours(), ("red", "green", "blue"))
    found = scored(snapshot, candidate, champion, model="f.y", label="y", gate=COLOURS, store=store, recorder=recorder)
    values = {result.metric: result for result in found.metrics}
    assert values["recall(class=red)"].candidate.value > 0.9
    assert values["balanced_accuracy"].champion is not None
    assert values["balanced_accuracy"].champion.value < 0.5  # its first class is the last of the candidate's
    expected = roc_auc_score(rows["y"], Colours().predict(rows), multi_class="ovr")
    assert values["roc_auc"].candidate.value == pytest.approx(expected)
    assert [s.difference is not None for s in found.slices] == [True, True]
    assert (found.unseen_classes, found.absent_classes) == ((), ())
    matrix = pd.read_csv(io.BytesIO(recorder.values["evaluation/confusion_matrix.csv"]))
    assert matrix["label"].tolist() == list(classes)
    assert matrix.drop(columns="label").to_numpy().sum() == len(rows)


def test_classes_that_appear_and_vanish_are_counted(tmp_path: Path) -> None:
    """A label that the candidate has not learned counts as its error; one that no row has is named."""
    snapshot, store, _ = made(tmp_path, lambda late: np.where(late, "red", np.where(np.arange(2000) < 300, "grey", "blue")))
    candidate, champion = LoadedModel(2, Colours(), ("blue", "green", "red")), LoadedModel(1, Scorer(), ("blue", "red"))
    found = run(snapshot, store, candidate, champion, COLOURS)
    assert [(c.name, c.rows > 100) for c in found.unseen_classes] == [("grey", True)]
    assert found.champion_unseen_classes == found.unseen_classes
    assert found.absent_classes == ("green",)
    accuracy = next(m for m in found.metrics if m.metric == "accuracy")
    assert accuracy.candidate.high < 1 - found.unseen_classes[0].rows / 2000 + 0.05


def test_rows_of_a_group_are_resampled_together(tmp_path: Path) -> None:
    """An interval of two groups is not one of 2,000 rows; a column that is not there is named."""
    snapshot, store, _ = made(tmp_path, lambda late: late)
    model = LoadedModel(1, Scorer(), ("False", "True"))
    apart, together = (
        run(snapshot, store, model, gate=GATE.model_copy(update={"group_by": by, "slices": None})) for by in (None, "b")
    )
    assert apart.groups is None
    assert together.groups is not None
    assert (together.groups.column, together.groups.groups) == ("b", 2)
    assert together.metrics[0].candidate.value == apart.metrics[0].candidate.value
    assert together.metrics[0].candidate != apart.metrics[0].candidate
    with pytest.raises(DataError, match=r'gate\.group_by is "day", missing in the evaluation rows; allowed: a, b, y'):
        run(snapshot, store, model, gate=GATE.model_copy(update={"group_by": "day"}))


def test_rows_without_a_group_are_one_group() -> None:
    rows = pd.DataFrame({"day": ["x", None, "y", None, "x", float("nan")]})
    assert row_groups(rows, "day").tolist() == [0, 1, 2, 1, 0, 1]


def test_a_slice_of_few_groups_is_not_compared(tmp_path: Path) -> None:
    """An interval of one group would have no width, and any difference would be a drop."""
    snapshot, store, _ = made(tmp_path, lambda late: late)
    for path in (tmp_path / "source").iterdir():
        rows = pd.read_parquet(path)
        rows.assign(day=np.where(np.arange(len(rows)) < 600, 1, 2), hour=np.arange(len(rows)) % 40).to_parquet(path)
    snapshot = ingest(find_spans(f"{tmp_path}/source/{{SPAN}}.parquet"), pipeline="f.y", source="s", store=store)
    better, worse = LoadedModel(2, Scorer(), ("False", "True")), LoadedModel(1, Scorer(), ("False", "True"))
    slices = GATE.slices.model_copy(update={"by": ("day",), "min_rows": 50}) if GATE.slices else None
    for group, compared in (("day", False), ("hour", True)):
        found = run(snapshot, store, better, worse, GATE.model_copy(update={"slices": slices, "group_by": group}))
        assert [slice_.difference is not None for slice_ in found.slices] == [compared, compared], group


def test_a_missing_label_is_said(tmp_path: Path) -> None:
    snapshot, store, _ = made(tmp_path, lambda late: pd.Series(late).astype("object").where(np.arange(2000) > 2, None))
    with pytest.raises(DataError, match="y is missing in 3 evaluation rows"):
        run(snapshot, store, LoadedModel(1, Scorer(), ("False", "True")))


def test_a_model_is_scored_without_values_of_a_column_that_has_left_the_source(tmp_path: Path) -> None:
    class OfGone(Scorer):
        def predict(self, rows: pd.DataFrame) -> np.ndarray:
            assert rows["gone"].isna().all()
            assert list(rows["city"]) == [None] * len(rows)
            return super().predict(rows)

    other = OfGone()
    other.metadata = Metadata(infer_signature(pd.DataFrame({"a": [1.0], "gone": [2.0], "city": ["x"]})).inputs)
    snapshot, store, _ = made(tmp_path, lambda late: late)
    known, unknown = (LoadedModel(version, model, ("False", "True")) for version, model in ((2, Scorer()), (1, other)))
    found = run(snapshot, store, known, unknown)
    assert (found.candidate_missing_columns, found.champion_missing_columns) == ((), ("gone", "city"))
    assert run(snapshot, store, unknown).candidate_missing_columns == ("gone", "city")


def test_numbers_are_compared_in_the_labels_unit(tmp_path: Path) -> None:
    snapshot, store, rows = made(tmp_path, lambda late: 10 * late)
    found = run(snapshot, store, LoadedModel(2, Estimator(), ()), LoadedModel(1, Estimator(1), ()), NUMBERS)
    assert [m.metric for m in found.metrics] == ["mae", "r2", "rmse"]
    rmse = found.metrics[2]
    assert rmse.candidate.value == pytest.approx(np.sqrt(((rows["a"] - rows["y"]) ** 2).mean()))
    assert rmse.champion is not None
    assert rmse.champion.value == pytest.approx(np.sqrt(((rows["a"] + 1 - rows["y"]) ** 2).mean()))
    assert [(s.value, s.metric, s.difference is not None) for s in found.slices] == [
        ("big", "rmse", True),
        ("small", "rmse", True),
    ]


def test_a_champion_that_told_classes_is_not_compared_with_numbers(tmp_path: Path) -> None:
    snapshot, store, _ = made(tmp_path, lambda late: late.astype(int))
    with pytest.raises(DataError, match='version 2 is a regression model, champion version 1 is a classifier of "0", "1"'):
        run(snapshot, store, LoadedModel(2, Estimator(), ()), LoadedModel(1, Scorer(), ("0", "1")), NUMBERS)


@pytest.mark.parametrize(
    ("labels", "words"),
    [(lambda late: late, "of type bool"), (lambda late: np.where(late, np.inf, 1.0), "infinite in")],
    ids=["truth", "infinity"],
)
def test_labels_that_are_no_finite_numbers_are_refused(tmp_path: Path, labels: Any, words: str) -> None:
    snapshot, store, _ = made(tmp_path, labels)
    with pytest.raises(DataError, match=words):
        run(snapshot, store, LoadedModel(1, Estimator(), ()), None, NUMBERS)


@pytest.mark.usefixtures("pictures_are_drawn")
def test_a_candidate_is_drawn_with_its_errors_and_the_columns_that_it_depends_on(tmp_path: Path) -> None:
    snapshot, store, rows = made(tmp_path, lambda late: np.where(late, "$late$", "on time"))
    recorder = InMemoryRecorder()
    candidate = LoadedModel(1, Scorer(), ("on time", "$late$"))
    scored(snapshot, candidate, None, model="f.y", label="y", gate=GATE, store=store, recorder=recorder)
    files = {name: content for name, content in recorder.values.items() if name.startswith("evaluation/")}
    names = ("confusion_matrix", "calibration", "permutation_importance")
    assert set(files) == {f"evaluation/{name}.{kind}" for name in names for kind in ("png", "csv")}
    assert all(content.startswith(b"\x89PNG") for name, content in files.items() if name.endswith(".png"))
    late = rows["y"] == "$late$"
    counts = pd.read_csv(io.BytesIO(files["evaluation/confusion_matrix.csv"]))
    assert list(counts["predicted $late$"]) == [int((~late & (rows["a"] >= 0)).sum()), int((late & (rows["a"] >= 0)).sum())]
    importances = pd.read_csv(io.BytesIO(files["evaluation/permutation_importance.csv"])).set_index("column")["importance"]
    assert list(importances.index) == ["a", "b"]
    assert importances["a"] == pytest.approx(roc_auc_score(late, rows["a"]) - 0.5, abs=0.05)
    assert importances["b"] == 0


@pytest.mark.usefixtures("pictures_are_drawn")
def test_a_regression_is_drawn_with_its_residuals(tmp_path: Path) -> None:
    snapshot, store, _ = made(tmp_path, lambda late: late * 2.0)
    recorder = InMemoryRecorder()
    scored(
        snapshot, LoadedModel(1, Estimator(), ()), None, model="f.y", label="y", gate=NUMBERS, store=store, recorder=recorder
    )
    assert {"evaluation/residuals.png", "evaluation/permutation_importance.csv"} <= set(recorder.values)


@pytest.mark.usefixtures("pictures_are_drawn")
def test_a_picture_that_cannot_be_drawn_decides_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Odd(Scorer):
        calls = 0

        def predict(self, rows: pd.DataFrame) -> np.ndarray:
            self.calls += 1
            if self.calls > 1:
                raise ValueError("not again")
            return super().predict(rows)

    snapshot, store, _ = made(tmp_path, lambda late: late)
    assert run(snapshot, store, LoadedModel(1, Odd(), ("False", "True"))).metrics
    assert "pictures of version 1 could not be drawn" in caplog.text
