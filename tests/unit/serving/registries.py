"""A registry that can be cut off from the gateways that use it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ending import kept
from helping import free_port

PROXY = """
import asyncio, sys

async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

async def passed_on(reader, writer):
    other_reader, other_writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    await asyncio.gather(copy(reader, other_writer), copy(other_reader, writer))

async def serve():
    server = await asyncio.start_server(passed_on, "127.0.0.1", int(sys.argv[1]))
    print("listening", flush=True)
    await server.serve_forever()

asyncio.run(serve())
"""


class Registry:
    """An address at which the registry answers, or refuses connections, or says nothing."""

    def __init__(self, mlflow_url: str) -> None:
        self._port, self._behind = free_port(), mlflow_url.rpartition(":")[2]
        self.url = f"http://127.0.0.1:{self._port}"

    @contextmanager
    def answering(self) -> Iterator[None]:
        command = [sys.executable, "-c", PROXY, str(self._port), self._behind]
        with kept(*command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"listening\n"
            yield

    @contextmanager
    def silent(self) -> Iterator[None]:
        with socket.create_server(("127.0.0.1", self._port), backlog=100):
            yield
