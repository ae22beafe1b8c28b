"""The libraries of estimators beside scikit-learn, and the packages that they are installed from."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = {"lightgbm": ("lightgbm",), "xgboost": ("xgboost", "xgboost-cpu")}
"""The packages that may have a library."""


def packages_of(paths: Iterable[str]) -> tuple[str, ...]:
    """The installed packages of the libraries of dotted paths, such as `xgboost.sklearn.XGBClassifier`, but scikit-learn."""
    libraries = sorted({path.partition(".")[0] for path in paths} & _PACKAGES.keys())
    return tuple(package for library in libraries for package in _PACKAGES[library] if _is_installed(package))


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
