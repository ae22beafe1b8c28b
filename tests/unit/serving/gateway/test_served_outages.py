"""A served model while the registry does not answer or a version cannot be loaded; each problem is reported, and logged once."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from worlds import MODEL, ROWS, World, soon, wanted

from taxiway.errors import ModelUnavailableError, TransientError
from taxiway.serving.gateway.backing import WantedChampion
from taxiway.serving.gateway.models import versions as versions_module
from taxiway.serving.gateway.models.versions import ModelVersions
from taxiway.serving.gateway.registry_lookup import RegisteredVersion
from taxiway.serving.gateway.state.copies import Copies
from taxiway.serving.gateway.state.served import Lease
from taxiway.serving.model_copy import ModelCopy
from taxiway.serving.workers.base import ModelSource
from taxiway.serving.workers.local import Worker


@pytest.mark.parametrize("restored", [False, True])
def test_a_challenger_outlives_an_outage(world: World, restored: bool) -> None:
    async def scenario() -> None:
        if restored:
            world.away = True
            await world.state.save_lease(MODEL, Lease(2, "run-1", time.time() + 600))
        model = world.served()
        watching = asyncio.create_task(model.watch())
        if not restored:
            world.prepare = lambda worker: setattr(worker, "load_error", ModelUnavailableError("it took more than 120 s"))
            with pytest.raises(TransientError, match="more than 120 s"):
                await model.challenger.put(wanted())
        await soon(lambda: "the challenger cannot be loaded" in model._problems.text)
        assert world.state.of(MODEL).lease is not None, "an outage ended the challenger"
        world.away, world.prepare = False, lambda _: None
        await soon(lambda: model.challenger.current and model.challenger.current.server)
        await soon(lambda: "the challenger cannot be loaded" not in model._problems.text)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await model.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_restored_challenger_that_was_deleted_is_removed(world: World) -> None:
    async def scenario() -> None:
        await world.state.save_lease(MODEL, Lease(2, "run-1", time.time() + 600))
        world.deleted.add(2)
        model = world.served()
        watching = asyncio.create_task(model.watch())
        # The lease is deleted in a thread, before the challenger is removed in the event loop.
        await soon(lambda: world.state.of(MODEL).lease is None and model.challenger.current is None)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await model.close()

    asyncio.run(scenario())


def test_a_champion_whose_files_cannot_be_read_leaves_the_one_of_before_the_restart(world: World) -> None:
    async def scenario() -> None:
        await world.state.save_champion(MODEL, 1)
        world.copies.add(1)
        world.alias = 2
        model = world.served()
        world.prepare = lambda worker: setattr(
            worker, "load_error", ModelUnavailableError("away") if worker.version == 2 else None
        )
        await model.champion.refresh()
        status = await model.status()
        assert status.champion == 1
        assert status.problem == "away"
        await model.close()

    asyncio.run(scenario())


def test_a_model_that_lost_its_alias_is_not_served_from_its_copy(world: World) -> None:
    async def scenario() -> None:
        await world.state.save_champion(MODEL, 1)
        world.copies.add(1)
        world.alias = 0
        model = world.served()
        watching = asyncio.create_task(model.watch())
        await soon(lambda: world.lookups >= 3)
        world.away = True
        before = world.lookups
        await soon(lambda: world.lookups >= before + 3)
        assert model.champion.current is None
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await model.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(("verdict", "says"), [("FAIL", "its verdict is FAIL"), ("UNDECIDED", "its verdict is UNDECIDED")])
def test_a_champion_without_a_passed_verdict_is_reported(
    world: World, caplog: pytest.LogCaptureFixture, verdict: str, says: str
) -> None:
    async def scenario() -> None:
        model = world.served()
        await model.champion.refresh()
        assert not (await model.status()).problem
        world.verdict = verdict  # decided after the alias was moved
        for _ in range(3):
            await model.champion.refresh()
        status = await model.status()
        assert (status.champion, says in status.problem) == (1, True)
        world.verdict = "PASS"
        await model.champion.refresh()
        assert not (await model.status()).problem
        await model.close()

    asyncio.run(scenario())
    assert sum(record.levelno == logging.WARNING and says in record.getMessage() for record in caplog.records) == 1


def test_refused_requests_are_logged_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        model = world.served()
        await model.champion.refresh()
        for worker in world.workers:
            worker.may_answer.clear()
        asked = [asyncio.create_task(model.predict("{}", ROWS)) for _ in range(8)]
        await soon(lambda: sum(task.done() for task in asked) >= 4)
        assert "so requests are refused" in (await model.status()).problem
        for worker in world.workers:
            worker.may_answer.set()
        await asyncio.gather(*asked, return_exceptions=True)
        await model.close()

    world.settings = world.settings.model_copy(update={"queue_limit": 2})
    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert sum("so requests are refused" in record.getMessage() for record in caplog.records) == 1


def test_a_check_that_fails_again_and_again_is_logged_once(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        model = world.served()
        tries = 0

        async def fails() -> None:
            nonlocal tries
            tries += 1
            raise OSError("disk I/O error")

        monkeypatch.setattr(model.challenger, "check_lease", fails)
        watching = asyncio.create_task(model.watch())
        await soon(lambda: tries >= 5)
        assert "the check of the lease failed" in (await model.status()).problem
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await model.close()

    asyncio.run(scenario())
    assert sum("the check of the lease failed" in record.getMessage() for record in caplog.records) == 1


def test_a_failing_start_from_a_copy_ends_no_check_and_is_repeated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        model = world.served()
        start, tries = model.champion.serve_copy_if_registry_is_down, 0

        async def fails_twice() -> None:
            nonlocal tries
            tries += 1
            if tries <= 2:
                raise OSError(5, "Input/output error")
            await start()

        monkeypatch.setattr(model.champion, "serve_copy_if_registry_is_down", fails_twice)
        watching = asyncio.create_task(model.watch())
        await soon(lambda: tries == 3 and "saved copy" not in model._problems.text)
        lookups = world.lookups
        await soon(lambda: world.lookups > lookups or watching.done())
        assert not watching.done(), "the checks of the model have ended"
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await model.close()

    asyncio.run(scenario())


def dangling_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")


def a_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def download(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model").write_text("weights")
    return folder


@pytest.mark.parametrize("damage", [dangling_link, a_loop])
def test_a_copy_that_cannot_be_read_is_none(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    copies, version = Copies(tmp_path), RegisteredVersion(MODEL, 1, "v1", "PASS")
    copy = copies.add(version, download)
    assert copies.find(MODEL, 1) == (version, copy)
    damage(copy.folder / "model")
    assert copies.find(MODEL, 1) is None
    assert copies.add(version, download) == copy
    assert copies.find(MODEL, 1) == (version, copy)


def test_a_copy_of_a_release_with_other_facts_is_made_again(tmp_path: Path) -> None:
    copies, version = Copies(tmp_path), RegisteredVersion(MODEL, 1, "v1", "PASS")
    copy = copies.add(version, download)
    (about,) = tmp_path.rglob("copy.json")
    about.write_text(about.read_text().replace("trained_by_taxiway", "candidate"))
    assert copies.find(MODEL, 1) is None
    assert copies.add(version, download) == copy
    assert copies.find(MODEL, 1) == (version, copy)


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), EOFError("unexpected EOF"), RuntimeError("no thread")])
@pytest.mark.parametrize("where", ["start_fork_server", "multiprocessing.get_context"])
def test_a_process_that_cannot_be_started_is_an_error_of_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(f"taxiway.serving.workers.local.{where}", fails)
    source = ModelSource("json:loads", MODEL, 1, ModelCopy(tmp_path, ""))
    worker = Worker(source, load_timeout_s=1, predict_timeout_s=1)
    for _ in range(2):  # the next try begins afresh
        with pytest.raises(ModelUnavailableError, match=r"could not be loaded: no process can be started: \w+: "):
            asyncio.run(worker.ensure_loaded())


def test_copies_do_not_wait_for_calls_of_the_registry_that_hang(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, version = threading.Event(), RegisteredVersion(MODEL, 1, "v1", "PASS")
    copy = Copies(world.settings.state_folder).add(version, download)

    async def scenario() -> None:
        versions = ModelVersions(world.settings)
        hanging = [asyncio.create_task(versions.champion(MODEL, None)) for _ in range(100)]
        await asyncio.sleep(0)  # all of them are with the threads
        try:
            async with asyncio.timeout(20):
                assert await versions.saved(MODEL, 1) == (version, copy)
                assert await versions.copy(version) == copy
                await versions.keep_only(MODEL, [])
                assert await versions.saved(MODEL, 1) is None
            assert not any(task.done() for task in hanging)
        finally:
            answer.set()
            await asyncio.gather(*hanging)
            versions.close()

    def hang(*_: object) -> WantedChampion:
        answer.wait()
        return WantedChampion()

    monkeypatch.setattr(versions_module, "champion_version", lambda *_: None)
    monkeypatch.setattr(versions_module, "wanted_champion", hang)
    asyncio.run(scenario())
