"""Temporary folders of processes that live, that ended, and that were killed."""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from helping import PATIENCE_S
from taxiway.store.temp_folder import remove_abandoned, temp_folder

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def in_child(act: Callable[[], None]) -> int | None:
    """Run something in a process of its own; returns its exit code."""
    child = FORK.Process(target=act)
    child.start()
    child.join(PATIENCE_S)
    return child.exitcode


def hold(held: Event, wait: Event) -> None:
    with temp_folder("model") as folder:
        (folder / "weights").write_text("x")
        held.set()
        wait.wait(PATIENCE_S)


def die_within() -> None:
    with temp_folder("model") as folder:
        (folder / "weights").write_text("x")
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_folder_ends_with_its_block_also_after_an_error(place: Path) -> None:
    with pytest.raises(ZeroDivisionError), temp_folder("rows") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        raise ZeroDivisionError
    assert list(place.iterdir()) == []


def test_the_folder_of_a_killed_process_is_removed_by_the_next(place: Path) -> None:
    assert in_child(die_within) == -signal.SIGKILL
    (left,) = place.iterdir()
    assert (left / "weights").exists()

    def next_task() -> None:
        with temp_folder("rows") as own:
            assert list(place.iterdir()) == [own]

    assert in_child(next_task) == 0
    assert list(place.iterdir()) == []


def test_the_folder_of_a_living_process_stays(place: Path) -> None:
    held, wait = FORK.Event(), FORK.Event()
    child = FORK.Process(target=hold, args=(held, wait))
    child.start()
    try:
        assert held.wait(PATIENCE_S)
        remove_abandoned()
        (folder,) = place.iterdir()
        assert (folder / "weights").exists()
    finally:
        wait.set()
        child.join(PATIENCE_S)
    assert list(place.iterdir()) == []


def test_what_is_not_a_temporary_folder_of_ours_stays(place: Path) -> None:
    (place / "taxiway-ports-0").mkdir()
    (place / "taxiway-temp-file").write_text("a file")
    (place / "elsewhere").mkdir()
    (place / "taxiway-temp-link").symlink_to(place / "elsewhere")
    remove_abandoned()
    assert {path.name for path in place.iterdir()} == {"taxiway-ports-0", "taxiway-temp-file", "elsewhere", "taxiway-temp-link"}


def test_processes_that_clean_up_at_once_leave_each_others_folders(place: Path) -> None:
    def make_many() -> None:
        for _ in range(50):
            with temp_folder("rows") as folder:
                remove_abandoned()
                (folder / "rows").write_text("x")

    children = [FORK.Process(target=make_many) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(PATIENCE_S)
    assert [child.exitcode for child in children] == [0] * 4
    assert list(place.iterdir()) == []


def test_no_other_temporary_folders_are_made() -> None:
    """A folder that another function makes would outlive a killed process."""
    sources = Path(__file__).parents[3] / "operators"
    makers = {"TemporaryDirectory", "mkdtemp", "NamedTemporaryFile"}
    found = {p.name for p in sources.rglob("*.py") if any(maker in p.read_text() for maker in makers)}
    # PostgreSQL's folder is kept on purpose; a gateway removes what it did not finish when it starts.
    assert found == {"temp_folder.py", "as_root.py", "copies.py"}
