"""The limits of a connection that has not sent its whole request: uvicorn has none."""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

MAX_HEADER_BYTES = 64 << 10


class LimitedConnection(AutoHTTPProtocol):  # type: ignore[misc, valid-type] # one of two classes
    """uvicorn's connection. It is closed if a request takes too long to arrive, or has more than 64 KiB of headers.

    Attributes:
        request_timeout_s: How long a request may take, from the connection or its first byte to its last byte.
    """

    request_timeout_s: float
    _deadline: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Start the time limit."""
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the time limit."""
        self._end_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass data on, and end the time limit with the last byte of a request."""
        before = self.cycle
        if self._awaits_headers():
            self._header_bytes += len(data)
        super().data_received(data)
        if self.cycle is not before:  # these headers have ended
            self._header_bytes = 0
        elif self._header_bytes > MAX_HEADER_BYTES:
            self.transport.close()
        if self._awaits_client():
            self._start_deadline()
        else:
            self._end_deadline()

    def on_message_complete(self) -> None:
        """Note the end of a body, which uvicorn ignores after the answer. The parser calls this if it is that of httptools."""
        super().on_message_complete()
        if self.cycle is not None:
            self.cycle.more_body = False

    def _awaits_headers(self) -> bool:
        return self.cycle is None or not self.cycle.more_body  # the next headers may come before the answer

    def _awaits_client(self) -> bool:
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.request_timeout_s, self._timed_out)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _timed_out(self) -> None:
        self._deadline = None
        if self._awaits_client() and not self.transport.is_closing():
            self.transport.close()


def limited_connection(request_timeout_s: float) -> type[LimitedConnection]:
    """The class of connections with this time limit."""
    return type("Connection", (LimitedConnection,), {"request_timeout_s": request_timeout_s})
