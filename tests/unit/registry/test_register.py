"""Models in MLflow: registered once, whichever process is killed; loaded only if Taxiway's own list trusts them."""

import json
import multiprocessing
import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from lightgbm import LGBMClassifier
from mlflow import MlflowClient
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from xgboost import XGBClassifier

from flaky import in_front_of
from helping import PATIENCE_S
from taxiway.errors import UntrustedModelError
from taxiway.features.signature import ModelColumns
from taxiway.models.row_model import RowModel
from taxiway.registry.load import download_version, load_trusted
from taxiway.registry.register import ModelToSave, find_version, register
from taxiway.registry.trust import check_model
from taxiway.registry.version_tags import classes_from_tags
from taxiway.store import temp_folder
from taxiway.tracking.local import local_mlflow
from taxiway.tracking.run import MlflowRun
from taxiway.tracking.tags import CANDIDATE, CLASSES, FILES, THRESHOLD

try:
    import catboost as CATBOOST
except ImportError:
    CATBOOST = None
ESTIMATORS = [
    XGBClassifier(n_estimators=3),
    LGBMClassifier(n_estimators=3, verbose=-1),
    CalibratedClassifierCV(XGBClassifier(n_estimators=2), cv=2),
    HistGradientBoostingClassifier(max_iter=3),
    RandomForestClassifier(n_estimators=3),
    GradientBoostingClassifier(n_estimators=3),
    LogisticRegression(),
    *([CATBOOST.CatBoostClassifier(iterations=3, allow_writing_files=False, verbose=False)] if CATBOOST is not None else []),
]


def rows() -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])


def to_save(estimator: Any, key: str = "key") -> ModelToSave:
    data = rows()
    fitted = make_pipeline(estimator).fit(data, (data["a"] > 0).to_numpy())
    return ModelToSave(with_columns(fitted, ("False", "True")), data, key, {"taxiway.snapshot": "s"}, {"p": "1"})


