"""A process for work that would delay the requests of the gateway, or needs libraries that the gateway does not import."""

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from taxiway.errors import WorkerDiedError
from taxiway.serving.workers.local import start_fork_server
from taxiway.serving.workers.process import initialize_worker

T = TypeVar("T")


class BackgroundProcess:
    """A process that is started when it is needed, and replaced if it dies.

    Args:
        niceness: How far its priority is below that of the gateway, as for `nice`.
    """

    def __init__(self, niceness: int = 0) -> None:
        self._niceness = niceness
        self._pool: ProcessPoolExecutor | None = None
        self.waiting = 0
        """How many calls are in progress or wait for one."""

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function of a module in the process; calls wait for each other.

        Raises:
            WorkerDiedError: The process died.
        """
        if self._pool is None:
            start_fork_server()
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_initialize, initargs=(self._niceness,))
        pool = self._pool
        self.waiting += 1
        try:
            return await asyncio.wrap_future(pool.submit(function, *arguments))
        except BrokenProcessPool as error:
            if self._pool is pool:  # otherwise another call has already replaced it
                self.close()
            raise WorkerDiedError(f"the process that ran {function.__name__} has died: {error}") from None
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """End the process when its current call is done; the next call starts a new one."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _initialize(niceness: int) -> None:
    initialize_worker()
    os.nice(niceness)
