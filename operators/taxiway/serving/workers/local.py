"""A worker process of the gateway: it is started on demand, and killed if it does not answer in time."""

import asyncio
import multiprocessing
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver

from taxiway.errors import ModelLoadError, ModelRefusedError, ModelUnavailableError, TransientError, WorkerDiedError
from taxiway.serving.protocol import Rows
from taxiway.serving.workers import process as worker
from taxiway.serving.workers.base import ModelSource, Outcome

LIBRARIES = "taxiway.serving.workers.libraries"
"""The module that imports the libraries of worker processes."""


def start_fork_server() -> None:
    """Start the process that worker processes are forked from, unless it runs; it imports their libraries in the background."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(["taxiway.serving.workers.fork_server", LIBRARIES])
    forkserver.ensure_running()


class Worker:
    """One worker process, in its own pool, so that its death is noticed and does not affect other workers.

    Args:
        source: The model version to load.
        load_timeout_s: How long loading may take, in seconds.
        predict_timeout_s: How long a predict call may take, in seconds.

    Attributes:
        plan: How the loaded model predicts, see `Predictor.plan`; empty until it is loaded.
    """

    def __init__(self, source: ModelSource, *, load_timeout_s: float, predict_timeout_s: float) -> None:
        self._source = source
        self._load_timeout_s = load_timeout_s
        self._predict_timeout_s = predict_timeout_s
        self._pool: ProcessPoolExecutor | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._starting = asyncio.Lock()
        self._stopped = False
        self.plan = ""

    async def ensure_loaded(self) -> None:
        """Start the process if it does not run, and load the model.

        Raises:
            ModelRefusedError: The loader refused the model.
            ModelUnavailableError: The model cannot be loaded now, or the worker has been stopped.
        """
        async with self._starting:
            if self._stopped:
                raise ModelUnavailableError(f"{self._source.model} version {self._source.version} is no longer served")
            if self._pool is not None and self._process is not None and self._process.is_alive():
                return
            self.kill()
            try:
                self.plan = await asyncio.wait_for(asyncio.wrap_future(self._start()), self._load_timeout_s)
            except (ModelLoadError, TransientError, BrokenProcessPool, TimeoutError) as error:
                self.kill()
                why = f"it took more than {self._load_timeout_s:g} s" if isinstance(error, TimeoutError) else str(error)
                kind = ModelRefusedError if isinstance(error, ModelLoadError) else ModelUnavailableError
                raise kind(f"{self._source.model} version {self._source.version} could not be loaded: {why}") from None
            except asyncio.CancelledError:
                self.kill()
                raise

    def _start(self) -> Future[str]:
        """Start a process that loads the model and returns its plan.

        Raises:
            TransientError: It cannot be started now.
        """
        before = set(multiprocessing.active_children())
        try:
            start_fork_server()
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=worker.initialize_worker)
            return self._pool.submit(worker.load, self._source)  # this starts the process
        except (OSError, EOFError, RuntimeError) as error:  # of the fork server if it ends meanwhile; of a thread
            raise TransientError(f"no process can be started: {type(error).__name__}: {error}") from error
        finally:
            self._process = next(iter(set(multiprocessing.active_children()) - before), None)

    async def predict(self, batch: list[Rows]) -> list[Outcome]:
        """Predict for a batch of requests; returns one outcome for each.

        Raises:
            WorkerDiedError: The process died.
            TimeoutError: It took too long, and was killed.
            ModelUnavailableError: The model cannot be loaded, or the worker has been stopped.
        """
        await self.ensure_loaded()
        pool = self._pool
        if pool is None:
            raise ModelUnavailableError(f"{self._source.model} version {self._source.version} is no longer served")
        try:
            return await asyncio.wait_for(asyncio.wrap_future(pool.submit(worker.predict, batch)), self._predict_timeout_s)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Not this task was canceled, but the batch: `kill` drops what the process has not begun.
            raise WorkerDiedError(f"{self._source.model} version {self._source.version}: the process was killed") from error
        except (BrokenProcessPool, TimeoutError) as error:
            if self._pool is pool:  # otherwise another batch has already replaced it
                self.kill()
            if isinstance(error, TimeoutError):
                raise
            raise WorkerDiedError(f"{self._source.model} version {self._source.version}: {error}") from error

    def stop(self) -> None:
        """End the process for good."""
        self._stopped = True
        self.kill()

    async def wait_stopped(self) -> None:
        """Nothing is waited for: the process has been killed."""

    def kill(self) -> None:
        """End the process at once; the next batch starts a new one."""
        if self._process is not None:
            self._process.kill()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._process = None
