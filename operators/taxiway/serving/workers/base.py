"""What a worker must offer, wherever its model runs."""

from typing import Protocol

from taxiway.serving.protocol import Rows
from taxiway.serving.workers.process import Outcome


class PredictBackend(Protocol):
    """What a side asks of its workers: a process of the gateway's own, or a container elsewhere."""

    async def ensure(self) -> None:
        """Be ready to predict. Raises ModelUnavailableError where that cannot be."""

    async def predict(self, batch: list[Rows]) -> list[Outcome]:
        """The outcomes of a batch. Raises BrokenProcessPool where a second try may go better, TimeoutError, ModelUnavailableError."""

    def stop(self) -> None:
        """Predict no more."""
