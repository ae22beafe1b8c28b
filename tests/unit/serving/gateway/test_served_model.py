"""A served model under races and failures: every request is answered, and no process is left behind."""

import asyncio
import contextlib
import logging

import pytest
from worlds import MODEL, ROWS, World, soon, wanted

from taxiway.errors import RequestError
from taxiway.serving.gateway.registry_lookup import RegisteredVersion
from taxiway.serving.model_copy import ModelCopy
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.base import Outcome


def test_close_ends_every_worker_and_answers_every_request(world: World) -> None:
    async def scenario() -> None:
        model = world.served()
        await model.champion.refresh()
        for worker in world.workers:
            worker.may_answer.clear()
        first = asyncio.create_task(model.predict("{}", ROWS))
        await asyncio.sleep(0)
        world.alias = 2
        await model.champion.refresh()
        second = asyncio.create_task(model.predict("{}", ROWS))
        await model.challenger.put(wanted(3))
        await model.close()
        assert {worker.version for worker in world.workers if worker.is_stopped} == {1, 2, 3}
        assert all(worker.is_stopped for worker in world.workers)
        assert {outcome.status for _, _, outcome in await asyncio.gather(first, second)} <= {200, 503}

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_close_ends_a_champion_that_was_replaced_in_the_same_tick(world: World) -> None:
    async def scenario() -> None:
        model = world.served()
        await model.champion.refresh()
        world.alias = 0
        await model.champion.refresh()
        await model.close()
        assert all(worker.is_stopped for worker in world.workers)

    asyncio.run(scenario())


def test_a_model_without_a_champion_is_logged_once_and_not_at_every_check(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        model = world.served()
        for _ in range(3):
            await model.champion.refresh()
        world.alias = 1
        await model.champion.refresh()
        world.alias = 0
        for _ in range(3):
            await model.champion.refresh()
        await model.close()

    world.alias = 0
    caplog.set_level(logging.INFO, "taxiway")
    asyncio.run(scenario())
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "no version in the registry has the alias champion",
        "resolved, after it was noticed 3 times: no version in the registry has the alias champion",
        "serving champion version 1 (before: none)",
        "no version in the registry has the alias champion",
        "serving champion version none (before: 1)",
    ]


def test_an_unexpected_error_of_a_worker_is_answered_and_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        model = world.served()
        await model.champion.refresh()
        _, _, outcome = await model.predict("{}", ROWS)
        assert (outcome.status, outcome.error) == (503, "a bug")
        await model.close()

    world.prepare = lambda worker: setattr(worker, "predict_error", ValueError("a bug"))
    asyncio.run(scenario())
    assert any(record.exc_info and "ValueError: a bug" in caplog.text for record in caplog.records)


def test_a_batch_that_cannot_be_logged_fails_its_callers_and_not_the_next_ones(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        model = world.served()
        await model.champion.refresh()
        with monkeypatch.context() as patched:
            patched.setattr(world.log, "add", lambda _: 1 / 0)
            for _ in range(3):  # more often than there are workers
                with pytest.raises(RequestError, match="could not be logged"):
                    await model.predict("{}", ROWS)
        assert (await model.predict("{}", ROWS))[2].status == 200
        await model.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_the_alias_is_looked_up_while_workers_restart(world: World) -> None:
    async def scenario() -> None:
        model = world.served()
        await model.champion.refresh()
        for worker in world.workers:
            worker.may_load.clear()
        watching = asyncio.create_task(model.watch())
        await soon(lambda: all(worker.ensured == 2 for worker in world.workers))
        before = world.lookups
        await soon(lambda: world.lookups >= before + 3)
        assert all(worker.ensured == 2 for worker in world.workers), "they are still restarting"
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await model.close()

    asyncio.run(scenario())


def test_a_version_that_does_not_finish_in_time_is_named_with_its_requests(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        model = world.served()
        await model.champion.refresh()
        old = list(world.workers)
        for worker in old:
            worker.may_answer.clear()
        asked = [asyncio.create_task(model.predict("{}", ROWS)) for _ in range(5)]
        await asyncio.sleep(0)
        world.alias = 2
        await model.champion.refresh()
        await soon(lambda: all(worker.is_stopped for worker in old))
        answers = await asyncio.gather(*asked)
        assert {outcome.status for _, _, outcome in answers} == {503}
        await model.close()

    world.settings = world.settings.model_copy(update={"predict_timeout_s": 0.05})
    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert f"{MODEL} version 1: stopped with 5 unanswered requests after 0.05 s" in caplog.text


def test_a_swallowed_cancellation_does_not_keep_a_worker_loop(world: World) -> None:
    """`asyncio.wait_for` swallows one that comes together with its result (Python 3.11)."""

    async def scenario() -> None:
        model = world.served()
        await model.champion.refresh()
        current = model.champion.current
        assert current is not None
        served, tasks = current.server, list(current.server._serve_tasks)

        async def swallows(batch: list[Rows]) -> list[Outcome]:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
            return [Outcome(200, "[0.5]", "", 1.0, 0) for _ in batch]

        for worker in world.workers:
            worker.predict = swallows  # type: ignore[method-assign]
        asked = asyncio.create_task(model.predict("{}", ROWS))
        await soon(lambda: served._queue.empty())
        await asyncio.sleep(0)
        served.kill()
        await served.wait_closed()
        assert all(task.done() for task in tasks)
        await asked
        await model.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_rollback_needs_no_download(world: World) -> None:
    async def scenario() -> None:
        model = world.served()
        for version in (1, 2, 3):
            world.alias = version
            await model.champion.refresh()
        await soon(lambda: world.copies == {2, 3})
        copied: list[int] = []
        download = world.copy

        async def copy(version: RegisteredVersion) -> ModelCopy:
            copied.extend({version.version} - world.copies)
            return await download(version)

        world.copy = copy  # type: ignore[method-assign]
        world.alias = 2
        await model.champion.refresh()
        assert model.champion.current is not None
        assert (model.champion.current.version.version, copied) == (2, [])
        await model.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))
