"""Training by a team's own function, `model.train`: any library whose result can be saved as data."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from taxiway.errors import ConfigError, FitError, TaxiwayError
from taxiway.messages import clipped, error_text
from taxiway.spec.metrics import Problem
from taxiway.spec.python_refs import look_up, same_process
from taxiway.training.own.data import TrainingData
from taxiway.training.own.training import MAX_ERROR, OwnTraining, estimator_of


class OwnFunction(OwnTraining):
    """The function of `model.train` with its parameters.

    Args:
        path: `FILE.py:function` or `package.module:function`.
        params: The parameters, which the function gets as one dict.
    """

    def __init__(self, path: str, params: Mapping[str, Any]) -> None:
        self._name = f"{Path(path.rpartition(':')[0]).name}:{path.rpartition(':')[2]}"
        self._folder = Path(path).parent if path.rpartition(":")[0].endswith(".py") else None
        self._function = look_up(path, ":", "model.train")
        self._params = params
        if not callable(self._function):
            raise ConfigError(
                f"model.train: {self._name} is not a function; allowed: a function of data, params and, if it wants, previous"
            )
        try:
            signature = inspect.signature(self._function)
            self.takes_previous = "previous" in signature.parameters
            signature.bind(None, {}, **({"previous": None} if self.takes_previous else {}))
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"model.train: {self._name} cannot be called with (data, params){': ' + str(error)}; allowed: a function of data, params and, "
                "if it wants the champion, previous"
            ) from error

    def require_previous(self) -> None:
        """Check that the function can start from the champion.

        Raises:
            ConfigError: It has no parameter `previous`.
        """
        if not self.takes_previous:
            raise ConfigError(
                f"the action warm_start needs a function that gets the champion's estimator, but {self._name} has no parameter previous; add "
                "it, or remove the action",
                key="monitor.retrain.actions",
            )

    def fit(self, data: TrainingData, problem: Problem, previous: Callable[[], Any]) -> Any:
        """Call the function; see `OwnTraining.fit`."""
        more = {"previous": previous()} if self.takes_previous else {}
        try:
            with same_process():
                made = self._function(data, dict(self._params), **more)
        except (MemoryError, TaxiwayError):
            raise
        except (Exception, SystemExit) as error:  # a team's code may raise anything
            why = clipped(error_text(error), MAX_ERROR)
            raise FitError(f"model.train: {self._name} raised {why}") from error
        return estimator_of(made, data, problem, f"model.train: {self._name}", self._folder)
