"""Transform and training on real flights: deterministic, the same object for training and serving, wrong words refused."""

from pathlib import Path

import numpy as np
import pytest

from taxiway.data.engine.read_rows import read_rows
from taxiway.data.ingest.ingest import ingest
from taxiway.data.schema.file import load_schema
from taxiway.data.sources.files import find_spans
from taxiway.errors import ConfigError, DataError, FitError
from taxiway.features import TransformSpec, raw_frame, transform
from taxiway.features.labels import label_classes
from taxiway.records import FeatureSet, Snapshot
from taxiway.records.recorder import InMemoryRecorder
from taxiway.spec.model.section import Model
from taxiway.spec.pipeline import Features
from taxiway.store import Store
from taxiway.training.estimator import accepts_missing, build_estimator
from taxiway.training.train import candidate_key, train

SCHEMA = load_schema(Path(__file__).parents[3] / "dags/flights/late_arrivals.schema.yaml")
BOOSTING = Model(estimator="sklearn.ensemble.HistGradientBoostingClassifier", params={"max_iter": 10})
LOGISTIC = Model(estimator="sklearn.linear_model.LogisticRegression", params={"max_iter": 20})
DROP = Features(drop=("tailnum", "flight"))


@pytest.fixture(scope="module")
def snapshot_and_store(flights_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, Store]:
    store = Store(str(tmp_path_factory.mktemp("store")))
    plan = find_spans(f"{flights_folder}/{{YYYY}}-{{MM}}.parquet")[:2]
    return ingest(plan, pipeline="f.late", source="flights", store=store), store


def features_for(snapshot_and_store: tuple[Snapshot, Store], model: Model, features: Features = DROP) -> FeatureSet:
    snapshot, store = snapshot_and_store
    tolerant = accepts_missing(build_estimator(model, {}, "classification"))
    return transform(
        snapshot,
        SCHEMA,
        TransformSpec(features, label="late", problem="classification", accepts_missing=tolerant),
        store=store,
        recorder=InMemoryRecorder(),
    )


@pytest.mark.parametrize("model", [BOOSTING, LOGISTIC], ids=["boosting", "logistic"])
def test_training_twice_gives_the_same_answers_on_raw_rows(snapshot_and_store: tuple[Snapshot, Store], model: Model) -> None:
    snapshot, store = snapshot_and_store
    first, second = features_for(snapshot_and_store, model), features_for(snapshot_and_store, model)
    assert first == second
    raw = raw_frame(read_rows(snapshot.evaluation, store), first.numeric, first.categorical)
    answers = [train(first, model, {}, store=store, recorder=InMemoryRecorder()).predict_proba(raw) for _ in range(2)]
    assert np.array_equal(answers[0], answers[1])
    assert answers[0].shape == (len(raw), 2)


def test_the_served_object_scores_as_the_transform_and_the_estimator_apart(snapshot_and_store: tuple[Snapshot, Store]) -> None:
    snapshot, store = snapshot_and_store
    made = features_for(snapshot_and_store, BOOSTING)
    fitted = train(made, BOOSTING, {}, store=store, recorder=InMemoryRecorder())
    raw = raw_frame(read_rows(snapshot.training, store), made.numeric, made.categorical)
    apart = fitted.named_steps["model"].predict_proba(fitted.named_steps["transform"].transform(raw))
    assert np.array_equal(fitted.predict_proba(raw), apart)


def test_only_training_rows_are_read(snapshot_and_store: tuple[Snapshot, Store]) -> None:
    snapshot, _ = snapshot_and_store
    assert features_for(snapshot_and_store, BOOSTING).row_count == snapshot.training[0].rows


def test_dropped_columns_label_and_key_are_no_features(snapshot_and_store: tuple[Snapshot, Store]) -> None:
    made = features_for(snapshot_and_store, BOOSTING)
    assert not {"tailnum", "flight", "late", "flight_id"} & set(made.columns)
    assert {"carrier", "origin", "temp", "distance"} <= set(made.columns)


def test_unseen_and_missing_values_are_answered(snapshot_and_store: tuple[Snapshot, Store]) -> None:
    snapshot, store = snapshot_and_store
    made = features_for(snapshot_and_store, BOOSTING)
    fitted = train(made, BOOSTING, {}, store=store, recorder=InMemoryRecorder())
    raw = raw_frame(read_rows(snapshot.evaluation, store).head(3), made.numeric, made.categorical)
    raw["dest"] = ["ZZZ", None, raw["dest"].iloc[2]]
    raw.loc[0, "temp"] = np.nan
    assert np.isfinite(fitted.predict_proba(raw)).all()


def test_a_column_that_the_schema_does_not_know_is_refused(snapshot_and_store: tuple[Snapshot, Store]) -> None:
    with pytest.raises(ConfigError, match=r'"tempp".*did you mean "temp"'):
        features_for(snapshot_and_store, BOOSTING, Features(numeric=("tempp",)))
    with pytest.raises(ConfigError, match='"late"'):
        features_for(snapshot_and_store, BOOSTING, Features(numeric=("late",)))


