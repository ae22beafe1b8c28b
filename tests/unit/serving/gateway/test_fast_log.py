"""`log: fast`: requests are answered before they are committed, at most a known number of them, and none while the log is broken."""

import asyncio
import logging

import pytest
from worlds import ROWS, World, no_space, soon

from taxiway.errors import RequestError
from taxiway.serving.gateway import problems
from taxiway.serving.gateway.state import request_log


@pytest.fixture
def fast(world: World) -> World:
    world.settings = world.settings.model_copy(update={"log": "fast"})
    return world


def logged(world: World) -> int:
    return int(world.log._read("SELECT count(*) FROM requests")[0][0])


def test_requests_are_answered_before_they_are_committed_up_to_the_limit(fast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "MAX_UNCOMMITTED", 2)

    async def scenario() -> None:
        model = fast.served()
        await model.champion.refresh()
        with fast.log._file._lock:  # the writer waits for it
            for _ in range(2):
                await asyncio.wait_for(model.predict("{}", ROWS, "fraud"), 20)
            assert logged(fast) == 0
            third = asyncio.create_task(model.predict("{}", ROWS))
            await soon(lambda: fast.log.uncommitted == 3)
            for _ in range(10):
                await asyncio.sleep(0)
            assert not third.done(), "more requests were answered than may be lost"
        await third
        assert fast.log.uncommitted == 0
        await model.close()

    asyncio.run(scenario())
    assert fast.log._read("SELECT caller, total_ms >= 0 FROM requests ORDER BY seq") == [("fraud", 1), ("fraud", 1), ("", 1)]


def test_a_log_that_cannot_be_written_refuses_the_requests_after_the_first(
    fast: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "taxiway")

    async def scenario() -> None:
        model = fast.served()
        await model.champion.refresh()
        with monkeypatch.context() as full:
            full.setattr(fast.log._file, "write", no_space)
            await model.predict("{}", ROWS)
            await soon(lambda: fast.log.problem)
            for _ in range(2):
                with pytest.raises(RequestError, match="could not be logged"):
                    await model.predict("{}", ROWS)
        await model.predict("{}", ROWS)
        assert fast.log.problem, "some writes succeed on a full disk, so it is not over yet"
        monkeypatch.setattr(problems, "_QUIET_S", 0.0)
        await model.predict("{}", ROWS)
        assert not fast.log.problem
        await model.close()

    asyncio.run(scenario())
    assert logged(fast) == 2
    assert "answered requests of" in caplog.text