def with_columns(pipeline: Any, classes: tuple[str, ...] = ()) -> RowModel:
    return RowModel.of(pipeline, ModelColumns(("a", "b"), ()), classes)


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An MLflow without a server, which takes two thirds of the time; `test_loaded_in_python.py` and the test of kills have one."""
    with local_mlflow(tmp_path_factory.mktemp("home")) as client:
        yield client.tracking_uri


@pytest.fixture
def run(uri: str) -> MlflowRun:
    return _open(uri)


def _open(url: str) -> MlflowRun:
    return MlflowRun.find_or_make(MlflowClient(url), "team/models", f"dag/{uuid.uuid4()}", {})


@pytest.mark.parametrize("estimator", [HistGradientBoostingRegressor(max_iter=3), LinearRegression()])
def test_a_regressor_answers_with_numbers(run: MlflowRun, uri: str, estimator: Any) -> None:
    data, name = rows(), f"team.m{uuid.uuid4().hex[:8]}"
    fitted = make_pipeline(estimator).fit(data, data["a"].to_numpy() * 2)
    version, _ = register(
        run.client, run.run_id, name, ModelToSave(with_columns(fitted), data, "key", {"taxiway.classes": "[]"}, {})
    )
    answers = load_trusted(uri, name, version).predict(data)
    assert list(answers.columns) == ["prediction"]
    assert np.allclose(answers["prediction"], fitted.predict(data))
    assert classes_from_tags(run.client.get_model_version(name, str(version)).tags) == ()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: type(e).__name__)
def test_a_registered_model_answers_as_the_fitted_one(run: MlflowRun, uri: str, estimator: Any) -> None:
    name, saved = f"team.m{uuid.uuid4().hex[:8]}", to_save(estimator)
    version, _ = register(run.client, run.run_id, name, saved)
    loaded = load_trusted(uri, name, version)
    answers = loaded.predict(rows())
    assert list(answers.columns) == ["prediction", "probability_False", "probability_True"]
    assert np.array_equal(answers.iloc[:, 1:], saved.model.estimator.predict_proba(rows()))
    assert [c.name for c in loaded.metadata.get_input_schema()] == ["a", "b"]


def test_the_same_candidate_is_registered_once(run: MlflowRun) -> None:
    name = f"team.m{uuid.uuid4().hex[:8]}"
    first = register(run.client, run.run_id, name, to_save(LogisticRegression(), "one"))
    assert register(run.client, run.run_id, name, to_save(LogisticRegression(), "one")) == first
    version, files = first
    assert register(run.client, run.run_id, name, to_save(LogisticRegression(), "two"))[0] == version + 1
    assert find_version(run.client, name, "one") == version
    assert find_version(run.client, name, "three") is None
    found = run.client.get_model_version(name, str(version))
    assert found.tags[FILES] == files
    assert (found.run_id, found.tags[CANDIDATE]) == (run.run_id, "one")


def test_a_version_whose_files_are_deleted_is_registered_again(
    run: MlflowRun, uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    name = f"team.m{uuid.uuid4().hex[:8]}"
    for number, delete in enumerate(("the files", "the logged model"), start=1):
        assert register(run.client, run.run_id, name, to_save(LogisticRegression()))[0] == number
        model_id = str(run.client.get_model_version(name, str(number)).source).removeprefix("models:/")
        if delete == "the files":
            location = run.client.get_logged_model(model_id).artifact_location
            get_artifact_repository(location, tracking_uri=uri).delete_artifacts()
        else:
            run.client.delete_logged_model(model_id)
        assert find_version(run.client, name, "key") is None
        assert f"{name} version {number} are deleted" in caplog.text
    again, _ = register(run.client, run.run_id, name, to_save(LogisticRegression()))
    assert load_trusted(uri, name, again).predict(rows()).shape == (60, 3)


def test_an_estimator_beyond_the_list_is_not_registered(run: MlflowRun) -> None:
    name = f"team.m{uuid.uuid4().hex[:8]}"
    pipeline = make_pipeline(FunctionTransformer(os.listdir))
    with pytest.raises(UntrustedModelError, match=r"FunctionTransformer\.func is <built-in function listdir>"):
        register(run.client, run.run_id, name, ModelToSave(with_columns(pipeline), rows(), "k", {}, {}))
    pipeline = make_pipeline(SelectKBest(k=1), LogisticRegression()).fit(rows().fillna(0), [0, 1] * 30)
    with pytest.raises(UntrustedModelError, match=r"f_classif"):
        register(run.client, run.run_id, name, ModelToSave(with_columns(pipeline), rows(), "k", {}, {}))
    assert run.client.search_registered_models(f"name='{name}'") == []


@pytest.mark.parametrize("file", ["model.skops", "MLmodel", "requirements.txt"])
@pytest.mark.parametrize("estimator", [XGBClassifier(n_estimators=2), LogisticRegression()], ids=["native", "plain"])
def test_files_that_are_not_those_that_were_registered_are_refused(run: MlflowRun, uri: str, estimator: Any, file: str) -> None:
    """One byte is enough: what reads the state of a booster does not check it."""
    name = f"team.m{uuid.uuid4().hex[:8]}"
    version, _ = register(run.client, run.run_id, name, to_save(estimator))
    registered = run.client.get_model_version(name, str(version))
    with temp_folder("altered") as folder:
        whole = download_version(run.client, registered, folder)
        content = bytearray((whole / file).read_bytes())
        content[len(content) // 2] ^= 1
        (whole / file).write_bytes(bytes(content))
        run.client.log_model_artifacts(str(registered.source).removeprefix("models:/"), str(whole))
    with pytest.raises(UntrustedModelError, match="are not those that were registered"):
        load_trusted(uri, name, version)


@pytest.mark.parametrize(
    ("estimator", "refused"), [(LGBMClassifier(n_estimators=2, verbose=-1), True), (LogisticRegression(), False)]
)
def test_without_a_digest_in_the_registry_only_plain_types_are_loaded(
    run: MlflowRun, uri: str, estimator: Any, refused: bool
) -> None:
    name = f"team.m{uuid.uuid4().hex[:8]}"
    version, _ = register(run.client, run.run_id, name, to_save(estimator))
    run.client.delete_model_version_tag(name, str(version), FILES)
    if refused:
        with pytest.raises(UntrustedModelError, match="trusted only with a digest of the files"):
            load_trusted(uri, name, version)
    else:
        load_trusted(uri, name, version)


@pytest.mark.parametrize(
    ("tag", "value"), [(CLASSES, '["True", "False"]'), (CLASSES, '["a", "b", "c"]'), (THRESHOLD, "0.99"), (THRESHOLD, "none")]
)
def test_tags_that_say_something_else_than_the_files_are_refused(run: MlflowRun, uri: str, tag: str, value: str) -> None:
    """Gateway, shadow and gate read classes and threshold from the tags, which nothing else protects."""
    name = f"team.m{uuid.uuid4().hex[:8]}"
    made = to_save(LogisticRegression())
    made.model.threshold = 0.3
    tags = {CLASSES: json.dumps(list(made.model.classes)), THRESHOLD: "0.3"}
    version, _ = register(run.client, run.run_id, name, replace(made, tags=tags))
    assert load_trusted(uri, name, version).get_raw_model().threshold == 0.3
    run.client.set_model_version_tag(name, str(version), tag, value)
    with pytest.raises(
        UntrustedModelError, match=r"the tags taxiway.classes and taxiway.threshold .* but its files have the classes"
    ):
        load_trusted(uri, name, version)


def test_a_model_lists_the_packages_that_it_needs(run: MlflowRun) -> None:
    name = f"team.m{uuid.uuid4().hex[:8]}"
    version, _ = register(run.client, run.run_id, name, to_save(LGBMClassifier(n_estimators=2, verbose=-1)))
    with temp_folder("model") as folder:
        files = download_version(run.client, run.client.get_model_version(name, str(version)), folder)
        assert f"lightgbm=={installed('lightgbm')}" in (files / "requirements.txt").read_text().split()


def test_a_model_that_brings_its_own_trust_list_is_refused_before_load(tmp_path: Path) -> None:
    import mlflow.sklearn

    canary = tmp_path / "canary"
    canary.mkdir()
    model = make_pipeline(FunctionTransformer(os.listdir), LogisticRegression())
    folder = tmp_path / "model"
    mlflow.sklearn.save_model(
        model, str(folder), serialization_format="skops", skops_trusted_types=["posix.listdir"], pip_requirements=["skops"]
    )
    with pytest.raises(UntrustedModelError, match=r"MLmodel lists types .*posix\.listdir"):
        check_model(folder)
    # ... and where MLmodel hides what the file needs.
    _edit(folder, lambda conf: conf["flavors"]["sklearn"].update(skops_trusted_types=[]))
    with pytest.raises(UntrustedModelError, match=r"the model file needs types .*posix\.listdir"):
        check_model(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["flavors"]["python_function"].update(loader_module="os"), 'loader_module is "os"'),
        (lambda c: c["flavors"]["sklearn"].update(serialization_format="pickle"), 'serialization_format is "pickle"'),
        (lambda c: c["flavors"]["sklearn"].update(code="code"), 'code is "code"'),
        (lambda c: c["flavors"]["python_function"].update(data="inner"), 'MLmodel has the keys "data"'),
        (lambda c: c["flavors"]["python_function"].update(config={"a": 1}), 'MLmodel has the keys "config"'),
        (lambda c: c["flavors"]["sklearn"].update(uv_project="x"), 'MLmodel has the keys "uv_project"'),
        (lambda c: c["flavors"].update(other={}), "flavors are"),
        (lambda c: c.pop("flavors"), "flavors are"),
        (lambda c: c["flavors"]["sklearn"].update(pickled_model="../../etc/passwd"), "two flavors name different"),
    ],
)
def test_a_saved_model_of_another_shape_is_refused(tmp_path: Path, change: Any, words: str) -> None:
    folder = _saved(tmp_path)
    check_model(folder)
    _edit(folder, change)
    with pytest.raises(UntrustedModelError, match=words):
        check_model(folder)


def test_a_model_file_outside_its_folder_is_refused(tmp_path: Path) -> None:
    folder = _saved(tmp_path)
    outside = tmp_path / "model.skops"
    outside.write_bytes((folder / "model.skops").read_bytes())

    def point_outside(conf: dict[str, Any]) -> None:
        conf["flavors"]["sklearn"]["pickled_model"] = "../model.skops"
        conf["flavors"]["python_function"]["model_path"] = "../model.skops"

    _edit(folder, point_outside)
    with pytest.raises(UntrustedModelError, match="a file in the folder itself"):
        check_model(folder)


@pytest.mark.parametrize(
    "text",
    ["", "- a\n", "flavors: 3\n", "\x00", "flavors: {python_function: 1, sklearn: 2}"],
    ids=["empty", "list", "number", "nul", "no mappings"],
)
def test_a_broken_mlmodel_is_refused_in_a_short_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(UntrustedModelError) as caught:
        check_model(tmp_path)
    assert len(str(caught.value)) < 1000
    with pytest.raises(UntrustedModelError, match="has no MLmodel file"):
        check_model(tmp_path / "nothing")


@pytest.mark.parametrize(
    "reader",
    [CountVectorizer(input="filename", analyzer="char"), make_pipeline(CountVectorizer(analyzer="char"), memory="cache")],
    ids=["files", "cache"],
)
def test_a_model_of_trusted_types_that_reads_files_is_not_used(run: MlflowRun, uri: str, tmp_path: Path, reader: Any) -> None:
    import mlflow.sklearn

    secret, name = tmp_path / "secret", f"team.m{uuid.uuid4().hex[:8]}"
    secret.write_text("abc")
    model = make_pipeline(reader, LinearRegression()).fit([str(secret)] * 2, [0, 1])
    mlflow.sklearn.save_model(
        model, str(tmp_path / "model"), serialization_format="skops", skops_trusted_types=[], pip_requirements=["skops"]
    )
    check_model(tmp_path / "model")  # all of its types are trusted
    logged = run.client.create_logged_model(run.experiment_id)
    run.client.log_model_artifacts(logged.model_id, str(tmp_path / "model"))
    run.client.create_registered_model(name)
    run.client.create_model_version(name, source=f"models:/{logged.model_id}", model_id=logged.model_id, await_creation_for=0)
    with pytest.raises(UntrustedModelError, match=r"(input|memory) is"):
        load_trusted(uri, name, 1)
    with pytest.raises(UntrustedModelError, match=r"(input|memory) is"):
        register(run.client, run.run_id, name, ModelToSave(with_columns(model), rows(), "k", {}, {}))


def test_a_model_within_the_model_is_not_loaded(run: MlflowRun, uri: str, tmp_path: Path) -> None:
    """MLflow would follow `data` into an inner folder, read its MLmodel, and unpickle what that names."""
    name, canary = f"team.m{uuid.uuid4().hex[:8]}", tmp_path / "canary"
    logged = run.client.create_logged_model(run.experiment_id)
    folder = _saved(tmp_path)
    _edit(folder, lambda conf: conf["flavors"]["python_function"].update(data="inner"))
    inner = folder / "inner"
    inner.mkdir()
    (inner / "MLmodel").write_text(yaml.safe_dump({"flavors": {"sklearn": {"pickled_model": "m.pkl"}}}))
    (inner / "m.pkl").write_bytes(f"cposix\nmkdir\n(V{canary}\ntR.".encode())
    run.client.log_model_artifacts(logged.model_id, str(folder))
    run.client.create_registered_model(name)
    run.client.create_model_version(name, source=f"models:/{logged.model_id}", model_id=logged.model_id)
    with pytest.raises(UntrustedModelError, match='MLmodel has the keys "data"'):
        load_trusted(uri, name, 1)
    assert not canary.exists()


def _register_in_child(url: str, run_id: str, name: str) -> None:
    register(MlflowClient(url), run_id, name, to_save(LogisticRegression(), "one"))


def _is_write(method: str, path: str) -> bool:
    return method != "GET" and not path.endswith("/search")


def test_a_kill_at_any_request_of_a_registration_leaves_a_retry_one_version(mlflow_url: str) -> None:
    """A kill between two reads leaves what a kill after the last write leaves, so it is killed at the first request after each."""
    requests: list[tuple[str, str]] = []
    run = _open(mlflow_url)
    with in_front_of(mlflow_url, lambda n, method, path: requests.append((method, path)) or "pass") as proxy:
        _register_in_child(proxy, run.run_id, f"team.k{uuid.uuid4().hex[:8]}")
    after_writes = [0, *(number for number in range(1, len(requests)) if _is_write(*requests[number - 1]))]
    assert len(after_writes) > 5
    for fatal in after_writes:
        name = f"team.k{uuid.uuid4().hex[:8]}"
        victims: list[Any] = []

        def kill(number: int, method: str, path: str, fatal: int = fatal, victims: list[Any] = victims) -> str:
            if number == fatal:
                victims[0].kill()
                return "refuse"
            return "pass"

        with in_front_of(mlflow_url, kill) as proxy:
            child = multiprocessing.get_context("fork").Process(target=_register_in_child, args=(proxy, run.run_id, name))
            victims.append(child)
            child.start()
            child.join(PATIENCE_S)
        assert child.exitcode == -9, requests[fatal]
        version, _ = register(run.client, run.run_id, name, to_save(LogisticRegression(), "one"))
        assert version == 1
        assert len(run.client.search_model_versions(f"name='{name}'")) == 1, requests[fatal]
        assert load_trusted(mlflow_url, name, 1) is not None


def _saved(tmp_path: Path) -> Path:
    import mlflow.sklearn

    folder = tmp_path / "model"
    mlflow.sklearn.save_model(
        make_pipeline(LogisticRegression().fit([[0], [1]], [0, 1])), str(folder), pip_requirements=["skops"]
    )
    return folder


def _edit(folder: Path, change: Any) -> None:
    path = folder / "MLmodel"
    conf = yaml.safe_load(path.read_text())
    change(conf)
    path.write_text(yaml.safe_dump(conf))
