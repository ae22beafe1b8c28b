"""A ref whose record was deleted, truncated or altered, or that is damaged itself: as if it did not exist, and the record can be made again."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from records.samples import SAMPLES

from taxiway.records import Record
from taxiway.store import SpanIndex, StageKey, Store, keep, made_before

Damage = Callable[[Path], object]
DAMAGES: dict[str, Damage] = {
    "deleted": Path.unlink,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "emptied": lambda path: path.write_bytes(b""),
    "altered": lambda path: path.write_bytes(b"\xff" + path.read_bytes()[1:]),
    "replaced by another record": lambda path: path.write_text("{}"),
}
damages = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
kinds = pytest.mark.parametrize("record", SAMPLES.values(), ids=SAMPLES)


def path_of(folder: Path, record: Record) -> Path:
    return folder / "records" / type(record).__name__ / f"{record.digest}.json"


@damages
@kinds
def test_a_record_that_is_lost_is_a_miss_and_is_made_again(
    tmp_path: Path, record: Record, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    store, key = Store(str(tmp_path)), StageKey("stage", {"input": "i"})
    keep(store, key, record)
    index = SpanIndex(store, "decided/team.made")
    index.add("2013-04", 0, record.digest)
    damage(path_of(tmp_path, record))
    with caplog.at_level(logging.WARNING):
        assert made_before(store, key, type(record)) is None
        assert index.record(type(record), "2013-04", 0) is None
    assert f"leads to no {type(record).__name__}" in caplog.text
    keep(store, key, record)
    assert made_before(store, key, type(record)) == record
    assert index.record(type(record), "2013-04", 0) == record


@damages
@kinds
def test_a_stage_that_runs_again_mends_a_record_that_nobody_has_read_yet(
    tmp_path: Path, record: Record, damage: Damage
) -> None:
    store = Store(str(tmp_path))
    store.put(record)
    damage(path_of(tmp_path, record))
    assert store.get(type(record), store.put(record).digest) == record


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"0" * 31, b"../../secrets", b"0" * 32 + b"\n", b"none"])
def test_a_ref_that_is_no_digest_is_a_miss(tmp_path: Path, text: bytes, caplog: pytest.LogCaptureFixture) -> None:
    store, key, record = Store(str(tmp_path)), StageKey("stage", {"input": "i"}), SAMPLES["Span"]
    keep(store, key, record)
    (tmp_path / "index" / key.ref).write_bytes(text)
    (tmp_path / "secrets.json").write_text("{}")
    assert made_before(store, key, type(record)) is None
    assert "leads to no" in caplog.text
    assert (tmp_path / "secrets.json").exists()
    keep(store, key, record)
    assert made_before(store, key, type(record)) == record


@pytest.mark.parametrize("name", ["deleted", "truncated", "emptied"])
def test_an_object_that_is_lost_is_stored_again_at_once(tmp_path: Path, name: str) -> None:
    store = Store(str(tmp_path / "store"))
    original = tmp_path / "rows.parquet"
    original.write_bytes(b"rows of a span")
    for put in (lambda: store.put_file(original), lambda: store.put_bytes(b"rows of a span")):
        digest = put()
        DAMAGES[name](Path(store._object_path(digest)))
        assert not store.is_whole(digest)
        assert put() == digest
        assert store.get_bytes(digest) == b"rows of a span"


def test_an_altered_object_is_set_aside_when_it_is_read_and_can_be_stored_again(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    original = tmp_path / "rows.parquet"
    original.write_bytes(b"rows of a span")
    path = Path(store._object_path(store.put_file(original)))
    path.write_bytes(b"cows of a span")
    store.put_file(original)
    assert path.read_bytes() == b"rows of a span", "without a reader"
    path.write_bytes(b"cows of a span")
    assert not store.is_whole(path.name)
    assert path.with_name(f"{path.name}.corrupt").read_bytes() == b"cows of a span", "nothing is deleted"
    assert store.get_bytes(store.put_file(original)) == b"rows of a span"
