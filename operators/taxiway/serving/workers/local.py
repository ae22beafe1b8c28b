"""A worker process of the gateway: it is started on demand, and killed if it does not answer in time."""

import asyncio
import json
import multiprocessing
import socket
from collections.abc import Callable, Sequence
from multiprocessing import forkserver
from typing import Any

from pydantic import TypeAdapter

from taxiway.errors import ModelRefusedError, ModelUnavailableError, RestartDelayedError, TransientError, WorkerDiedError
from taxiway.features.signature import ModelColumns
from taxiway.serving.protocol import PickledRows, Rows
from taxiway.serving.workers import process as worker
from taxiway.serving.workers.base import ModelSource, Outcome
from taxiway.serving.workers.channel import Channel
from taxiway.serving.workers.restarts import SOON_S, Restarts

_LOADED = TypeAdapter(worker.LoadResult)
_Started = tuple[multiprocessing.process.BaseProcess, socket.socket]
LIBRARIES = "taxiway.serving.workers.libraries"
"""The module that imports the libraries of worker processes."""


def start_fork_server() -> None:
    """Start the process that worker processes are forked from, unless it runs; it imports their libraries in the background."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(["taxiway.serving.workers.fork_server", LIBRARIES])
    forkserver.ensure_running()


async def start_process(function: Callable[..., None], *arguments: Any) -> _Started:
    """Fork a process from the fork server, in a thread: waiting for it would delay other requests by 10 ms and more.

    Args:
        function: Its main function, which takes one end of a pair of sockets, and `arguments`.
        arguments: Further arguments.

    Returns:
        The process, and the other end.

    Raises:
        TransientError: It cannot be started now.
    """
    starting = asyncio.ensure_future(asyncio.to_thread(_start_process, function, arguments))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_end_unused)
        raise


def _end_unused(starting: asyncio.Future[_Started]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        process, end = starting.result()
        process.kill()
        end.close()


def _start_process(function: Callable[..., None], arguments: tuple[Any, ...]) -> _Started:
    own, other = socket.socketpair()
    try:
        start_fork_server()
        process = multiprocessing.get_context("forkserver").Process(target=function, args=(other, *arguments), daemon=True)
        process.start()
    except (OSError, EOFError, RuntimeError) as error:  # of the fork server if it ends meanwhile
        own.close()
        raise TransientError(f"no process can be started: {type(error).__name__}: {error}") from error
    finally:
        other.close()
    return process, own


class Worker:
    """One worker process.

    Args:
        source: The model version to load.
        load_timeout_s: How long loading may take, in seconds.
        predict_timeout_s: How long a predict call may take, in seconds.
        memory_bytes: How much memory the process may allocate; None for no limit.

    Attributes:
        plan: How the loaded model predicts, see `Predictor.plan`; empty until it is loaded.
        columns: The columns that the loaded model takes; None until it is loaded.
        restarts: How often a process has replaced one that ended.
    """

    def __init__(
        self, source: ModelSource, *, load_timeout_s: float, predict_timeout_s: float, memory_bytes: int | None = None
    ) -> None:
        self._source = source
        self._name = f"{source.model} version {source.version}"
        self._load_timeout_s = load_timeout_s
        self._predict_timeout_s = predict_timeout_s
        self._memory_bytes = memory_bytes
        self._channel: Channel | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self._starting = asyncio.Lock()
        self._restarts = Restarts()
        self._load_error: ModelUnavailableError | None = None  # of the last start
        self._stopped = False
        self.plan = ""
        self.columns: ModelColumns | None = None
        self.restarts = 0

    async def ensure_loaded(self) -> None:
        """Start the process if it does not run, and load the model.

        Raises:
            ModelRefusedError: The loader refused the model.
            RestartDelayedError: One process after another has ended soon after its start, so the next one is started later.
            ModelUnavailableError: The model cannot be loaded now, or the worker has been stopped.
        """
        async with self._starting:
            if self._stopped:
                raise ModelUnavailableError(f"{self._name} is no longer served")
            if self._channel is not None and self._process is not None and self._process.is_alive():
                return
            self._end_process()
            self._require_no_delay()
            self._restarts.started()
            try:
                async with asyncio.timeout(self._load_timeout_s):
                    self._channel = await Channel.open(await self._start(), json.loads)
                    loaded = _LOADED.validate_python(await self._channel.call("load", self._source))
            except (TransientError, WorkerDiedError) as error:
                loaded = worker.LoadResult(problem=str(error))
            except TimeoutError:
                loaded = worker.LoadResult(problem=f"it took more than {self._load_timeout_s:g} s")
            except BaseException:
                self.kill()
                raise
            if loaded.problem:
                self._end_process()
                kind = ModelRefusedError if loaded.permanent else ModelUnavailableError
                self._load_error = kind(f"{self._name} could not be loaded: {loaded.problem}")
                raise self._load_error
            self._load_error = None
            self._restarts.started()
            self.restarts += bool(self.plan)
            self.plan, self.columns = loaded.plan, loaded.columns

    def _require_no_delay(self) -> None:
        """Raise an error if a process may not be started yet: that of the last start, or RestartDelayedError."""
        wait_s = self._restarts.wait_s
        if not wait_s:
            return
        if self._load_error is not None:
            raise type(self._load_error)(f"{self._load_error}; this is tried again in {wait_s:.0f} s", retry_after_s=wait_s)
        raise RestartDelayedError(
            f"{self._name} cannot answer: {self._restarts.ended_soon} of its worker processes in a row have ended within {SOON_S:g} s of "
            f"their start, so the next one is started in {wait_s:.0f} s; try again then, or serve another version",
            retry_after_s=wait_s,
        )

    async def _start(self) -> socket.socket:
        """Start a process; returns the gateway's end of a pair of sockets.

        Raises:
            TransientError: It cannot be started now.
            ModelUnavailableError: The worker has been stopped meanwhile.
        """
        self._process, end = await start_process(worker.run, self._memory_bytes)
        if self._stopped:
            end.close()
            raise ModelUnavailableError(f"{self._name} is no longer served")
        return end

    async def predict(self, batch: Sequence[Rows | PickledRows]) -> list[Outcome]:
        """Predict for a batch of requests; returns one outcome for each.

        Raises:
            WorkerDiedError: The process died.
            TimeoutError: It took too long, and was killed.
            RestartDelayedError: It is started again later.
            ModelUnavailableError: The model cannot be loaded, or the worker has been stopped.
        """
        return [Outcome(*outcome) for outcome in await self._call("predict", batch)]

    async def explain(self, rows: Rows | PickledRows) -> Outcome:
        """Explain the predictions for the rows of a request; raises as `predict`."""
        return Outcome(*await self._call("explain", rows))

    async def _call(self, function: str, argument: Any) -> Any:
        await self.ensure_loaded()
        channel = self._channel
        if channel is None:
            raise ModelUnavailableError(f"{self._name} is no longer served")
        try:
            async with asyncio.timeout(self._predict_timeout_s):
                return await channel.call(function, argument)
        except (WorkerDiedError, TimeoutError) as error:
            if self._channel is channel:  # otherwise another batch has already replaced it
                self._end_process()
            if isinstance(error, TimeoutError):
                raise
            raise WorkerDiedError(f"{self._name}: {error}") from error

    def stop(self) -> None:
        """End the process for good."""
        self._stopped = True
        self.kill()

    async def wait_stopped(self) -> None:
        """Nothing is waited for: the process has been killed."""

    def _end_process(self) -> None:
        """End the process, if there is one, and count it."""
        if self._process is not None:
            self._restarts.ended()
        self.kill()

    def kill(self) -> None:
        """End the process at once; the next batch starts a new one."""
        if self._process is not None:
            self._process.kill()
        if self._channel is not None:
            self._channel.close()
        self._channel = self._process = None