def test_a_label_of_one_value_is_refused(tmp_path: Path, flights_folder: Path) -> None:
    import pandas as pd

    source = tmp_path / "source"
    source.mkdir()
    for month in ("2013-01", "2013-02"):
        rows = pd.read_parquet(flights_folder / f"{month}.parquet")
        rows[~rows["late"]].to_parquet(source / f"{month}.parquet")
    store = Store(str(tmp_path / "store"))
    plan = find_spans(f"{source}/{{YYYY}}-{{MM}}.parquet")[:2]
    snapshot = ingest(plan, pipeline="f.late", source="flights", store=store)
    with pytest.raises(DataError, match="late has 1 value in the"):
        features_for((snapshot, store), BOOSTING)


@pytest.mark.parametrize(
    ("values", "text"), [([False, True], "False"), ([0, 1], "0"), ([0.0, 1.0], "0"), (["no", "yes"], "no")]
)
def test_a_label_is_the_same_text_however_a_file_holds_it(values: list, text: str) -> None:
    import pandas as pd

    assert label_classes(pd.Series([values[1], values[0], values[0], None]))[0] == text


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Model(estimator="sklearn.ensemble.HistGradientBostingClassifier"), 'did you mean "HistGradientBoostingClassifier"'),
        (Model(estimator="sklearn.nothing.Here"), "cannot import"),
        (Model(estimator="LogisticRegression"), "is not a path"),
        (Model(estimator="os.getcwd"), "is not a class"),
        (Model(estimator="collections.OrderedDict"), "no fit"),
        (Model(estimator="sklearn.linear_model.LogisticRegression", params={"max_itr": 3}), 'did you mean "max_iter"'),
        (Model(build="builtins:dict"), "no fit"),
        (Model(estimator="sklearn.svm.LinearSVC"), "no predict_proba"),
        (Model(estimator="sklearn.linear_model.LinearRegression"), "no predict_proba.*metrics for regression, such as rmse"),
    ],
)
def test_a_wrong_model_says_what_is_allowed(model: Model, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build_estimator(model, {}, "classification")


def test_the_key_of_a_candidate_changes_with_all_that_makes_it(snapshot_and_store: tuple[Snapshot, Store]) -> None:
    made = features_for(snapshot_and_store, BOOSTING)
    other = features_for(snapshot_and_store, BOOSTING, Features(drop=("tailnum",)))
    keys = [
        candidate_key(made, "report", BOOSTING, {}).digest,
        candidate_key(made, "report", BOOSTING, {"max_iter": 20}).digest,
        candidate_key(made, "another report", BOOSTING, {}).digest,
        candidate_key(made, "report", LOGISTIC, {}).digest,
        candidate_key(other, "report", BOOSTING, {}).digest,
    ]
    assert len(set(keys)) == len(keys)
    assert candidate_key(made, "report", BOOSTING, {}).digest == keys[0]


@pytest.mark.parametrize(
    ("estimator", "words"),
    [("HistGradientBoostingClassifier", "is not a regressor.*roc_auc"), ("HistGradientBoostingRegressor", "")],
)
def test_numbers_need_a_regressor(estimator: str, words: str) -> None:
    model = Model(estimator=f"sklearn.ensemble.{estimator}")
    if words:
        with pytest.raises(ConfigError, match=words):
            build_estimator(model, {}, "regression")
    else:
        assert hasattr(build_estimator(model, {}, "regression"), "predict")


def test_a_number_is_estimated_by_the_same_object_in_training_and_serving(snapshot_and_store: tuple[Snapshot, Store]) -> None:
    snapshot, store = snapshot_and_store
    model = Model(estimator="sklearn.ensemble.HistGradientBoostingRegressor", params={"max_iter": 10})
    schema = SCHEMA.model_copy(update={"label": "distance"})
    made = transform(
        snapshot,
        schema,
        TransformSpec(
            Features(numeric=("temp", "hour"), categorical=("dest",)),
            label="distance",
            problem="regression",
            accepts_missing=True,
        ),
        store=store,
        recorder=InMemoryRecorder(),
    )
    assert made.classes == ()
    fitted = train(made, model, {}, store=store, recorder=InMemoryRecorder())
    rows = read_rows(snapshot.evaluation, store)
    answers = fitted.predict(raw_frame(rows, made.numeric, made.categorical))
    assert not hasattr(fitted, "predict_proba")
    assert np.corrcoef(answers, rows["distance"])[0, 1] > 0.9  # the destination tells the distance


def test_a_model_of_a_file_is_known_by_its_content_wherever_it_lies(
    snapshot_and_store: tuple[Snapshot, Store], tmp_path: Path
) -> None:
    made = features_for(snapshot_and_store, BOOSTING)
    code = (
        "from sklearn.linear_model import LogisticRegression\n\ndef build(params):\n    return LogisticRegression(**params)\n"
    )
    keys = []
    for folder, text in (("a", code), ("b", code), ("c", f"{code}# changed\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.py").write_text(text)
        model = Model(build=f"{tmp_path / folder / 'model.py'}:build", params={"C": 2.0})
        assert build_estimator(model, {}, "classification").C == 2.0
        keys.append(candidate_key(made, "report", model, {}).digest)
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def other(params): ...", 'has no "build"'),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("import nowhere", "nowhere"),
    ],
)
def test_a_file_without_a_model_is_said(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "model.py").write_text(text)
    with pytest.raises(ConfigError, match=words):
        build_estimator(Model(build=f"{tmp_path / 'model.py'}:build"), {}, "classification")


