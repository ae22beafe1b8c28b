"""Calls between the gateway and a process of its own over a socket, one at a time: no thread or queue of a pool is in between.

A call is pickled. The answer of a worker is JSON, because it may run a team's code, and the gateway must not unpickle what that wrote.
"""

import asyncio
import pickle
import socket
import struct
from collections.abc import Callable
from typing import Any

from taxiway.errors import WorkerDiedError

_LENGTH = struct.Struct("!Q")


class Channel:
    """The gateway's end.

    Args:
        reader: Reads from the process.
        writer: Writes to it.
        decode: Decodes an answer.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, decode: Callable[[bytes], Any]) -> None:
        self._reader = reader
        self._writer = writer
        self._decode = decode
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, end: socket.socket, decode: Callable[[bytes], Any]) -> "Channel":
        """Use one end of a pair of sockets."""
        return cls(*await asyncio.open_connection(sock=end), decode)

    async def call(self, *call: Any) -> Any:
        """Send a call, and return its answer.

        Raises:
            WorkerDiedError: The process has ended.
        """
        content = pickle.dumps(call, protocol=pickle.HIGHEST_PROTOCOL)
        async with self._turn:
            try:
                self._writer.write(_LENGTH.pack(len(content)) + content)
                await self._writer.drain()
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                return self._decode(await self._reader.readexactly(length))
            except (OSError, asyncio.IncompleteReadError) as error:
                raise WorkerDiedError("its process has ended") from error
            except BaseException:
                self.close()  # the next answer would be that of this call
                raise

    def close(self) -> None:
        """Close the socket; a call in progress ends with an error."""
        self._writer.transport.abort()


def serve_calls(end: socket.socket, answer: Callable[..., bytes]) -> None:
    """Answer calls until the gateway closes its end. This runs in the process.

    Args:
        end: The end of the pair of sockets.
        answer: Takes what `Channel.call` was given; returns the encoded answer.
    """
    with end, end.makefile("rwb") as stream:
        while len(header := stream.read(_LENGTH.size)) == _LENGTH.size:
            (length,) = _LENGTH.unpack(header)
            answered = answer(*pickle.loads(stream.read(length)))  # noqa: S301 (the gateway wrote it)
            stream.write(_LENGTH.pack(len(answered)) + answered)
            stream.flush()
