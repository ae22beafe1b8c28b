"""The challenger of a served model under races and failures: it runs only under a stored lease, and leaves no worker or task behind."""

import asyncio
import time

import pytest
from worlds import MODEL, ROWS, World, no_space, soon, wanted

from taxiway.errors import ModelRefusedError, RequestError
from taxiway.serving.gateway.state.served import Lease


def test_a_lease_that_is_extended_while_its_removal_waits_is_kept(world: World) -> None:
    async def scenario() -> None:
        model = world.served()
        await model.challenger.put(wanted())
        deployed = model.challenger.current
        assert deployed is not None
        deployed.lease = Lease(2, "run-1", time.time() - 1)
        extending = asyncio.create_task(model.challenger.put(wanted()))
        await asyncio.sleep(0)
        await model.challenger.check_lease()
        await extending
        await model.challenger.check_lease()
        assert model.challenger.current is deployed
        deployed.lease = Lease(2, "run-1", time.time() - 1)
        await model.challenger.check_lease()
        assert model.challenger.current is None
        assert world.state.of(MODEL).lease is None
        await model.close()

    asyncio.run(scenario())


def test_a_stored_challenger_that_is_deleted_first_is_not_loaded_again(world: World) -> None:
    async def scenario() -> None:
        await world.state.save_lease(MODEL, Lease(2, "run-1", time.time() + 600))
        model = world.served()
        await asyncio.gather(model.challenger.check_lease(), model.challenger.remove("run-1"))
        await model.challenger.check_lease()
        assert model.challenger.current is None
        assert world.state.of(MODEL).lease is None
        await model.close()

    asyncio.run(scenario())


def test_a_stored_challenger_belongs_to_its_owner_before_it_is_loaded_again(world: World) -> None:
    async def scenario() -> None:
        await world.state.save_lease(MODEL, Lease(2, "run-1", time.time() + 600))
        model = world.served()
        with pytest.raises(RequestError, match="already has a challenger: version 2, deployed by run-1 until "):
            await model.challenger.put(wanted(owner="run-2"))
        with pytest.raises(RequestError, match="belongs to run-1"):
            await world.served().challenger.remove("run-2")
        assert world.state.of(MODEL).lease is not None
        await model.close()

    asyncio.run(scenario())


def test_an_expired_lease_is_deleted_with_its_token_after_a_restart(world: World) -> None:
    async def scenario() -> None:
        await world.state.save_lease(MODEL, Lease(2, "run-1", time.time() - 1))
        model = world.served()
        await model.challenger.check_lease()
        assert model.challenger.current is None
        assert world.state.of(MODEL).lease is None

    asyncio.run(scenario())


@pytest.mark.parametrize(("error", "status"), [(ModelRefusedError("not trusted"), 422), (RequestError(404, "deleted"), 404)])
def test_a_challenger_that_can_never_be_loaded_is_removed(world: World, error: Exception, status: int) -> None:
    async def scenario() -> None:
        model = world.served()
        with pytest.raises(RequestError) as refused:
            await model.challenger.put(wanted())
        assert refused.value.status == status
        assert model.challenger.current is None
        assert world.state.of(MODEL).lease is None

    world.prepare = lambda worker: setattr(worker, "load_error", error)
    asyncio.run(scenario())


@pytest.mark.parametrize("fails", [False, True])
def test_a_challenger_that_ends_between_its_loading_and_its_deployment_leaves_no_worker(
    world: World, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    async def scenario() -> None:
        reached = asyncio.Event()

        async def keep_only(*_: object) -> None:
            reached.set()
            if fails:
                raise OSError(5, "Input/output error")
            await asyncio.Event().wait()

        model = world.served()
        with monkeypatch.context() as patched:
            patched.setattr(world, "keep_only", keep_only)
            putting = asyncio.create_task(model.challenger.put(wanted()))
            await reached.wait()
            if fails:
                with pytest.raises(OSError, match="Input/output error"):
                    await putting
            else:
                model.challenger.end_workers()
                with pytest.raises(RequestError, match="was removed or replaced while it was loading"):
                    await putting
        await model.close()
        assert world.workers
        assert all(worker.is_stopped for worker in world.workers)

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_challenger_whose_lease_cannot_be_stored_does_not_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        model = world.served()
        with monkeypatch.context() as patched:
            patched.setattr(world.state, "_store", no_space)
            with pytest.raises(RequestError, match="cannot be written"):
                await model.challenger.put(wanted())
        assert all(worker.is_stopped for worker in world.workers)
        assert await model.challenger.status() is None
        await model.challenger.put(wanted())
        await model.close()

    asyncio.run(scenario())


def test_no_task_is_left_behind_when_challengers_are_dropped(world: World) -> None:
    async def scenario() -> None:
        model = world.served()
        await model.champion.refresh()
        before = asyncio.all_tasks()
        for version in (2, 3):
            await model.challenger.put(wanted(version))
            await model.predict("{}", ROWS)
        await model.challenger.remove("run-1")
        await soon(lambda: asyncio.all_tasks() <= before)
        for worker in world.workers:
            worker.may_load.clear()
        world.prepare = lambda worker: worker.may_load.clear()
        loading = asyncio.create_task(model.challenger.put(wanted(4)))
        await soon(lambda: any(worker.version == 4 and worker.ensured for worker in world.workers))
        await model.challenger.remove("run-1")
        with pytest.raises(RequestError, match="removed or replaced while it was loading"):
            await loading
        await soon(lambda: asyncio.all_tasks() <= before)
        assert all(worker.is_stopped for worker in world.workers if worker.version > 1)
        await model.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))
