"""Models in MLflow: registered once, whichever process is killed; loaded only if Taxiway's own list trusts them."""

import multiprocessing
import uuid
from importlib.metadata import version as installed
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from mlflow import MlflowClient
from registry.small_models import open_run, rows, to_save, with_columns
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from xgboost import XGBClassifier

from flaky import in_front_of
from helping import PATIENCE_S
from taxiway.registry.load import download_version, load_trusted
from taxiway.registry.register import ModelToSave, find_version, register
from taxiway.registry.version_tags import classes_from_tags
from taxiway.store import temp_folder
from taxiway.tracking.run import MlflowRun
from taxiway.tracking.tags import CANDIDATE, FILES

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


def test_a_model_lists_the_packages_that_it_needs(run: MlflowRun) -> None:
    name = f"team.m{uuid.uuid4().hex[:8]}"
    version, _ = register(run.client, run.run_id, name, to_save(LGBMClassifier(n_estimators=2, verbose=-1)))
    with temp_folder("model") as folder:
        files = download_version(run.client, run.client.get_model_version(name, str(version)), folder)
        assert f"lightgbm=={installed('lightgbm')}" in (files / "requirements.txt").read_text().split()


def _register_in_child(url: str, run_id: str, name: str) -> None:
    register(MlflowClient(url), run_id, name, to_save(LogisticRegression(), "one"))


def _is_write(method: str, path: str) -> bool:
    return method != "GET" and not path.endswith("/search")


def test_a_kill_at_any_request_of_a_registration_leaves_a_retry_one_version(mlflow_url: str) -> None:
    """A kill between two reads leaves what a kill after the last write leaves, so it is killed at the first request after each."""
    requests: list[tuple[str, str]] = []
    run = open_run(mlflow_url)
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
