"""The folder of a batch, if several tries of a task write it at once: it appears whole, and stays."""

import fcntl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from taxiway.errors import TransientError
from taxiway.records.batch import Batch, read_batch
from taxiway.stages.batch import folder
from taxiway.stages.batch.folder import save, written_whole

BATCH = Batch(model="team.m", version=1, files="f", data="d.parquet", data_digest="d", keys=(), rows=1, rows_per_file=1)
Write = Callable[[Path], Batch]


def writing(content: str, batch: Batch = BATCH) -> Write:
    def write(beside: Path) -> Batch:
        finished = batch.model_copy(update={"finished_at": datetime.now(UTC)})
        (beside / "part-00000.parquet").write_text(content)
        save(beside, finished)
        return finished

    return write


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def until_done(out: Path, batch: Batch, write: Write) -> Batch:
    while True:
        try:
            return written_whole(out, batch, write)
        except TransientError:
            pass


def test_the_lock_is_held_until_the_predictions_are_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A try that Airflow took for dead may go on, and the next one must not put the same folder in place."""
    out, put, refused = tmp_path / "preds", folder._put_in_place, list[str]()

    def put_while_another_tries(out: Path) -> None:
        with pytest.raises(TransientError, match="another process writes predictions into") as raised:
            written_whole(out, BATCH, writing("second"))
        refused.append(str(raised.value))
        put(out)

    monkeypatch.setattr(folder, "_put_in_place", put_while_another_tries)
    written_whole(out, BATCH, writing("first"))
    assert len(refused) == 1
    assert (out / "part-00000.parquet").read_text() == "first"
    assert names(tmp_path) == ["preds"]


@pytest.mark.parametrize(("batch", "content"), [(BATCH, "first"), (BATCH.model_copy(update={"version": 2}), "second")])
def test_a_try_that_locks_a_folder_which_was_put_in_place_begins_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: Batch, content: str
) -> None:
    """It keeps the predictions of the first try, and replaces those of another version."""
    out, lock = tmp_path / "preds", fcntl.flock

    def lock_late(*args: Any) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        written_whole(out, BATCH, writing("first"))
        lock(*args)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    made = written_whole(out, batch, writing("second", batch))
    assert made == read_batch(out)
    assert made.version == batch.version
    assert (out / "part-00000.parquet").read_text() == content
    assert names(tmp_path) == ["preds"]


def test_tries_at_once_leave_the_predictions_of_one(tmp_path: Path) -> None:
    errors: list[BaseException] = []
    for number in range(100):
        out, start, written = tmp_path / f"preds{number}", threading.Barrier(3), list[str]()

        def one(content: str, out: Path = out, start: threading.Barrier = start, written: list[str] = written) -> None:
            def write(beside: Path) -> Batch:
                written.append(content)
                return writing(content)(beside)

            start.wait()
            try:
                until_done(out, BATCH, write)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=one, args=(content,)) for content in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert [(out / "part-00000.parquet").read_text()] == written
    assert len(names(tmp_path)) == 100
