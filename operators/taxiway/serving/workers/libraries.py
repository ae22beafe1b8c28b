"""The libraries of worker processes, which the fork server of `multiprocessing` imports once, before it forks them.

A worker then starts and loads a model in 0.3 s; importing MLflow and scikit-learn takes several seconds. The libraries must not be used
here, because thread pools that were used before a fork hang after it. The gateway's own process never imports this module.
"""

import contextlib
from importlib import import_module

_LIBRARIES = (
    "mlflow.pyfunc",
    "mlflow.sklearn",
    "pandas",
    "pyarrow",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "skops.io",
    "treelite.sklearn",
    "taxiway.features.fast_transform",
    "taxiway.models.fast_trees",
    "taxiway.models.predictor",
    "taxiway.models.row_model",
    "taxiway.registry.load",
)

for library in _LIBRARIES:
    with contextlib.suppress(ImportError):  # loading a model then reports the missing library
        import_module(library)

# To warn of a package of another version than a model was trained with, MLflow reads the file lists of all packages for a second, once
# in a process. The name is not public: without it, each worker does so itself.
with contextlib.suppress(ImportError, AttributeError):
    import_module("mlflow.utils.requirements_utils")._init_packages_to_modules_map()
