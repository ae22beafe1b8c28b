"""The cache of stages: found again by everything that decides the result, and a miss if what it leads to is gone."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from taxiway.records import Interval
from taxiway.records.digests import digest_of_bytes
from taxiway.store import StageKey, Store, cache, keep, made_before

KEY = StageKey("transform", {"snapshot": "s", "report": None}, {"label": "y"}, {"build": "c"}, ("pytest",))
MADE = Interval(value=0.5, low=0.4, high=0.6, rows=10)


def test_what_was_kept_is_found_again(store: Store) -> None:
    assert made_before(store, KEY, Interval) is None
    assert keep(store, KEY, MADE) == MADE
    assert made_before(store, KEY, Interval) == MADE
    assert made_before(store, KEY, Interval, whole=lambda _: False) is None


def test_everything_that_decides_the_result_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [
        replace(KEY, stage="train"),
        replace(KEY, inputs={"snapshot": "t", "report": None}),
        replace(KEY, inputs={"snapshot": "s", "report": "r"}),
        replace(KEY, params={"label": "z"}),
        replace(KEY, code={"build": "d"}),
        replace(KEY, code={}),
        replace(KEY, packages=()),
    ]
    assert len({key.digest for key in (KEY, *others)}) == 8
    assert replace(KEY).digest == KEY.digest
    monkeypatch.setattr(cache, "_installed_version", lambda package: "0.0.1")
    assert replace(KEY).digest != KEY.digest


def test_a_record_that_is_lost_or_altered_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(str(tmp_path))
    keep(store, KEY, MADE)
    (path,) = (tmp_path / "records" / "Interval").glob("*.json")
    for damage in (lambda: path.write_text("{}"), path.unlink):
        damage()
        with caplog.at_level(logging.WARNING):
            assert made_before(store, KEY, Interval) is None
        assert "leads to no Interval, and is ignored" in caplog.text
        assert keep(store, KEY, MADE) == MADE
        assert made_before(store, KEY, Interval) == MADE


def test_a_record_of_a_version_that_is_not_known_is_made_again(tmp_path: Path) -> None:
    """Two versions of Taxiway may share a store for a while."""
    store = Store(str(tmp_path))
    newer = MADE.to_json().replace('"record_version":1', '"record_version":9').encode()
    digest = digest_of_bytes(newer)
    store.set_ref(KEY.ref, digest)
    store._fs.makedirs(str(tmp_path / "records" / "Interval"), exist_ok=True)
    store._fs.pipe_file(str(tmp_path / "records" / "Interval" / f"{digest}.json"), newer)
    assert made_before(store, KEY, Interval) is None
    assert (tmp_path / "records" / "Interval" / f"{digest}.json").exists(), "it is the other version's"
