"""What the tests without Airflow share."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from taxiway.evaluation import pictures
from taxiway.tracking import local

_make: Callable[[Path], None] = local._make_database
_draw: Callable[[object], bytes] = pictures._png


@pytest.fixture(scope="session", autouse=True)
def _one_empty_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Folders of local runs begin with a copy of the empty database that MLflow has made for the first of them.

    MLflow makes it by all of its migrations, which takes more than a second.
    """
    made = tmp_path_factory.mktemp("empty") / local._DATABASE

    def copy(folder: Path) -> None:
        if not made.exists():
            _make(folder)
            shutil.copyfile(folder / made.name, made)
            return
        beside = folder.absolute() / f"{made.name}.new"
        shutil.copyfile(made, beside)
        with closing(sqlite3.connect(beside)) as connection, connection:
            place = str(folder.absolute() / "artifacts" / "0")
            connection.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0", (place,))
        beside.rename(folder.absolute() / made.name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "_make_database", copy)
        yield


@pytest.fixture
def database_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow makes the database itself, as outside of tests."""
    monkeypatch.setattr(local, "_make_database", _make)


@pytest.fixture(scope="session", autouse=True)
def _no_pictures() -> Iterator[None]:
    """The figures of an evaluation are made, but not drawn, which takes a quarter of the time of a whole run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_png", lambda _: b"not drawn")
        yield


@pytest.fixture
def pictures_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As outside of tests."""
    monkeypatch.setattr(pictures, "_png", _draw)
