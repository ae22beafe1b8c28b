"""One model version being served: its worker processes, the queue before them, and the batches that they take from it.

Champion and challenger are each a ModelReplica; neither knows of the other. Nothing here knows of HTTP, MLflow or the log.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

from taxiway.errors import ModelUnavailableError, WorkerLostError
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.base import PredictBackend
from taxiway.serving.workers.process import Outcome

log = logging.getLogger(__name__)

_GATHER_ROWS = 256


@dataclass(eq=False)
class PendingRequest:
    """A request on its way. `body` is its JSON as it came; `answered` is set once its outcome may be told."""

    body: str
    rows: Rows
    answered: asyncio.Future[tuple[int, Outcome]]
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    at: float = field(default_factory=time.time)


class ModelReplica:
    """A version with `workers` processes. Every dealt-with batch is told to `done`, in the event loop, right away.

    At most `limit` items wait; one item is a list of jobs. A worker takes one item, and with `batching` whatever else
    waits, as long as the rows stay few: a call costs about the same for one row as for many.
    """

    def __init__(
        self,
        workers: Sequence[PredictBackend],
        *,
        limit: int,
        batching: bool,
        done: Callable[[list[tuple[PendingRequest, Outcome]]], None],
    ) -> None:
        self._workers = workers
        self._gather = batching
        self._done = done
        self._queue: asyncio.Queue[list[PendingRequest]] = asyncio.Queue(limit)
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Load the model in every worker, then begin to take jobs. Raises ModelUnavailableError, and leaves no process then."""
        try:
            await asyncio.gather(*(each.ensure() for each in self._workers))
        except BaseException:
            self.kill()
            raise
        self._loops = [asyncio.create_task(self._serve(each)) for each in self._workers]

    def try_submit(self, jobs: list[PendingRequest]) -> bool:
        """Queue the jobs as one item; False if the queue is full. Never waits."""
        try:
            self._queue.put_nowait(jobs)
        except asyncio.QueueFull:
            return False
        return True

    async def restart_dead(self) -> None:
        """Replace workers that died while nobody asked them anything. Raises WorkerLostError where that is not in our hands."""
        for each in self._workers:
            try:
                await each.ensure()
            except WorkerLostError:
                raise
            except ModelUnavailableError as error:
                log.warning("%s", error)

    async def drain(self, timeout_s: float) -> None:
        """Deal with every queued job, at most this long, then end the processes."""
        try:
            await asyncio.wait_for(self._queue.join(), timeout_s)
        except TimeoutError:
            log.warning("stopped with %d items still waiting", self._queue.qsize())
        finally:
            self.kill()

    def kill(self) -> None:
        """End the processes; jobs that are still waiting are told that nobody serves them."""
        for loop in self._loops:
            loop.cancel()
        for each in self._workers:
            each.stop()
        while not self._queue.empty():
            self._done([(job, _failed(503, "the gateway stopped serving this version")) for job in self._queue.get_nowait()])

    async def _serve(self, worker_: PredictBackend) -> None:
        while True:
            taken = [await self._queue.get()]
            if self._gather:
                taken += self._gathered(taken[0])
            batch = [job for jobs in taken for job in jobs]
            try:
                self._done(await self._outcomes(worker_, batch))
            except asyncio.CancelledError:
                self._done([(job, _failed(503, "the gateway stopped serving this version")) for job in batch])
                raise
            finally:
                for _ in taken:
                    self._queue.task_done()

    def _gathered(self, first: list[PendingRequest]) -> list[list[PendingRequest]]:
        rows, more = sum(len(job.rows.data) for job in first), []
        while rows < _GATHER_ROWS and not self._queue.empty():
            more.append(self._queue.get_nowait())
            rows += sum(len(job.rows.data) for job in more[-1])
        return more

    async def _outcomes(self, worker_: PredictBackend, batch: list[PendingRequest]) -> list[tuple[PendingRequest, Outcome]]:
        """The outcome of each job. After a death each is tried once more, alone: one that kills its worker fails no other."""
        try:
            return list(zip(batch, await worker_.predict([job.rows for job in batch]), strict=True))
        except BrokenProcessPool:
            log.warning("a worker died with %d requests in flight; they are tried again", len(batch))
        except TimeoutError:
            return [(job, _failed(504, "the model did not answer in time; its worker was replaced")) for job in batch]
        except Exception as error:
            return [(job, _failed(503, str(error))) for job in batch]
        return [(job, await self._again(worker_, job, call)) for call, job in enumerate(batch)]

    async def _again(self, worker_: PredictBackend, job: PendingRequest, call: int) -> Outcome:
        try:
            outcome = (await worker_.predict([job.rows]))[0]
        except BrokenProcessPool:
            return _failed(500, "the worker process died twice over this request")
        except TimeoutError:
            return _failed(504, "the model did not answer in time; its worker was replaced")
        except Exception as error:
            return _failed(503, str(error))
        return Outcome(outcome.status, outcome.predictions, outcome.error, outcome.latency_ms, call)


def _failed(status: int, error: str) -> Outcome:
    return Outcome(status, "", error, 0.0, 0)
