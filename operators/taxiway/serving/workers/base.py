"""The protocol of all workers, and what they are sent and return."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from taxiway.features.signature import ModelColumns
from taxiway.serving.model_copy import ModelCopy
from taxiway.serving.protocol import PickledRows, Rows


@dataclass(frozen=True)
class ModelSource:
    """The model version that a worker loads.

    Attributes:
        loader: `module:function`, which is called with the folder of the copy and, if there is one, that of trusted code, and returns a
            pyfunc model.
        model: The registered model.
        version: Its version.
        copy: Its files on this machine.
        code: The folder of trusted code, for models of a team's own class; None if there is none.
    """

    loader: str
    model: str
    version: int
    copy: ModelCopy
    code: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """The outcome of a request.

    Attributes:
        status: The HTTP status: 200 for predictions, otherwise an error.
        predictions: The predictions as a JSON list; empty for an error.
        error: The error; empty if there is none.
        latency_ms: How long the predict call took, without waiting. It is the same for all requests of the call.
        call: The index of its predict call within the batch; requests with the same index were predicted together.
        retry_after_s: After how many seconds another try may succeed; None if that is not known.
        admin_only: Whether the error quotes the model, its libraries or the gateway, so that only callers with the scope admin see it.
    """

    status: int
    predictions: str
    error: str
    latency_ms: float
    call: int
    retry_after_s: float | None = None
    admin_only: bool = False


class PredictBackend(Protocol):
    """A worker with one model version: a process of the gateway, or a server elsewhere.

    Attributes:
        plan: How the loaded model predicts, see `Predictor.plan`; empty if that is not known.
        columns: The columns that the loaded model takes; None if that is not known.
        restarts: How often it has been restarted.
    """

    plan: str
    columns: ModelColumns | None
    restarts: int

    async def ensure_loaded(self) -> None:
        """Start the worker if it does not run, and wait until it can predict.

        Raises:
            ModelRefusedError: Loading the model fails permanently.
            ModelUnavailableError: The model cannot be loaded now.
            WorkerLostError: The worker is gone and cannot be restarted.
        """

    async def predict(self, batch: Sequence[Rows | PickledRows]) -> list[Outcome]:
        """Predict for a batch of requests; returns one outcome for each.

        Raises:
            WorkerDiedError: The worker died; a retry may succeed.
            TimeoutError: It took too long.
            ModelUnavailableError: The model cannot be loaded, or the worker has been stopped.
        """

    def stop(self) -> None:
        """Stop the worker for good."""

    async def wait_stopped(self) -> None:
        """Wait until everything that `stop` began has ended."""
