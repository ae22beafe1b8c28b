"""The protocol of all workers."""

from typing import Protocol

from taxiway.serving.protocol import Rows
from taxiway.serving.workers.process import Outcome


class PredictBackend(Protocol):
    """A worker with one model version: a process of the gateway, or a server elsewhere."""

    async def ensure(self) -> None:
        """Start the worker if it does not run, and wait until it can predict.

        Raises:
            ModelUnavailableError: The model cannot be loaded.
            WorkerLostError: The worker is gone and cannot be restarted.
        """

    async def predict(self, batch: list[Rows]) -> list[Outcome]:
        """Predict for a batch of requests; returns one outcome for each.

        Raises:
            BrokenProcessPool: The worker died; a retry may succeed.
            TimeoutError: It took too long.
            ModelUnavailableError: The model cannot be loaded, or the worker has been stopped.
        """

    def stop(self) -> None:
        """Stop the worker for good."""
