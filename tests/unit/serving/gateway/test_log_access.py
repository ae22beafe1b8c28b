"""Who can read the Parquet files of a request log: nobody but the gateway's user, and the group of a folder with the setgid bit."""

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from taxiway.errors import ConfigError
from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.rolling.access import is_shared, make_folder
from taxiway.serving.gateway.rolling.roll import roll
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.serving.request_log.files import log_files

GROUP, OTHER_USER = 54321, 54322


def logged(state: Path, folder: Path) -> None:
    """A request, in the SQLite file."""
    store_settings(state, RollSettings(folder=folder, settle_s=0))
    log = RequestLog(state, keep_rows=1000, keep_bytes=1 << 30)
    log.versions.note("a/b", 1, LoggedVersion(ModelColumns(("x",), ())))
    body = '{"dataframe_records": [{"x": 1}]}'
    request = LoggedRequest("r1", 0.0, "a/b", body, "c", 1, 200, "[0.5]", "", 1.0, None, None, None, "me", 2.0)

    async def add() -> None:
        await log.add([request])

    asyncio.run(add())
    log.close()


def modes(folder: Path) -> dict[str, set[int]]:
    """The modes of the folders and of the files in a folder."""
    paths = [folder, *folder.rglob("*")]
    found = {
        kind: {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir() == is_folder} for kind, is_folder in KINDS
    }
    assert found["files"], "there are files"
    return found


KINDS = (("folders", True), ("files", False))


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_a_log_is_private_whatever_the_umask_is(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        logged(tmp_path, tmp_path / "log")
        roll(tmp_path)
    finally:
        os.umask(before)
    assert modes(tmp_path / "log") == {"folders": {0o700}, "files": {0o600}}


def test_a_folder_that_the_group_can_read_shares_nothing_without_the_setgid_bit(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log").chmod(0o755)
    logged(tmp_path, tmp_path / "log")
    roll(tmp_path)
    (tmp_path / "log").chmod(0o700)
    assert modes(tmp_path / "log") == {"folders": {0o700}, "files": {0o600}}


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_a_folder_with_the_setgid_bit_shares_new_days_with_its_group_only(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        (tmp_path / "log").mkdir()
        (tmp_path / "log").chmod(0o2755)
        logged(tmp_path, tmp_path / "log")
        roll(tmp_path)
    finally:
        os.umask(before)
    (tmp_path / "log").chmod(0o2750)
    assert modes(tmp_path / "log") == {"folders": {0o2750}, "files": {0o640}}


def test_a_shared_folder_has_no_name_before_it_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log").chmod(0o2750)

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    before = os.umask(0o077)
    for place in ("chmod", "rename"):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Path, place, killed)
            make_folder(tmp_path / "log/requests", tmp_path / "log")
        assert not (tmp_path / "log/requests").exists()
    for _ in range(2):
        make_folder(tmp_path / "log/requests", tmp_path / "log")
    os.umask(before)
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["requests"]
    assert is_shared(tmp_path / "log/requests")


@contextmanager
def as_user(user: int, *groups: int) -> Iterator[None]:
    """Be another user in this block; only root can."""
    before = os.getgroups(), os.getegid(), os.umask(0o022)
    os.setgroups(groups)
    os.setegid(user)
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(before[1])
        os.setgroups(before[0])
        os.umask(before[2])


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user can enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="taxiway-log-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become other users")


@needs_root
def test_only_members_of_the_group_read_a_shared_log_and_others_are_told(place: Path) -> None:
    (place / "state").mkdir(mode=0o700)
    folder = place / "log"
    folder.mkdir()
    os.chown(folder, 0, GROUP)
    folder.chmod(0o2750)
    logged(place / "state", folder)
    roll(place / "state")

    with as_user(OTHER_USER, GROUP):
        assert len(log_files(folder).requests) == 1
    with as_user(OTHER_USER), pytest.raises(ConfigError) as refused:
        log_files(folder)
    message = str(refused.value)
    assert message.startswith(f"{folder}/requests cannot be read by this user, {OTHER_USER}")
    assert f"chgrp -R GROUP {folder}; chmod -R g+rX {folder}; find {folder} -type d -exec chmod g+s {{}} +" in message


@needs_root
def test_a_private_log_is_not_taken_for_an_empty_one(place: Path) -> None:
    """`Path.glob` leaves out folders that it may not read: a run of monitoring was skipped, as without requests."""
    (place / "state").mkdir(mode=0o700)
    logged(place / "state", place / "log")
    roll(place / "state")
    (place / "log").chmod(0o755)
    with as_user(OTHER_USER), pytest.raises(ConfigError, match=f"{place}/log/requests cannot be read by this user"):
        log_files(place / "log")
    place.chmod(0o700)
    with as_user(OTHER_USER), pytest.raises(ConfigError, match=f"{place}/log cannot be read by this user"):
        log_files(place / "log")


@needs_root
def test_a_gateway_outside_of_the_group_says_so_instead_of_hiding_its_files(place: Path) -> None:
    state, folder = place / "state", place / "log"
    for each in (state, folder):
        each.mkdir()
    logged(state, folder)
    for path in (state, *state.iterdir()):
        os.chown(path, OTHER_USER, OTHER_USER)
    os.chown(folder, OTHER_USER, GROUP)
    folder.chmod(0o2750)

    with as_user(OTHER_USER):
        os.umask(0o077)
        with pytest.raises(ConfigError, match=f"{folder} is shared with its group {GROUP}, which the gateway's user is not in"):
            roll(state)
        assert list(folder.iterdir()) == []
        os.umask(0o027)
        assert roll(state).files == 1
    assert modes(folder) == {"folders": {0o2750}, "files": {0o640}}
    assert {path.stat().st_gid for path in folder.rglob("*")} == {GROUP}
