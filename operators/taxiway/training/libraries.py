"""The libraries of estimators beside scikit-learn, and the packages that they are installed from."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

BOOSTING = ("catboost", "lightgbm", "xgboost")
"""The libraries of boosting."""
_PACKAGES = {
    "catboost": ("catboost",),
    "lightgbm": ("lightgbm",),
    "onnx": ("onnxruntime",),
    "xgboost": ("xgboost", "xgboost-cpu"),
}
"""The packages that may have a library."""
_ONNX_TYPE = "taxiway.models.onnx_model.OnnxModel"


def library_of(estimator: Any) -> str:
    """The library of an estimator, such as `sklearn`."""
    return type(estimator).__module__.partition(".")[0]


def packages_of(paths: Iterable[str]) -> tuple[str, ...]:
    """The installed packages of the libraries of dotted paths, such as `xgboost.sklearn.XGBClassifier`, but scikit-learn."""
    firsts = {"onnx" if path == _ONNX_TYPE else path.partition(".")[0] for path in paths}
    libraries = sorted(firsts & _PACKAGES.keys())
    return tuple(package for library in libraries for package in _PACKAGES[library] if _is_installed(package))


def any_packages() -> tuple[str, ...]:
    """The installed packages of all libraries, for functions that may use any of them."""
    return packages_of([*_PACKAGES, _ONNX_TYPE])


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
