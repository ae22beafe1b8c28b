"""Which saved models may be loaded, decided from the model's files before any of their code is run.

MLflow trusts the types that a model lists in its own MLmodel file, so a model can vouch for itself. Taxiway loads a model only if
all of these types are also on its own list.
"""

from pathlib import Path
from typing import Any

import yaml

from taxiway.errors import UntrustedModelError

# The types that scikit-learn's estimators need beyond those that skops trusts, as skops.io.get_untrusted_types lists them. None of
# them can call anything that is not on a list itself.
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
# Any other key is refused: `data`, for example, would make MLflow read another MLmodel from a folder inside the model.
_PYFUNC_KEYS = {"env", "loader_module", "model_path", "predict_fn", "python_version"}
_SKLEARN_KEYS = {"code", "pickled_model", "serialization_format", "sklearn_version", "skops_trusted_types"}


def check_model(folder: Path) -> None:
    """Check that a saved model is a skops file of trusted types, without its own code; nothing is loaded.

    Raises:
        UntrustedModelError: It is not.
    """
    conf = _read_mlmodel(folder)
    flavors = conf.get("flavors")
    if not isinstance(flavors, dict):
        raise UntrustedModelError(
            f"{folder}: flavors are {flavors!r}; allowed: {sorted(_FLAVORS)}, as the train stage saves them"
        )
    if set(flavors) != _FLAVORS:
        raise UntrustedModelError(
            f"{folder}: flavors are {sorted(flavors)}; allowed: {sorted(_FLAVORS)}, as the train stage saves them"
        )
    pyfunc, sklearn = flavors["python_function"], flavors["sklearn"]
    _require(folder, "python_function.loader_module", pyfunc.get("loader_module"), "mlflow.sklearn")
    _require(folder, "sklearn.serialization_format", sklearn.get("serialization_format"), "skops")
    for flavor, allowed in ((pyfunc, _PYFUNC_KEYS), (sklearn, _SKLEARN_KEYS)):
        _require(folder, "code", flavor.get("code"), None)
        beyond = sorted(set(flavor) - allowed)
        if beyond:
            raise UntrustedModelError(
                f"{folder}: MLmodel has the keys {', '.join(beyond)}; allowed: {', '.join(sorted(allowed))}; it was not loaded"
            )
    if pyfunc.get("model_path") != sklearn.get("pickled_model"):
        raise UntrustedModelError(f"{folder}: the two flavors name different model files; train the model again")
    _check_types(folder, "MLmodel lists", sklearn.get("skops_trusted_types") or [])
    _check_types(folder, "the model file needs", untrusted_types(folder / _file_name(folder, sklearn)))


def untrusted_types(path: Path) -> list[str]:
    """The types that a skops file needs beyond those that skops trusts."""
    import skops.io

    return sorted(skops.io.get_untrusted_types(file=path))


def _check_types(folder: Path, subject: str, types: list[str]) -> None:
    beyond = sorted(set(types) - TRUSTED_TYPES)
    if beyond:
        raise UntrustedModelError(
            f"{folder}: {subject} types that Taxiway does not trust: {', '.join(beyond)}; it was not loaded. "
            f"Allowed besides the types that skops trusts: {', '.join(sorted(TRUSTED_TYPES))}"
        )


def _require(folder: Path, key: str, got: Any, wanted: str | None) -> None:
    if got != wanted:
        raise UntrustedModelError(f"{folder}: {key} is {got!r}; allowed: {wanted!r}; it was not loaded")


def _file_name(folder: Path, sklearn: dict[str, Any]) -> str:
    name = str(sklearn.get("pickled_model"))
    if Path(name).name != name or not (folder / name).is_file():
        raise UntrustedModelError(f"{folder}: MLmodel names the model file {name!r}; allowed: a file in the folder itself")
    return name


def _read_mlmodel(folder: Path) -> dict[str, Any]:
    path = folder / "MLmodel"
    if not path.is_file():
        raise UntrustedModelError(f"{folder} has no MLmodel file, so it is not a saved model")
    try:
        conf = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UntrustedModelError(f"{path} is not YAML: {error}") from error
    if not isinstance(conf, dict):
        raise UntrustedModelError(f"{path} is not a YAML mapping, so it is not the file of a saved model")
    return conf
