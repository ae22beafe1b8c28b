"""What model processes are forked from: the fork server of `multiprocessing` imports this module once, before any model is loaded.

A model process then starts in a tenth of a second, where importing MLflow and scikit-learn takes several. The libraries are
imported and not used: pools of threads that were used before a fork hang after it. The gateway's process never imports this.
"""

import contextlib
import signal

from taxiway.serving.workers.process import limit_threads

limit_threads()  # read when a library is loaded
# A service manager's SIGTERM to the whole group must not end what the gateway has not drained. The fork server ends with the gateway.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with contextlib.suppress(ImportError):  # a model is then told what it lacks when it is loaded
    import mlflow.pyfunc
    import mlflow.sklearn  # noqa: F401
    import pandas  # noqa: F401
    import sklearn.compose
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.pipeline
    import sklearn.preprocessing  # noqa: F401
    import skops.io  # noqa: F401
