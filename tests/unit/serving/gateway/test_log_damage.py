"""A request log that is damaged, gone, full or too large: serving goes on as far as it can, and says so once."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from taxiway.serving.gateway import problems
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.request_log import RequestLog

MODEL = "flights.late"


def request(number: int, payload: str = "{}") -> LoggedRequest:
    return LoggedRequest(
        f"r{number}", float(number), MODEL, payload, f"r{number}", 1, 200, "[0.5]", "", 10.0, 2, "run-1", "queued"
    )


def opened(folder: Path, keep_bytes: int = 1 << 30) -> RequestLog:
    return RequestLog(folder, keep_rows=1_000_000, keep_bytes=keep_bytes)


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to have pages " * 2000)


def damaged_inside(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    path.write_bytes(content)


def other_tables(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE requests (x)")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [garbage, damaged_inside, other_tables, truncated, a_folder]


def kept_aside(folder: Path) -> list[Path]:
    return sorted(folder.glob("requests.sqlite.unreadable-*"))


def add(log: RequestLog, *numbers: int) -> None:
    async def adding() -> None:
        await log.add([request(number) for number in numbers])

    asyncio.run(adding())


def ids(log: RequestLog) -> set[str]:
    return {row[0] for row in log._read("SELECT request_id FROM requests")}


def read_elsewhere(folder: Path) -> int:
    """The number of requests that another process finds; it opens and closes the log as the `sqlite3` shell does."""
    read = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute('SELECT count(*) FROM requests').fetchone()[0]); c.close()"
    command = [sys.executable, "-I", "-S", "-c", read, str(folder / "requests.sqlite")]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_another_process_that_reads_the_log_does_not_take_it_from_its_writer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = opened(tmp_path)
    for number in range(3):
        add(log, number)
        assert ids(log) == {f"r{each}" for each in range(number + 1)}
        assert read_elsewhere(tmp_path) == number + 1
        assert (tmp_path / "requests.sqlite-wal").exists(), "the reader took the log for unused"
    log.close()
    assert read_elsewhere(tmp_path) == 3
    assert not kept_aside(tmp_path)
    assert not caplog.records


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_at_the_start_is_kept_and_another_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None]
) -> None:
    first = opened(tmp_path)
    add(first, *range(300))
    first.close()
    damage(tmp_path / "requests.sqlite")
    second = opened(tmp_path)
    add(second, 1000)
    assert ids(second) == {"r1000"}
    assert second.problem == ""
    second.close()
    assert kept_aside(tmp_path)
    assert sum("it was renamed to" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("damage", [garbage, other_tables, a_folder, Path.unlink])
def test_a_log_that_is_damaged_or_deleted_while_it_is_used_is_replaced(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    log = opened(tmp_path)
    add(log, *range(300))
    for name in ("requests.sqlite-wal", "requests.sqlite-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    damage(tmp_path / "requests.sqlite")
    for number in range(1000, 1020):
        add(log, number)
    found = log.pairs(MODEL, 2, "run-1", limit=10)
    assert found.pairs == ()
    log.close()
    again = opened(tmp_path)
    assert ids(again) >= {f"r{number}" for number in range(1000, 1020)}, "a request that was answered is not in the log"
    again.close()


def test_a_reader_that_finds_the_damage_first_begins_another_log(tmp_path: Path) -> None:
    log = opened(tmp_path)
    add(log, *range(300))
    other_tables(tmp_path / "requests.sqlite")
    assert log.pairs(MODEL, 2, "run-1", limit=10).pairs == ()
    add(log, 1000)
    assert ids(log) == {"r1000"}
    log.close()


def test_a_log_that_cannot_be_written_says_so_once_and_when_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "taxiway")
    log = opened(tmp_path)
    add(log, 1)
    with closing(sqlite3.connect(log._file._path)) as other:
        pages = other.execute("PRAGMA page_count").fetchone()[0]
    log._file._connection().execute(f"PRAGMA max_page_count = {pages}")
    large = request(2, "x" * 100_000)

    async def adding() -> None:
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError, match="full"):
                await log.add([large])
        assert "requests are refused" in log.problem
        log._file._connection().execute("PRAGMA max_page_count = 100000")
        await log.add([large])
        assert log.problem, "some writes succeed on a full disk, so it is not over yet"
        monkeypatch.setattr(problems, "_QUIET_S", 0.0)
        log.probe()
        await log.add([])

    asyncio.run(adding())
    assert log.problem == ""
    assert ids(log) == {"r1", "r2"}
    log.close()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_row_that_cannot_be_written_does_not_end_the_writer(tmp_path: Path) -> None:
    log = opened(tmp_path)

    async def adding() -> None:
        with pytest.raises(UnicodeEncodeError):
            await log.add([request(1, "\ud800")])
        await log.add([request(2)])

    asyncio.run(adding())
    assert ids(log) == {"r2"}
    log.close()


def test_the_log_is_limited_in_bytes(tmp_path: Path) -> None:
    limit = 4 << 20
    log = opened(tmp_path, keep_bytes=limit)

    async def adding() -> None:
        for number in range(400):
            await log.add([request(number, "x" * 50_000)])
            with closing(sqlite3.connect(tmp_path / "requests.sqlite")) as other, other:
                other.execute("UPDATE rolled SET seq = (SELECT max(seq) FROM requests)")

    asyncio.run(adding())
    found = ids(log)
    log.close()
    assert (tmp_path / "requests.sqlite").stat().st_size < 1.5 * limit
    assert "r399" in found
    assert limit // 50_000 * 0.8 < len(found) <= limit // 50_000
    assert "r0" not in found
