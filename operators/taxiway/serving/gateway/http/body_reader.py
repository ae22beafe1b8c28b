"""Parses the bodies of requests so that a large one does not delay the others: in a process of its own.

The parser holds Python's global lock for up to half a second for 2 MiB, so a thread would not do. Small bodies are parsed at once,
but those in Arrow, which the gateway's own process does not import.
"""

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

from taxiway.errors import RequestError
from taxiway.serving.gateway.bodies.formats import BodyFormat
from taxiway.serving.gateway.bodies.read_body import read_body
from taxiway.serving.gateway.problems import Problems
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.local import start_fork_server
from taxiway.serving.workers.process import initialize_worker

_SMALL_BYTES = 32 << 10
_MAX_WAITING = 32


class BodyReader:
    """Reads bodies. The process for large ones is started when one comes, and replaced if it dies.

    Args:
        max_bytes: The size limit of a body, and of its rows as JSON.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0
        self._problems = Problems("large requests")

    @property
    def problem(self) -> str:
        """Why large bodies are refused at the moment; empty if they are not."""
        self._problems.end_if_quiet("waiting")
        return self._problems.text

    async def read(self, body: bytes, body_format: BodyFormat) -> tuple[str, Rows]:
        """Parse a body; returns it as JSON, with its rows.

        Raises:
            RequestError: It does not follow the protocol, is too large, or too many large ones are waiting.
        """
        if len(body) <= _SMALL_BYTES and body_format is not BodyFormat.ARROW:
            return read_body(body, body_format, self._max_bytes)
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
            found = await self._read_elsewhere(body, body_format)
        finally:
            self._waiting -= 1
        if isinstance(found, _Refusal):
            raise RequestError(found.status, found.message)
        return found

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    async def _read_elsewhere(self, body: bytes, body_format: BodyFormat) -> "tuple[str, Rows] | _Refusal":
        if self._pool is None:
            start_fork_server()
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=initialize_worker)
        pool = self._pool
        try:
            return await asyncio.wrap_future(pool.submit(_read_or_refuse, body, body_format, self._max_bytes))
        except BrokenProcessPool:
            if self._pool is pool:  # otherwise another request has already replaced it
                self.close()
            raise RequestError(503, "the process that reads large requests has died; try again") from None


@dataclass(frozen=True)
class _Refusal:
    """An error of the process: exceptions with two arguments cannot be sent between processes."""

    status: int
    message: str


def _read_or_refuse(body: bytes, body_format: BodyFormat, max_bytes: int) -> tuple[str, Rows] | _Refusal:
    try:
        return read_body(body, body_format, max_bytes)
    except RequestError as error:
        return _Refusal(error.status, error.message)
