"""Models that are neither registered nor loaded: of other types, of another shape, or with changed files."""

import json
import os
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from lightgbm import LGBMClassifier
from registry.small_models import rows, to_save, with_columns
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from xgboost import XGBClassifier

from taxiway.errors import UntrustedModelError
from taxiway.registry.load import download_version, load_trusted
from taxiway.registry.register import ModelToSave, register
from taxiway.registry.trust import check_model
from taxiway.store import temp_folder
from taxiway.tracking.run import MlflowRun
from taxiway.tracking.tags import CLASSES, FILES, THRESHOLD


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
