"""What the tests without Airflow share."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli.local_runs import kept, run
from stages.conftest import Site

from conftest_mlflow import make_database
from taxiway.evaluation import pictures
from taxiway.evaluation.baselines import timing
from taxiway.tracking import local

_make: Callable[[Path], None] = local._make_database
_draw: Callable[..., dict[str, bytes]] = pictures._draw


@cache
def _write_compact_schemas() -> None:
    """Let skops write JSON without indentation: json does that in C, and with indentation in Python, for a tenth of a run's time."""
    from skops.io import _persist

    _persist.json = SimpleNamespace(dumps=lambda state, **_: json.dumps(state))


@cache
def _commit_at_once() -> None:
    """Let SQLite wait for no disk: half of a run's time, for what only a machine without power would lose, and no killed process."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def _(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")


@pytest.fixture(scope="session", autouse=True)
def _copied_databases(for_all: Path) -> Iterator[None]:
    """Folders of local runs begin with a copy of the empty database that MLflow has made for the first of them."""

    def copy(folder: Path) -> None:
        _commit_at_once()
        _write_compact_schemas()
        make_database(for_all, folder.absolute() / local._DATABASE, str(folder.absolute() / "artifacts"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "_make_database", copy)
        yield


@pytest.fixture
def database_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow makes the database itself, as outside of tests."""
    monkeypatch.setattr(local, "_make_database", _make)


@pytest.fixture(scope="session", autouse=True)
def _no_pictures() -> Iterator[None]:
    """An evaluation draws nothing, as without Matplotlib: pictures and importances take a third of the time of a whole run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_draw", lambda *_: {})
        yield


@pytest.fixture(scope="session", autouse=True)
def _measured_once() -> Iterator[None]:
    """An evaluation takes the time of one call of a model, and not the median of three, which is a twentieth of a whole run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "_CALLS", 1)
        yield


@pytest.fixture
def champion_site(site: Site, for_all: Path) -> Site:
    """The folder of the small pipeline after its first run, whose version 1 is the champion."""

    def make() -> None:
        assert run().exit_code == 0

    kept(site.folder, for_all / "first_run", make)
    return site


@pytest.fixture
def turned_site(site: Site, for_all: Path) -> Site:
    """The folder in which version 3 was promoted eight days ago, and is worse than version 1."""

    def make() -> None:
        from cli.turned_champion import promote_turned

        assert run().exit_code == 0
        promote_turned(site)

    kept(site.folder, for_all / "turned", make)
    return site


@pytest.fixture
def pictures_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As outside of tests."""
    monkeypatch.setattr(pictures, "_draw", _draw)