def test_what_an_estimator_says_of_the_rows_is_said_with_the_label(snapshot_and_store: tuple[Snapshot, Store]) -> None:
    _, store = snapshot_and_store
    made = features_for(snapshot_and_store, BOOSTING)
    with pytest.raises(
        FitError, match=r"HistGradientBoostingClassifier could not be fitted to the label late on .*max_leaf_nodes"
    ):
        train(made, BOOSTING, {"max_leaf_nodes": 1}, store=store, recorder=InMemoryRecorder())


def test_the_history_of_the_training_is_reported_and_judged(
    snapshot_and_store: tuple[Snapshot, Store], caplog: pytest.LogCaptureFixture
) -> None:
    """A learning rate that is far too high never makes the loss fall."""
    _, store = snapshot_and_store
    for rate, words in ((0.05, "none"), (5.0, "the training loss is never better than in the first of 13 iterations")):
        params = {"max_iter": 12, "learning_rate": rate, "early_stopping": True, "n_iter_no_change": 50}
        model, recorder = Model(estimator=str(BOOSTING.estimator), params=params), InMemoryRecorder()
        train(features_for(snapshot_and_store, model), model, {}, store=store, recorder=recorder)
        assert list(recorder.values["history.validation.loss"]) == list(range(13))
        assert recorder.values["taxiway.training_findings"].startswith(words)
        assert ("the validation loss is never better" in caplog.text) is (words != "none")


def test_the_history_that_an_estimator_prints_is_reported(snapshot_and_store: tuple[Snapshot, Store]) -> None:
    _, store = snapshot_and_store
    model, recorder = Model(estimator="sklearn.linear_model.SGDClassifier", params={"loss": "log_loss"}), InMemoryRecorder()
    fitted = train(features_for(snapshot_and_store, model), model, {}, store=store, recorder=recorder)
    assert list(recorder.values["history.training.loss"]) == list(range(1, fitted[-1].n_iter_ + 1))


def test_what_a_function_reports_and_what_stops_boosting_is_in_the_run(
    snapshot_and_store: tuple[Snapshot, Store], tmp_path: Path
) -> None:
    _, store = snapshot_and_store
    (tmp_path / "own.py").write_text(
        "def train(data, params):\n"
        "    from sklearn.linear_model import LogisticRegression\n\n"
        "    for step in range(1, 100):\n"
        "        if data.report(step, training_loss=1.0, gradient_norm=1e-9):\n"
        "            break\n"
        "    return LogisticRegression().fit(data.matrix, data.labels)\n"
    )
    own = Model(train=f"{tmp_path / 'own.py'}:train", stop_on=("not_improving",))
    recorder = InMemoryRecorder()
    train(features_for(snapshot_and_store, own), own, {}, store=store, recorder=recorder)
    assert list(recorder.values["history.training.loss"]) == list(range(1, 12))
    found = recorder.values["taxiway.training_findings"]
    assert found.startswith("stopped in iteration 11 by the rule not_improving: the training loss is never better")
    assert "the training gradient_norm is 1e-09 in iteration 11" in found

    params = {"n_estimators": 12, "min_child_samples": 10**6}
    boosted = Model(estimator="lightgbm.LGBMClassifier", params=params)
    recorder = InMemoryRecorder()
    train(features_for(snapshot_and_store, boosted), boosted, {}, store=store, recorder=recorder)
    assert "have no split and predict the same for every row" in recorder.values["taxiway.training_findings"]


def test_an_estimator_that_is_fitted_differently_each_time_is_a_finding(
    snapshot_and_store: tuple[Snapshot, Store], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "own.py").write_text(
        "import numpy as np\nfrom sklearn.linear_model import LogisticRegression\n\n\n"
        "class Noisy(LogisticRegression):\n    def fit(self, rows, labels):\n"
        "        return super().fit(rows + np.random.default_rng().normal(size=rows.shape), labels)\n\n\n"
        "def build(params):\n    return Noisy()\n"
    )
    made = features_for(snapshot_and_store, LOGISTIC)
    for model, found in ((LOGISTIC, False), (Model(build=f"{tmp_path}/own.py:build"), True)):
        train(made, model, {}, store=snapshot_and_store[1], recorder=InMemoryRecorder(), check=id)
        assert ("two fits of Noisy on the same rows predict differently" in caplog.text) == found
