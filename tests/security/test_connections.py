"""Connections on which a request never ends: they are closed, and others are answered."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from running import ADMIN, CALLER

from helping import PATIENCE_S, free_port, until
from taxiway.serving.gateway.http import connections
from taxiway.serving.gateway.http.app import create_app
from taxiway.serving.gateway.settings import GatewaySettings


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[int]:
    """The port of a gateway that waits half a second for a request; it serves no model, so a thread is enough for it."""
    tokens = {"caller_token": CALLER, "admin_token": ADMIN}
    content = {"tracking_uri": "http://127.0.0.1:1", "state_folder": tmp_path, "request_timeout_s": 0.5, **tokens}
    settings = GatewaySettings.model_validate(content)
    with running(create_app(settings), settings.request_timeout_s) as port:
        yield port


@contextmanager
def running(app: Any, request_timeout_s: float) -> Iterator[int]:
    """The port of a server with limited connections."""
    connection = connections.limited_connection(request_timeout_s)
    server = uvicorn.Server(uvicorn.Config(app, port=free_port(), http=connection, timeout_keep_alive=1, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive(), "the gateway is up")
    try:
        yield server.config.port
    finally:
        server.should_exit = True
        thread.join()


def test_half_sent_requests_are_ended(impatient: int) -> None:
    head = b"POST /models/any/invocations HTTP/1.1\r\nHost: x\r\n"
    token, length = f"Authorization: Bearer {CALLER}\r\n".encode(), b"Content-Length: 100\r\n\r\n"
    ping = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
    starts = [b"", head[:10], head, head + token + length + b"{", head + length, ping + head]
    held = [socket.create_connection(("127.0.0.1", impatient)) for _ in starts]
    for sent, start in zip(held, starts, strict=True):
        sent.sendall(start)
        sent.setblocking(False)
    try:
        until(lambda: all(is_closed(sent) for sent in held), "the connections are closed")
    finally:
        for sent in held:
            sent.close()
    assert httpx.get(f"http://127.0.0.1:{impatient}/ping").status_code == 200


def is_closed(connection: socket.socket) -> bool:
    try:
        while connection.recv(65536):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


def test_endless_headers_are_ended(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient)) as sent:
        sent.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n")
        send_headers_without_end(sent)


def send_headers_without_end(connection: socket.socket) -> None:
    with pytest.raises(OSError, match=r"Broken pipe|reset by peer"):
        for _ in range(1000):
            connection.sendall(b"X-Header: " + b"x" * 8000 + b"\r\n")
    assert connections.MAX_HEADER_BYTES < 1000 * 8000


async def answers_nothing(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    while (await receive())["type"] != "http.disconnect":
        pass


async def answers_before_the_body(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


@pytest.mark.parametrize("app", [answers_nothing, answers_before_the_body])
def test_endless_headers_behind_another_request_are_ended(app: Any) -> None:
    # The time limit is so long that it is not what ends them.
    with running(app, PATIENCE_S) as port, socket.create_connection(("127.0.0.1", port)) as sent:
        sent.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
        if app is answers_before_the_body:
            assert sent.recv(65536).startswith(b"HTTP/1.1 200")
        sent.sendall(b"abcGET / HTTP/1.1\r\nHost: x\r\n")
        send_headers_without_end(sent)


def test_requests_with_bodies_share_a_connection(impatient: int) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{impatient}") as client:
        for _ in range(4):
            refused = client.post("/models/any/invocations", content=b"x" * connections.MAX_HEADER_BYTES)
            assert refused.status_code == 401
            assert client.get("/ping", headers={"X-Header": "x" * 40_000}).status_code == 200
