"""A process for work that would delay the requests of the gateway, or needs libraries that the gateway does not import."""

import asyncio
import multiprocessing
import os
import pickle
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from taxiway.errors import TransientError, WorkerDiedError
from taxiway.messages import error_text
from taxiway.serving.workers.channel import Channel, serve_calls
from taxiway.serving.workers.local import start_process
from taxiway.serving.workers.process import initialize_worker

T = TypeVar("T")


class BackgroundProcess:
    """A process that is started when it is needed, and replaced if it dies. It runs no code of teams.

    Args:
        niceness: How far its priority is below that of the gateway, as for `nice`.

    Attributes:
        waiting: How many calls are in progress or wait for one.
    """

    def __init__(self, niceness: int = 0) -> None:
        self._niceness = niceness
        self._starting = asyncio.Lock()
        self._channel: Channel | None = None
        self._process: multiprocessing.process.BaseProcess | None = None
        self.waiting = 0

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function of a module in the process; calls wait for each other. What the function raises is raised here.

        Raises:
            WorkerDiedError: The process died, or cannot be started.
        """
        self.waiting += 1
        channel = None
        try:
            channel = await self._running()
            raised, value = await channel.call(function, arguments)
        except BaseException as error:
            if channel is not None and self._channel is channel:  # otherwise another call has already replaced it
                self.close()
            if isinstance(error, WorkerDiedError | TransientError):
                raise WorkerDiedError(f"the process that runs {function.__name__} has died: {error}") from None
            raise
        finally:
            self.waiting -= 1
        if raised:
            raise value
        result: T = value
        return result

    def close(self) -> None:
        """End the process at once; the next call starts a new one."""
        if self._process is not None:
            self._process.kill()
        if self._channel is not None:
            self._channel.close()
        self._channel = self._process = None

    async def _running(self) -> Channel:
        async with self._starting:
            if self._channel is None:
                self._process, end = await start_process(_run, self._niceness)
                self._channel = await Channel.open(end, pickle.loads)
            return self._channel


def _run(end: socket.socket, niceness: int) -> None:
    """The main function of the process."""
    initialize_worker()
    os.nice(niceness)
    serve_calls(end, _answer)


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """Whether a function raised, and its result or the error, pickled."""
    try:
        return pickle.dumps((False, function(*arguments)))
    except Exception as error:
        try:
            return pickle.dumps((True, error))
        except Exception:  # of another library
            return pickle.dumps((True, RuntimeError(error_text(error))))
