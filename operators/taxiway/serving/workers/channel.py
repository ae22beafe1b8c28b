"""Calls between the gateway and a worker process over a socket, one at a time: no thread or queue of a pool is in between.

A call is pickled. An answer is JSON, because a worker may run a team's code, and the gateway must not unpickle what that wrote.
"""

import asyncio
import json
import pickle
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

from taxiway.errors import WorkerDiedError

_LENGTH = struct.Struct("!Q")


class Channel:
    """The gateway's end.

    Args:
        reader: Reads from the worker.
        writer: Writes to it.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, end: socket.socket) -> "Channel":
        """Use one end of a pair of sockets."""
        return cls(*await asyncio.open_connection(sock=end))

    async def call(self, function: str, argument: Any) -> Any:
        """Call a function of the worker; returns its answer.

        Raises:
            WorkerDiedError: The worker has ended.
        """
        content = pickle.dumps((function, argument), protocol=pickle.HIGHEST_PROTOCOL)
        async with self._turn:
            try:
                self._writer.write(_LENGTH.pack(len(content)) + content)
                await self._writer.drain()
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                return json.loads(await self._reader.readexactly(length))
            except (OSError, asyncio.IncompleteReadError) as error:
                raise WorkerDiedError("its process has ended") from error
            except BaseException:
                self.close()  # the next answer would be that of this call
                raise

    def close(self) -> None:
        """Close the socket; a call in progress ends with an error."""
        self._writer.transport.abort()


def answer_calls(end: socket.socket, functions: Mapping[str, Callable[[Any], Any]]) -> None:
    """Answer calls until the gateway closes its end. This runs in the worker.

    Args:
        end: The worker's end of the pair of sockets.
        functions: The functions by name; they return what JSON can hold.
    """
    with end, end.makefile("rwb") as stream:
        while len(header := stream.read(_LENGTH.size)) == _LENGTH.size:
            (length,) = _LENGTH.unpack(header)
            function, argument = pickle.loads(stream.read(length))  # noqa: S301 (the gateway wrote it)
            answer = json.dumps(functions[function](argument)).encode()
            stream.write(_LENGTH.pack(len(answer)) + answer)
            stream.flush()
