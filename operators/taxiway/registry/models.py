"""Models in MLflow: saving a fitted scikit-learn pipeline as a registered version, once; loading one after it was checked."""

import json
import tempfile
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import UntrustedModelError
from taxiway.registry.trust import TRUSTED_TYPES, check_model, untrusted_types
from taxiway.tracking import tags

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.pyfunc import PyFuncModel
    from mlflow.types import Schema

_REQUIREMENTS = ("mlflow-skinny", "numpy", "pandas", "scikit-learn", "skops")


@dataclass(frozen=True)
class ModelToSave:
    """A fitted pipeline, the rows that its signature and example are made of, and the digest that makes it this candidate."""

    pipeline: Any
    example: "pd.DataFrame"
    key: str
    tags: dict[str, str]
    params: dict[str, str]


def find_version(client: "MlflowClient", model: str, key: str) -> int | None:
    """The version of `model` that was registered for the candidate `key`, or None."""
    found = client.search_model_versions(f"name='{model}' and tags.`{tags.CANDIDATE}`='{key}'")
    return min((int(version.version) for version in found), default=None)


def register(client: "MlflowClient", run_id: str, model: str, to_save: ModelToSave) -> int:
    """Save the model and register it as a version of `model`; returns the version, the first one if it is there already.

    The version is the last thing written and carries its key from the start, so a kill before it leaves no version.
    """
    from mlflow.entities import LoggedModelOutput

    known = find_version(client, model, to_save.key)
    if known is not None:
        return known
    trusted = _types_to_trust(to_save.pipeline)
    experiment = client.get_run(run_id).info.experiment_id
    logged = client.create_logged_model(
        experiment, name=model.replace(".", "_"), source_run_id=run_id, tags=to_save.tags, params=to_save.params
    )
    with tempfile.TemporaryDirectory(prefix="taxiway-") as folder:
        path = Path(folder) / "model"
        _save(to_save, path, trusted, run_id=run_id, model_id=logged.model_id)
        client.log_model_artifacts(logged.model_id, str(path))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    _ensure_registered_model(client, model)
    created = client.create_model_version(
        model,
        source=f"models:/{logged.model_id}",
        run_id=run_id,
        model_id=logged.model_id,
        tags={**to_save.tags, tags.CANDIDATE: to_save.key},
        await_creation_for=0,  # over HTTP it is there at once; waiting only logs that it waits
    )
    return int(created.version)


def classes_of(client: "MlflowClient", model: str, version: int) -> tuple[str, ...]:
    """The label's values that a version tells apart, as text, in the order of its probabilities; empty for a regression."""
    return tuple(json.loads(client.get_model_version(model, str(version)).tags.get(tags.CLASSES, "[]")))


def load_trusted(tracking_uri: str, model: str, version: int) -> "PyFuncModel":
    """Load a registered version for scoring: its files are fetched, checked against our own allow-list, then loaded.

    Raises UntrustedModelError before anything of the model is run.
    """
    import mlflow.pyfunc
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts

    source = MlflowClient(tracking_uri).get_model_version(model, str(version))
    with tempfile.TemporaryDirectory(prefix="taxiway-") as folder:
        uri = artifact_uri(MlflowClient(tracking_uri), source)
        path = Path(download_artifacts(artifact_uri=uri, dst_path=folder, tracking_uri=tracking_uri))
        check_model(path)
        model_loaded: PyFuncModel = mlflow.pyfunc.load_model(str(path))
        return model_loaded


def artifact_uri(client: "MlflowClient", version: "ModelVersion") -> str:
    """Where the files of a model version lie: `models:/m-...` is looked up, anything else is already an address."""
    source = str(version.source)
    if source.startswith("models:/m-"):
        return str(client.get_logged_model(source.removeprefix("models:/")).artifact_location)
    return source


def _save(to_save: ModelToSave, path: Path, trusted: list[str], *, run_id: str, model_id: str) -> None:
    import mlflow.sklearn
    from mlflow.models import Model, ModelSignature, infer_signature

    # Classifiers answer with probabilities, regressors have none.
    answer = "predict_proba" if hasattr(to_save.pipeline, "predict_proba") else "predict"
    answers = getattr(to_save.pipeline, answer)(to_save.example)
    mlflow.sklearn.save_model(
        to_save.pipeline,
        str(path),
        mlflow_model=Model(run_id=run_id, model_id=model_id),
        signature=ModelSignature(_inputs(to_save.example), infer_signature(to_save.example, answers).outputs),
        input_example=to_save.example.head(3),
        # Named here, because finding them out by importing everything costs MLflow eight seconds.
        pip_requirements=[f"{name}=={installed(name)}" for name in _REQUIREMENTS],
        serialization_format="skops",
        skops_trusted_types=trusted,
        pyfunc_predict_fn=answer,
    )


def _inputs(example: "pd.DataFrame") -> "Schema":
    """The model's columns by their types; what a few rows hold does not matter. Each column must be there, its values may be null."""
    from mlflow.types import ColSpec, Schema

    kinds = {name: "double" if kind.kind == "f" else "string" for name, kind in example.dtypes.items()}
    return Schema([ColSpec(kind, str(name)) for name, kind in kinds.items()])


def _types_to_trust(pipeline: Any) -> list[str]:
    import skops.io

    with tempfile.TemporaryDirectory(prefix="taxiway-") as folder:
        path = Path(folder) / "model.skops"
        skops.io.dump(pipeline, path)
        needed = untrusted_types(path)
    beyond = sorted(set(needed) - TRUSTED_TYPES)
    if beyond:
        raise UntrustedModelError(
            f"the fitted model needs types that Taxiway does not trust: {', '.join(beyond)}; "
            "use an estimator of scikit-learn whose types are trusted: nothing was registered"
        )
    return needed


def _ensure_registered_model(client: "MlflowClient", model: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
