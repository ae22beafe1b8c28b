"""The load of the gateway's benchmark: one HTTP request at a time per keep-alive connection, in a closed loop or at fixed times.

Requests are bytes that are made before the time is taken. Any answer but 200 is an error.
"""

import asyncio
import re
import selectors
import socket
import time
from array import array
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

_WAIT_S = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class NotAnsweredError(Exception):
    """A request got another answer than 200, or none."""


@dataclass(frozen=True)
class Target:
    """Where requests are sent to: a port of this machine and a path, with a token if it needs one."""

    port: int
    path: str
    token: str = ""

    def request(self, body: bytes) -> bytes:
        """The bytes of a request with this JSON."""
        authorization = f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{authorization}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass(frozen=True)
class Load:
    """What a load measured.

    Attributes:
        latencies_ms: Of every request: from when it was sent, or from when it was scheduled if it had a fixed time.
        seconds: From the first request to the last answer.
    """

    latencies_ms: Sequence[float]
    seconds: float

    @property
    def per_second(self) -> float:
        """The rate of answered requests."""
        return len(self.latencies_ms) / self.seconds


def merged(loads: Sequence[Load]) -> Load:
    """Several loads as one."""
    return Load([taken for load in loads for taken in load.latencies_ms], sum(load.seconds for load in loads))


class BlockingConnection:
    """A connection without an event loop, which adds the least to the latency of one request."""

    def __init__(self, target: Target) -> None:
        self._socket = socket.create_connection(("127.0.0.1", target.port), _WAIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "BlockingConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> bytes:
        """Send a request; returns the body of its answer."""
        self._socket.sendall(request)
        received = bytearray()
        while (body := _complete(received)) is None:
            part = self._socket.recv(1 << 18)
            if not part:
                raise NotAnsweredError("the server closed the connection")
            received += part
        return body


class _Connection(asyncio.Protocol):
    """A connection in an event loop; asyncio sets TCP_NODELAY."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._received = bytearray()
        self._answered: asyncio.Future[bytes] | None = None

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            body = _complete(self._received)
        except NotAnsweredError as error:
            self._end(error)
            return
        if body is not None and self._answered is not None:
            self._received.clear()
            self._answered.set_result(body)

    def connection_lost(self, _: Exception | None) -> None:
        self._end(NotAnsweredError("the server closed the connection"))

    def _end(self, error: NotAnsweredError) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)


def one_connection(target: Target, requests: Sequence[bytes], seconds: float) -> Load:
    """Send one request after the other over one connection, again from the first if there is time."""
    taken = array("d")
    with BlockingConnection(target) as connection:
        began = ended = time.perf_counter()
        while ended < began + seconds:
            sent = time.perf_counter()
            connection.ask(requests[len(taken) % len(requests)])
            ended = time.perf_counter()
            taken.append((ended - sent) * 1e3)
    return Load(taken, ended - began)


def closed_loop(targets: Sequence[Target], requests: Sequence[Sequence[bytes]], connections: int, seconds: float) -> Load:
    """Send as fast as the answers come, over some connections, which are distributed over the targets.

    Args:
        targets: Where to.
        requests: The requests of each target.
        connections: How many connections, each with one request at a time.
        seconds: How long.
    """
    taken = array("d")

    async def load() -> float:
        opened = await _opened([targets[at % len(targets)] for at in range(connections)])
        began = time.perf_counter()

        async def send(at: int, connection: _Connection) -> None:
            mine = requests[at % len(targets)]
            turn = at
            while (sent := time.perf_counter()) < began + seconds:
                await connection.ask(mine[turn % len(mine)])
                taken.append((time.perf_counter() - sent) * 1e3)
                turn += connections

        await _all(opened, [send(at, connection) for at, connection in enumerate(opened)])
        return time.perf_counter() - began

    return Load(taken, asyncio.run(load()))


def open_loop(target: Target, requests: Sequence[bytes], rate: float, seconds: float, connections: int) -> Load:
    """Send requests at fixed times, and measure from these times: a slow answer does not delay the schedule of the others.

    A request whose time has come while all connections are busy waits for one, and the waiting is part of its latency. So nothing is
    omitted, and memory is bounded by the number of requests.
    """
    number = max(1, int(rate * seconds))
    taken = array("d", bytes(8 * number))

    async def load() -> float:
        opened = await _opened([target] * connections)
        turns = iter(range(number))
        began = time.perf_counter() + 0.01

        async def send(connection: _Connection) -> None:
            for turn in turns:
                scheduled = began + turn / rate
                await asyncio.sleep(scheduled - time.perf_counter())
                await connection.ask(requests[turn % len(requests)])
                taken[turn] = (time.perf_counter() - scheduled) * 1e3

        await _all(opened, [send(connection) for connection in opened])
        return time.perf_counter() - began

    # epoll and poll wait in whole milliseconds, which would delay each request by up to one; select waits in microseconds.
    with asyncio.Runner(loop_factory=_microsecond_loop) as runner:
        return Load(taken, runner.run(load()))


def _microsecond_loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


async def _opened(targets: Sequence[Target]) -> list[_Connection]:
    opening: Callable[..., Any] = asyncio.get_running_loop().create_connection
    return [(await opening(_Connection, "127.0.0.1", target.port))[1] for target in targets]


async def _all(opened: Sequence[_Connection], work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Wait for all work, and close the connections."""
    try:
        async with asyncio.timeout(_WAIT_S):
            await asyncio.gather(*work)
    finally:
        for connection in opened:
            connection.transport.abort()


def _complete(received: bytearray) -> bytes | None:
    """The body of a complete answer; None if more is to come. Raises NotAnsweredError if its status is not 200."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = _LENGTH.search(received, 0, end)
    if length is None:
        raise NotAnsweredError(f"an answer without a length: {bytes(received[:300])!r}")
    if len(received) < end + 4 + int(length[1]):
        return None
    body = bytes(received[end + 4 :])
    if received[9:12] != b"200":
        raise NotAnsweredError(f"HTTP {received[9:12].decode()}: {body[:300]!r}")
    return body
