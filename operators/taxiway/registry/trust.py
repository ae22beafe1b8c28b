"""Which saved models may be loaded at all: decided from the model's files, before anything in them is run.

MLflow trusts the list of types that a model brings along in its own MLmodel file, so a model can vouch for itself. Here our
list decides, and the model's must be a part of it.
"""

from pathlib import Path
from typing import Any

import yaml

from taxiway.errors import UntrustedModelError

# What scikit-learn's own estimators need beyond the types that skops trusts by itself. Each was read from the list that
# skops.io.get_untrusted_types gives for one of them. None can call what is not itself on a list.
TRUSTED_TYPES = frozenset(
    {
        "functools.partial",
        "numpy.dtype",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils.validation.check_array",
    }
)
_FLAVORS = {"python_function", "sklearn"}
# Every other key is refused: `data`, for one, would make MLflow read another MLmodel, from a folder inside the model.
_PYFUNC_KEYS = {"env", "loader_module", "model_path", "predict_fn", "python_version"}
_SKLEARN_KEYS = {"code", "pickled_model", "serialization_format", "sklearn_version", "skops_trusted_types"}


def check_model(folder: Path) -> None:
    """Raise UntrustedModelError unless the saved model in `folder` is a skops file of trusted types, without code of its own.

    Reads MLmodel and the header of the skops file; loads nothing.
    """
    conf = _read_mlmodel(folder)
    flavors = conf.get("flavors")
    if not isinstance(flavors, dict):
        raise UntrustedModelError(f"{folder}: flavors are {flavors!r}; allowed: {sorted(_FLAVORS)}, as `train` saves them")
    if set(flavors) != _FLAVORS:
        raise UntrustedModelError(
            f"{folder}: flavors are {sorted(flavors)}; allowed: {sorted(_FLAVORS)}, as `train` saves them"
        )
    pyfunc, sklearn = flavors["python_function"], flavors["sklearn"]
    _require(folder, "python_function.loader_module", pyfunc.get("loader_module"), "mlflow.sklearn")
    _require(folder, "sklearn.serialization_format", sklearn.get("serialization_format"), "skops")
    for flavor, allowed in ((pyfunc, _PYFUNC_KEYS), (sklearn, _SKLEARN_KEYS)):
        _require(folder, "code", flavor.get("code"), None)
        beyond = sorted(set(flavor) - allowed)
        if beyond:
            raise UntrustedModelError(
                f"{folder}: MLmodel has {', '.join(beyond)}; allowed: {', '.join(sorted(allowed))}; it was not loaded"
            )
    if pyfunc.get("model_path") != sklearn.get("pickled_model"):
        raise UntrustedModelError(f"{folder}: the two flavors name different model files; save the model again with `train`")
    _check_types(folder, "MLmodel lists", sklearn.get("skops_trusted_types") or [])
    _check_types(folder, "the model file needs", untrusted_types(folder / _file_name(folder, sklearn)))


def untrusted_types(path: Path) -> list[str]:
    """The types that the skops file at `path` needs beyond those that skops trusts by itself."""
    import skops.io

    return sorted(skops.io.get_untrusted_types(file=path))


def _check_types(folder: Path, who: str, types: list[str]) -> None:
    beyond = sorted(set(types) - TRUSTED_TYPES)
    if beyond:
        raise UntrustedModelError(
            f"{folder}: {who} types that Taxiway does not trust: {', '.join(beyond)}; it was not loaded. "
            f"Trusted beyond skops' own: {', '.join(sorted(TRUSTED_TYPES))}"
        )


def _require(folder: Path, key: str, got: Any, wanted: str | None) -> None:
    if got != wanted:
        raise UntrustedModelError(f"{folder}: {key} is {got!r}; allowed: {wanted!r}; it was not loaded")


def _file_name(folder: Path, sklearn: dict[str, Any]) -> str:
    name = str(sklearn.get("pickled_model"))
    if Path(name).name != name or not (folder / name).is_file():
        raise UntrustedModelError(f"{folder}: MLmodel names the model file {name!r}; allowed: a file of the folder itself")
    return name


def _read_mlmodel(folder: Path) -> dict[str, Any]:
    path = folder / "MLmodel"
    if not path.is_file():
        raise UntrustedModelError(f"{folder} holds no MLmodel file: it is not a saved model")
    try:
        conf = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UntrustedModelError(f"{path} is not YAML: {error}") from error
    if not isinstance(conf, dict):
        raise UntrustedModelError(f"{path} is not a mapping: it is not a saved model")
    return conf
