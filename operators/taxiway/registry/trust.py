"""Which saved models may be loaded and used, decided before any method of the model is called.

MLflow trusts the types that a model lists in its own MLmodel file, so a model can vouch for itself. Taxiway loads a model only if
all of these types are also on its own list, and uses it only if its parameters are harmless.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from taxiway.errors import UntrustedModelError
from taxiway.features.build import TRANSFORM_TYPES
from taxiway.messages import error_line, listed, quoted
from taxiway.spec.yaml_files.nesting import check_nesting
from taxiway.training.safe_parameters import unsafe_parameters

# The types that scikit-learn's estimators need beyond those that skops trusts, as skops.io.get_untrusted_types lists them. None of
# them can call anything that is not on a list itself.
TRUSTED_TYPES = TRANSFORM_TYPES | frozenset(
    {
        "functools.partial",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfGammaLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfPoissonLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels.ConstantKernel",
        "sklearn.gaussian_process.kernels.Product",
        "sklearn.gaussian_process.kernels.RBF",
        "sklearn.multiclass._ConstantPredictor",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils.validation.check_array",
        "taxiway.models.row_model.RowModel",
    }
)
THRESHOLD = "threshold"
"""The key of the decision threshold in the metadata of an MLmodel file."""
NATIVE_TYPES = frozenset(
    {
        "catboost.core.CatBoostClassifier",
        "catboost.core.CatBoostRegressor",
        "collections.OrderedDict",
        "collections.defaultdict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neighbors._kd_tree.KDTree",
        "taxiway.models.onnx_model.OnnxModel",
        "taxiway.models.own_model.OwnModel",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
        "xgboost.sklearn.XGBRegressor",
    }
)
"""Types whose state is read by C++ that does not check it, or by a team's code: altered bytes could do anything. They are trusted only
in files whose digest is the one that the registry has had since they were written."""
_MLMODEL_BYTES = 16 << 20
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
            f"{folder}: flavors are of type {type(flavors).__name__}; allowed: a mapping with {' and '.join(sorted(_FLAVORS))}"
        )
    if set(flavors) != _FLAVORS or not all(isinstance(flavor, dict) for flavor in flavors.values()):
        raise UntrustedModelError(
            f"{folder}: flavors are {listed(flavors)}; allowed: mappings named {' and '.join(sorted(_FLAVORS))}, as the train stage "
            "saves them"
        )
    pyfunc, sklearn = flavors["python_function"], flavors["sklearn"]
    _require(folder, "python_function.loader_module", pyfunc.get("loader_module"), "mlflow.sklearn")
    _require(folder, "sklearn.serialization_format", sklearn.get("serialization_format"), "skops")
    for flavor, allowed in ((pyfunc, _PYFUNC_KEYS), (sklearn, _SKLEARN_KEYS)):
        _require(folder, "code", flavor.get("code"), None)
        beyond = sorted(set(flavor) - allowed, key=str)
        if beyond:
            raise UntrustedModelError(
                f"{folder}: MLmodel has the keys {listed(beyond)}; allowed: {', '.join(sorted(allowed))}; it was not loaded"
            )
    if pyfunc.get("model_path") != sklearn.get("pickled_model"):
        raise UntrustedModelError(f"{folder}: the two flavors name different model files; train the model again")
    _check_types(folder, "MLmodel lists", sklearn.get("skops_trusted_types") or [])
    file = folder / _file_name(folder, sklearn)
    try:
        needed = untrusted_types(file)
    except Exception as error:  # of a file that may hold anything
        raise UntrustedModelError(f"{folder}: the model file cannot be read: {error_line(error)}; it was not loaded") from error
    _check_types(folder, "the model file needs", needed)


def described_in(folder: Path) -> tuple[tuple[str, ...], float | None]:
    """The classes and the decision threshold of a saved model, from its MLmodel file; no classes for a regression.

    Raises:
        UntrustedModelError: The file cannot be read.
    """
    conf = _read_mlmodel(folder)
    try:
        outputs = [str(column.get("name", "")) for column in json.loads(conf["signature"]["outputs"])]
        threshold = (conf.get("metadata") or {}).get(THRESHOLD)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UntrustedModelError(f"{folder}: MLmodel has no signature of Taxiway; train the model again") from error
    from taxiway.models.row_model import PROBABILITY

    prefix = PROBABILITY.format("")
    return tuple(name.removeprefix(prefix) for name in outputs if name.startswith(prefix)), threshold


def needs_native_types(folder: Path) -> bool:
    """Whether a saved model has types of `NATIVE_TYPES`. False if it is not a skops file; its loader then decides."""
    try:
        sklearn = _read_mlmodel(folder)["flavors"]["sklearn"]
        return not NATIVE_TYPES.isdisjoint(untrusted_types(folder / _file_name(folder, sklearn)))
    except Exception:  # of a file that may hold anything
        return False


def check_parameters(model: Any, name: str) -> None:
    """Check that the parameters of a loaded or fitted model are harmless; none of its methods is called.

    Args:
        model: The scikit-learn object.
        name: What it is, for the error.

    Raises:
        UntrustedModelError: They are not.
    """
    if unsafe := unsafe_parameters(model):
        raise UntrustedModelError(
            f"{name} has parameters that could read files, write caches or call code: {'; '.join(unsafe)}. Use other parameters"
        )


def untrusted_types(path: Path) -> list[str]:
    """The types that a skops file needs beyond those that skops trusts."""
    import skops.io

    return sorted(skops.io.get_untrusted_types(file=path))


def _check_types(folder: Path, subject: str, types: list[str]) -> None:
    beyond = sorted({str(name) for name in types} - TRUSTED_TYPES - NATIVE_TYPES)
    if beyond:
        raise UntrustedModelError(
            f"{folder}: {subject} types that Taxiway does not trust: {listed(beyond)}; it was not loaded. "
            f"Allowed besides the types that skops trusts: {', '.join(sorted(TRUSTED_TYPES))}"
        )


def _require(folder: Path, key: str, got: Any, wanted: str | None) -> None:
    if got != wanted:
        raise UntrustedModelError(f"{folder}: {key} is {quoted(got)}; allowed: {quoted(wanted)}; it was not loaded")


def _file_name(folder: Path, sklearn: dict[str, Any]) -> str:
    name = str(sklearn.get("pickled_model"))
    if Path(name).name != name or not (folder / name).is_file():
        raise UntrustedModelError(
            f"{folder}: MLmodel names the model file {quoted(name)}; allowed: a file in the folder itself"
        )
    return name


def _read_mlmodel(folder: Path) -> dict[str, Any]:
    path = folder / "MLmodel"
    if not path.is_file():
        raise UntrustedModelError(f"{folder} has no MLmodel file, so it is not a saved model")
    if path.stat().st_size > _MLMODEL_BYTES:
        raise UntrustedModelError(f"{path} has {path.stat().st_size:,} bytes; allowed: at most {_MLMODEL_BYTES:,}")
    try:
        text = path.read_text(encoding="utf-8")
        check_nesting(text)
        conf = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise UntrustedModelError(f"{path} is not a YAML file that may be read: {str(error)[:300]}") from error
    if not isinstance(conf, dict):
        raise UntrustedModelError(f"{path} is not a YAML mapping, so it is not the file of a saved model")
    return conf
