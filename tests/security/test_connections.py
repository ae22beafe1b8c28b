"""Connections on which a request never ends: they are closed, and others are answered."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from running import ADMIN, CALLER

from helping import free_port, until
from taxiway.serving.gateway.http import connections
from taxiway.serving.gateway.http.app import create_app
from taxiway.serving.gateway.settings import GatewaySettings


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[int]:
    """The port of a gateway that waits half a second for a request; it serves no model, so a thread is enough for it."""
    tokens = {"caller_token": CALLER, "admin_token": ADMIN}
    content = {"tracking_uri": "http://127.0.0.1:1", "state_folder": tmp_path, "request_timeout_s": 0.5, **tokens}
    settings = GatewaySettings.model_validate(content)
    connection = connections.limited_connection(settings.request_timeout_s)
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), port=free_port(), http=connection, timeout_keep_alive=1, log_config=None)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started or not thread.is_alive(), "the gateway is up")
    yield server.config.port
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
        pass
    return True


def test_endless_headers_are_ended(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient)) as sent:
        sent.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n")
        with pytest.raises(OSError, match=r"Broken pipe|reset by peer"):
            for _ in range(1000):
                sent.sendall(b"X-Header: " + b"x" * 8000 + b"\r\n")
    assert connections.MAX_HEADER_BYTES < 1000 * 8000
