"""Parses the bodies of requests so that a large one does not delay the others: in a process of its own.

The parser holds Python's global lock for up to half a second for 2 MiB, so a thread would not do. Small bodies are parsed at once,
but those in Arrow, which the gateway's own process does not import.
"""

from taxiway.errors import RequestError, WorkerDiedError
from taxiway.serving.gateway.bodies.formats import BodyFormat
from taxiway.serving.gateway.bodies.read_body import read_body, read_large_body
from taxiway.serving.gateway.problems import Problems
from taxiway.serving.protocol import BodyLimits, PickledRows, Rows
from taxiway.serving.workers.background import BackgroundProcess

_SMALL_BYTES = 32 << 10
_MAX_WAITING = 32


class BodyReader:
    """Reads bodies. The process for large ones is started when one comes, and replaced if it dies.

    Args:
        limits: How large a request may be.
    """

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._process = BackgroundProcess()
        self._problems = Problems("large requests")

    @property
    def problem(self) -> str:
        """Why large bodies are refused at the moment; empty if they are not."""
        self._problems.end_if_quiet("waiting")
        return self._problems.text

    async def read(self, body: bytes, body_format: BodyFormat) -> tuple[str, Rows | PickledRows]:
        """Parse a body; returns it as JSON, with its rows, which are packed if it is large.

        Raises:
            RequestError: It does not follow the protocol, is too large, or too many large ones are waiting.
        """
        if len(body) <= _SMALL_BYTES and body_format is not BodyFormat.ARROW:
            return read_body(body, body_format, self._limits)
        self._problems.end_if_quiet("waiting")
        if self._process.waiting >= _MAX_WAITING:
            self._problems.begin(
                "waiting", f"{_MAX_WAITING} large requests are waiting to be read, so further ones are refused"
            )
            raise RequestError(
                503, f"{_MAX_WAITING} large requests are waiting; try again later, or send fewer rows per request"
            )
        try:
            text, rows = await self._process.run(read_large_body, body, body_format, self._limits)
        except WorkerDiedError:
            raise RequestError(503, "the process that reads large requests has died; try again") from None
        return body.decode() if text is None else text, rows

    def close(self) -> None:
        """End the process."""
        self._process.close()
