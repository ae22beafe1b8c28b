"""Background processes: what a function returns or raises comes back, and a process that dies is replaced."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from taxiway.errors import LimitError, RequestError, WorkerDiedError
from taxiway.serving.workers.background import BackgroundProcess


class UnpicklableError(Exception):
    def __init__(self) -> None:
        super().__init__("cannot be sent")
        self.held = lambda: None


def raises(name: str) -> None:
    raise {
        "request": RequestError(413, "too large"),
        "limit": LimitError("slower", 2.5),
        "unpicklable": UnpicklableError(),
    }[name]


def sleeps(begun: Path) -> None:
    begun.touch()
    time.sleep(3600)


def test_results_and_errors_come_back() -> None:
    async def scenario() -> list[Any]:
        process = BackgroundProcess(niceness=3)
        try:
            found: list[Any] = [await process.run(os.getpid), await process.run(os.getpid), await process.run(os.nice, 0)]
            for name in ("request", "limit", "unpicklable"):
                with pytest.raises(Exception) as raised:
                    await process.run(raises, name)
                found.append(raised.value)
            return [*found, process.waiting]
        finally:
            process.close()

    first, second, niceness, request, limit, other, waiting = asyncio.run(scenario())
    assert first == second != os.getpid()
    assert niceness >= 3
    assert (type(request), request.status, request.message) == (RequestError, 413, "too large")
    assert (type(limit), limit.retry_after_s) == (LimitError, 2.5)
    assert (type(other), str(other)) == (RuntimeError, "UnpicklableError: cannot be sent")
    assert waiting == 0


def test_a_process_that_dies_is_replaced() -> None:
    async def scenario() -> None:
        process = BackgroundProcess()
        with pytest.raises(WorkerDiedError, match="the process that runs _exit has died"):
            await process.run(os._exit, 1)
        assert await process.run(len, "abc") == 3
        process.close()

    asyncio.run(scenario())


def test_closing_does_not_wait_for_a_call(tmp_path: Path) -> None:
    async def scenario() -> None:
        process = BackgroundProcess()
        call = asyncio.create_task(process.run(sleeps, tmp_path / "begun"))
        while not (tmp_path / "begun").exists():
            await asyncio.sleep(0.01)
        process.close()
        with pytest.raises(WorkerDiedError):
            await call

    asyncio.run(scenario())
