"""What every store keeps to, wherever it is: content-addressed, verified when read, nothing half written, refs listed unread."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.errors import CorruptArtifactError, NotStoredError, TerminalError
from taxiway.records import Interval, Span
from taxiway.store import Store

SPAN = Span(source="s", name="n", rows=1, content="0" * 32)


def overwrite(store: Store, path: str, content: bytes) -> None:
    """Write as somebody who does not know of digests."""
    store._fs.pipe_file(path, content)


class TestObjects:
    def test_bytes_come_back_under_their_digest(self, store: Store) -> None:
        digest = store.put_bytes(b"rows")
        assert len(digest) == 32
        assert store.get_bytes(digest) == b"rows"
        assert store.put_bytes(b"rows") == digest
        assert store.is_whole(digest)
        assert not store.is_whole("0" * 32)

    def test_a_file_and_its_bytes_have_the_same_digest(self, store: Store, tmp_path: Path) -> None:
        path = tmp_path / "a.parquet"
        path.write_bytes(b"rows" * 400_000)
        digest = store.put_file(path)
        assert digest == store.put_bytes(path.read_bytes())
        with store.local_file(digest) as local:
            assert local.read_bytes() == path.read_bytes()

    @examples(20)
    @given(content=st.binary(max_size=2000))
    def test_whatever_is_put_is_got(self, store: Store, content: bytes) -> None:
        assert store.get_bytes(store.put_bytes(content)) == content

    def test_altered_bytes_are_found(self, store: Store) -> None:
        digest = store.put_bytes(b"rows")
        overwrite(store, store._object_path(digest), b"sows")
        with pytest.raises(CorruptArtifactError, match="is corrupt"):
            store.get_bytes(digest)

    def test_what_is_missing_is_said(self, store: Store) -> None:
        with pytest.raises(NotStoredError, match="has no object"):
            store.get_bytes("0" * 32)

    def test_what_another_process_wrote_or_deleted_is_seen(self, store: Store, open_store: Any) -> None:
        other = open_store()
        digest = other.put_bytes(b"rows")
        assert store.is_whole(digest)
        other._fs.rm_file(other._object_path(digest))
        assert not store.is_whole(digest)
        assert store.put_bytes(b"rows") == digest
        assert other.get_bytes(digest) == b"rows"


class TestRecords:
    def test_a_record_comes_back(self, store: Store) -> None:
        interval = Interval(value=0.5, low=0.4, high=0.6, rows=10)
        ref = store.put(interval)
        assert (ref.record, ref.digest) == ("Interval", interval.digest)
        assert store.get(Interval, ref.digest) == interval

    def test_an_altered_record_is_found_and_can_be_made_again(self, store: Store) -> None:
        ref = store.put(SPAN)
        overwrite(store, store._record_path(ref), SPAN.to_json().replace('"rows":1', '"rows":2').encode())
        with pytest.raises(CorruptArtifactError):
            store.get(Span, ref.digest)
        with pytest.raises(NotStoredError):
            store.get(Span, ref.digest)
        assert store.get(Span, store.put(SPAN).digest) == SPAN

    def test_what_is_missing_is_said(self, store: Store) -> None:
        with pytest.raises(NotStoredError, match="has no Span") as caught:
            store.get(Span, "0" * 32)
        assert caught.value.got == "0" * 32


class TestRefs:
    def test_refs_change_and_are_listed_by_name(self, store: Store) -> None:
        assert store.get_ref("decided/a/x") is None
        assert store.list_refs("decided/a") == ()
        store.set_ref("decided/a/x", "1")
        store.set_ref("decided/a/y", "2")
        store.set_ref("decided/a/x", "3")
        assert store.get_ref("decided/a/x") == "3"
        assert store.list_refs("decided/a") == ("x", "y")
        store.delete_ref("decided/a/x")
        store.delete_ref("decided/a/x")
        assert store.get_ref("decided/a/x") is None
        assert store.list_refs("decided/a") == ("y",)

    def test_an_empty_ref_is_one(self, store: Store) -> None:
        store.set_ref("markers/x", "")
        assert store.get_ref("markers/x") == ""
        assert store.list_refs("markers") == ("x",)

    def test_a_listing_reads_no_ref(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(5):
            store.set_ref(f"many/{number}", "text")

        def read(*_: object, **__: object) -> bytes:
            raise AssertionError("a ref was read")

        monkeypatch.setattr(store._fs, "cat_file", read)
        assert store.list_refs("many") == ("0", "1", "2", "3", "4")

    def test_refs_that_another_process_set_are_listed(self, store: Store, open_store: Any) -> None:
        other = open_store()
        assert store.list_refs("decided/a") == ()
        other.set_ref("decided/a/x", "1")
        assert store.list_refs("decided/a") == ("x",)
        other.set_ref("decided/a/y", "2")
        assert (store.list_refs("decided/a"), store.get_ref("decided/a/y")) == (("x", "y"), "2")

    @pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../outside"])
    def test_a_ref_cannot_leave_the_store(self, store: Store, name: str) -> None:
        for use in (store.get_ref, store.list_refs, store.delete_ref, lambda name: store.set_ref(name, "x")):
            with pytest.raises(TerminalError, match="relative path"):
                use(name)


def test_refs_stay_where_older_versions_wrote_them(tmp_path: Path) -> None:
    (tmp_path / "index" / "decided" / "a").mkdir(parents=True)
    (tmp_path / "index" / "decided" / "a" / "x").write_text("1")
    assert Store(str(tmp_path)).get_ref("decided/a/x") == "1"


def test_a_write_that_breaks_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path))

    def half(path: str, value: bytes) -> None:
        Path(path).write_bytes(value[:1])
        raise OSError("disk full")

    monkeypatch.setattr(store._fs, "pipe_file", half)
    with pytest.raises(OSError, match="disk full"):
        store.put_bytes(b"rows")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
