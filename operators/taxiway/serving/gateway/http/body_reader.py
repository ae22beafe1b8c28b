"""Parses the bodies of requests so that a large one does not delay the others: in a process of its own.

The parser holds Python's global lock for up to half a second for 2 MiB, so a thread would not do. Small bodies are parsed at once.
"""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from taxiway.errors import RequestError
from taxiway.serving.gateway.problems import Problems
from taxiway.serving.protocol import Rows, read_rows
from taxiway.serving.workers.local import start_fork_server
from taxiway.serving.workers.process import initialize_worker

_SMALL_BYTES = 32 << 10
_MAX_WAITING = 32


class BodyReader:
    """Reads bodies. The process for large ones is started when one comes, and replaced if it dies."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0
        self._problems = Problems("large requests")

    @property
    def problem(self) -> str:
        """Why large bodies are refused at the moment; empty if they are not."""
        self._problems.end_if_quiet("waiting")
        return self._problems.text

    async def read(self, body: bytes) -> tuple[str, Rows]:
        """Parse a body; returns it as text, with its rows.

        Raises:
            RequestError: It does not follow the protocol, is too large, or too many large ones are waiting.
        """
        if len(body) <= _SMALL_BYTES:
            return read_rows(body)
        self._problems.end_if_quiet("waiting")
        if self._waiting >= _MAX_WAITING:
            self._problems.begin(
                "waiting", f"{_MAX_WAITING} large requests are waiting to be read, so further ones are refused"
            )
            raise RequestError(
                503, f"{_MAX_WAITING} large requests are waiting; try again later, or send fewer rows per request"
            )
        self._waiting += 1
        try:
            found = await self._read_elsewhere(body)
        finally:
            self._waiting -= 1
        if isinstance(found, Rows):
            return body.decode(), found
        raise RequestError(*found)

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    async def _read_elsewhere(self, body: bytes) -> Rows | tuple[int, str]:
        if self._pool is None:
            start_fork_server()
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=initialize_worker)
        pool = self._pool
        try:
            return await asyncio.wrap_future(pool.submit(_rows_or_refusal, body))
        except BrokenProcessPool:
            if self._pool is pool:  # otherwise another request has already replaced it
                self.close()
            raise RequestError(503, "the process that reads large requests has died; try again") from None


def _rows_or_refusal(body: bytes) -> Rows | tuple[int, str]:
    """The rows, or the status and the message of the error: exceptions with two arguments cannot be sent between processes."""
    try:
        return read_rows(body)[1]
    except RequestError as error:
        return error.status, error.message
