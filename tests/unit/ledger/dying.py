"""A client of MLflow that ends before one of its requests, as a process that was killed."""

from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient


class KilledError(Exception):
    """Stands for kill -9 before a request."""


class Dying:
    """A client whose process ends before the request with this number."""

    def __init__(self, client: MlflowClient, last: int) -> None:
        self._client, self._left = client, last

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def request(*args: Any, **kwargs: Any) -> Any:
            if self._left == 0:
                raise KilledError
            self._left -= 1
            return getattr(self._client, name)(*args, **kwargs)

        return request
