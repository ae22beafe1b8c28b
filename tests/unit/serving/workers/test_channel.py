"""Calls of a worker: each gets its own answer or an error, never that of another call."""

import asyncio
import json
import socket
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.errors import WorkerDiedError
from taxiway.serving.workers.channel import Channel, serve_calls


def called(*arguments: Any, together: bool = False) -> list[Any]:
    """The answers of a worker that returns its argument."""
    own, other = socket.socketpair()
    worker = threading.Thread(target=serve_calls, args=(other, lambda argument: json.dumps(argument).encode()))
    worker.start()

    async def call() -> list[Any]:
        channel = await Channel.open(own, json.loads)
        if together:
            answers = await asyncio.gather(*(channel.call(argument) for argument in arguments))
        else:
            answers = [await channel.call(argument) for argument in arguments]
        channel.close()
        return answers

    answers = asyncio.run(call())
    worker.join()  # it ends with the gateway's end
    return answers


@given(st.lists(st.text() | st.integers() | st.lists(st.floats(allow_nan=False)), max_size=5), st.booleans())
def test_each_call_gets_its_answer(arguments: list[Any], together: bool) -> None:
    assert called(*arguments, together=together) == arguments


def test_an_answer_larger_than_the_buffers_of_a_socket_arrives() -> None:
    large = "x" * (8 << 20)
    assert called(large, "small") == [large, "small"]


def test_after_a_call_that_was_given_up_no_other_gets_its_answer() -> None:
    own, other = socket.socketpair()
    begun, may_answer = threading.Event(), threading.Event()

    def slow(argument: str) -> bytes:
        begun.set()
        may_answer.wait()
        return json.dumps(argument).encode()

    def answer() -> None:
        with pytest.raises(OSError):
            serve_calls(other, slow)

    worker = threading.Thread(target=answer)
    worker.start()

    async def scenario() -> None:
        channel = await Channel.open(own, json.loads)
        first = asyncio.create_task(channel.call("first"))
        await asyncio.to_thread(begun.wait)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        may_answer.set()
        with pytest.raises(WorkerDiedError):
            await channel.call("second")

    asyncio.run(scenario())
    worker.join()


def test_a_worker_that_ends_is_an_error_of_the_call() -> None:
    own, other = socket.socketpair()
    worker = threading.Thread(target=lambda: (other.recv(1), other.close()))
    worker.start()

    async def scenario() -> None:
        channel = await Channel.open(own, json.loads)
        with pytest.raises(WorkerDiedError, match="its process has ended"):
            await channel.call("any")

    asyncio.run(scenario())
    worker.join()
