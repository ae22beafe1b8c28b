"""Serves one model version: its workers, the queue in front of them, and batching."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from taxiway.errors import ModelUnavailableError, RestartDelayedError, WorkerDiedError, WorkerLostError
from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.pending_request import Batch, PendingRequest
from taxiway.serving.protocol import MAX_CELLS, PickledRows, Rows
from taxiway.serving.workers.base import Outcome, PredictBackend

log = logging.getLogger(__name__)

_BATCH_ROWS = 256


class VersionServer:
    """All workers of one model version, and the queue in front of them.

    Args:
        model: The registered model.
        version: Its version.
        backends: The workers.
        limit: How many items may wait in the queue; an item is a list of requests.
        batching: Whether a worker takes further items of the queue, up to about 256 rows, with the first one: a predict call costs
            about the same for one row as for many.
        on_answered: Called in the event loop with each answered batch.
    """

    def __init__(
        self,
        model: str,
        version: int,
        backends: Sequence[PredictBackend],
        *,
        limit: int,
        batching: bool,
        on_answered: Callable[[Batch], None],
    ) -> None:
        self._name = f"{model} version {version}"
        self._backends = backends
        self._batching = batching
        self._on_answered = on_answered
        self._queue: asyncio.Queue[list[PendingRequest]] = asyncio.Queue(limit)
        self._unanswered = 0  # requests, queued or in progress
        self._serve_tasks: list[asyncio.Task[None]] = []
        self._unloadable: dict[PredictBackend, ModelUnavailableError] = {}  # why they could not be loaded at the last try
        self._unloadable_changed = asyncio.Event()
        self._killed = False

    @property
    def unanswered(self) -> int:
        """How many requests are queued or in progress."""
        return self._unanswered

    @property
    def plan(self) -> str:
        """How the workers predict, see `Predictor.plan`; empty if that is not known."""
        return self._backends[0].plan

    @property
    def columns(self) -> ModelColumns | None:
        """The columns that the model takes; None if that is not known."""
        return self._backends[0].columns

    @property
    def restarts(self) -> int:
        """How often a worker has been restarted."""
        return sum(backend.restarts for backend in self._backends)

    @property
    def restart_delay(self) -> RestartDelayedError | None:
        """Why a worker is not restarted yet; None if no worker waits."""
        return next((error for error in self._unloadable.values() if isinstance(error, RestartDelayedError)), None)

    async def start(self) -> None:
        """Load the model in every worker, then start to take requests.

        Raises:
            ModelUnavailableError: A worker cannot load it; all processes have been ended.
        """
        try:
            await asyncio.gather(*(backend.ensure_loaded() for backend in self._backends))
        except BaseException:
            self.kill()
            raise
        self._serve_tasks = [asyncio.create_task(self._serve(backend)) for backend in self._backends]

    def try_submit(self, requests: list[PendingRequest]) -> bool:
        """Queue requests as one item; returns False if the queue is full."""
        try:
            self._queue.put_nowait(requests)
        except asyncio.QueueFull:
            return False
        self._unanswered += len(requests)
        return True

    async def restart_dead(self) -> str:
        """Restart workers that died while they were idle, except those whose restart is delayed, see `restart_delay`.

        Returns:
            Why a worker cannot be restarted now; empty if all run, or are started later.

        Raises:
            WorkerLostError: A worker is gone that the gateway cannot restart.
        """
        results = await asyncio.gather(*(backend.ensure_loaded() for backend in self._backends), return_exceptions=True)
        failed = ""
        for backend, error in zip(self._backends, results, strict=True):
            self._note(backend, error if isinstance(error, ModelUnavailableError) else None)
            if isinstance(error, RestartDelayedError):
                continue
            if isinstance(error, ModelUnavailableError) and not isinstance(error, WorkerLostError):
                failed = str(error)
            elif error is not None:
                raise error
        return failed

    async def drain(self, timeout_s: float) -> None:
        """Answer the queued requests, for at most `timeout_s` seconds, then end the processes."""
        try:
            await asyncio.wait_for(self._queue.join(), timeout_s)
        except TimeoutError:
            log.warning("%s: stopped with %d unanswered requests after %g s", self._name, self._unanswered, timeout_s)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the processes; queued requests are answered with an error."""
        self._killed = True
        for task in self._serve_tasks:
            task.cancel()
        for backend in self._backends:
            backend.stop()
        while not self._queue.empty():
            self._finish_with(self._queue.get_nowait(), _STOPPED)

    async def wait_closed(self) -> None:
        """Wait until the requests in progress are answered and all connections are closed, after `kill`."""
        await asyncio.gather(
            *self._serve_tasks, *(backend.wait_stopped() for backend in self._backends), return_exceptions=True
        )

    async def _serve(self, backend: PredictBackend) -> None:
        # `asyncio.wait_for` swallows a cancellation that comes together with its result (Python 3.11), so the flag is needed, too.
        while not self._killed:
            await self._until_needed(backend)
            taken = [await self._queue.get()]
            if self._batching:
                taken += self._take_more(taken[0])
            batch = [request for requests in taken for request in requests]
            try:
                self._finish(await self._outcomes(backend, batch))
            except asyncio.CancelledError:
                self._finish_with(batch, _STOPPED)
                raise
            finally:
                for _ in taken:
                    self._queue.task_done()

    async def _until_needed(self, backend: PredictBackend) -> None:
        """Wait while a worker cannot be loaded and another one can: it would take requests only to fail them."""
        while backend in self._unloadable and len(self._unloadable) < len(self._backends):
            await self._unloadable_changed.wait()

    def _note(self, backend: PredictBackend, error: ModelUnavailableError | None) -> None:
        """Note why a worker cannot be loaded, or with None that it can."""
        if (error is not None) != (backend in self._unloadable):
            self._unloadable_changed.set()  # wakes up those that wait now
            self._unloadable_changed.clear()
        if error is not None:
            self._unloadable[backend] = error
        else:
            self._unloadable.pop(backend, None)

    def _finish(self, answered: Batch) -> None:
        self._unanswered -= len(answered)
        try:
            self._on_answered(answered)
        except Exception:  # the worker has to continue with the next batch
            log.exception("%s: an answered batch of %d requests could not be processed", self._name, len(answered))

    def _finish_with(self, batch: list[PendingRequest], outcome: Outcome) -> None:
        self._finish([(request, outcome) for request in batch])

    def _take_more(self, first: list[PendingRequest]) -> list[list[PendingRequest]]:
        more: list[list[PendingRequest]] = []
        rows, cells = _size(first)
        while rows < _BATCH_ROWS and cells < MAX_CELLS and not self._queue.empty():
            more.append(self._queue.get_nowait())
            size = _size(more[-1])
            rows, cells = rows + size[0], cells + size[1]
        return more

    async def _outcomes(self, backend: PredictBackend, batch: list[PendingRequest]) -> Batch:
        """The outcomes of a batch. If the worker dies, each request is retried alone, so that it cannot fail the others."""
        try:
            return list(zip(batch, await self._predict(backend, [request.rows for request in batch]), strict=True))
        except WorkerDiedError:
            log.warning("%s: a worker died during a batch of %d requests; they are retried one by one", self._name, len(batch))
        except Exception as error:
            return [(request, _outcome_of(error)) for request in batch]
        return [(request, await self._retry(backend, request, index)) for index, request in enumerate(batch)]

    async def _retry(self, backend: PredictBackend, request: PendingRequest, call_index: int) -> Outcome:
        try:
            return replace((await self._predict(backend, [request.rows]))[0], call=call_index)
        except Exception as error:
            return replace(_outcome_of(error), call=call_index)

    async def _predict(self, backend: PredictBackend, rows: Sequence[Rows | PickledRows]) -> list[Outcome]:
        """Predict with a worker, or with another one if it cannot be loaded."""
        try:
            outcomes = await backend.predict(rows)
        except ModelUnavailableError as error:
            self._note(backend, error)
            for other in self._backends:
                if other not in self._unloadable:
                    return await self._predict(other, rows)
            raise
        self._note(backend, None)
        return outcomes


def _size(requests: list[PendingRequest]) -> tuple[int, int]:
    """The rows and the cells of requests."""
    rows = [request.rows for request in requests]
    return sum(each.row_count for each in rows), sum(each.cells for each in rows)


def _outcome_of(error: Exception) -> Outcome:
    """The outcome of a request that no worker answered."""
    if isinstance(error, WorkerDiedError):
        return _error_outcome(500, "the worker process died twice during this request")
    if isinstance(error, TimeoutError):
        return _error_outcome(504, "the model did not answer in time; its worker was restarted")
    if not isinstance(error, ModelUnavailableError):
        log.error("a worker failed during a predict call", exc_info=error)
        return replace(_error_outcome(503, str(error)), admin_only=True)
    return replace(_error_outcome(503, str(error)), retry_after_s=error.retry_after_s, admin_only=True)


def _error_outcome(status: int, error: str) -> Outcome:
    return Outcome(status, "", error, 0.0, 0)


_STOPPED = _error_outcome(503, "the gateway stopped serving this version")
