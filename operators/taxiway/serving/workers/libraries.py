"""The libraries of worker processes, which the fork server of `multiprocessing` imports once, before it forks them.

A worker then starts in 0.1 s; importing MLflow and scikit-learn takes several seconds. The libraries must not be used here, because
thread pools that were used before a fork hang after it. The gateway's own process never imports this module.
"""

import contextlib

with contextlib.suppress(ImportError):  # loading a model then reports the missing library
    import mlflow.pyfunc
    import mlflow.sklearn  # noqa: F401
    import pandas  # noqa: F401
    import sklearn.compose
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.pipeline
    import sklearn.preprocessing  # noqa: F401
    import treelite.sklearn  # noqa: F401
