"""The store: content-addressed, verified when read, nothing half written."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxiway.errors import CorruptArtifactError, TerminalError
from taxiway.records import Interval, Span
from taxiway.store import Store


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store")) if request.param == "local" else Store(f"memory://{tmp_path}")


def test_bytes_come_back_under_their_digest(store: Store) -> None:
    digest = store.put_bytes(b"rows")
    assert len(digest) == 32
    assert store.get_bytes(digest) == b"rows"
    assert store.put_bytes(b"rows") == digest


def test_a_file_and_its_bytes_have_the_same_digest(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"rows" * 400_000)
    digest = store.put_file(path)
    assert digest == store.put_bytes(path.read_bytes())
    with store.local_file(digest) as local:
        assert local.read_bytes() == path.read_bytes()


@settings(max_examples=20)
@given(content=st.binary(max_size=2000))
def test_whatever_is_put_is_got(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    store = Store(str(tmp_path_factory.getbasetemp() / "property"))
    assert store.get_bytes(store.put_bytes(content)) == content


def test_altered_bytes_are_found(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    digest = store.put_bytes(b"rows")
    (tmp_path / "objects" / digest[:2] / digest).write_bytes(b"sows")
    with pytest.raises(CorruptArtifactError, match="was altered"):
        store.get_bytes(digest)


def test_an_altered_record_is_found(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    ref = store.put(Span(source="s", name="n", rows=1, content="0" * 32))
    path = tmp_path / "records" / "Span" / f"{ref.digest}.json"
    path.write_text(path.read_text().replace('"rows":1', '"rows":2'))
    with pytest.raises(CorruptArtifactError):
        store.get(Span, ref.digest)


def test_what_is_missing_is_said(store: Store) -> None:
    with pytest.raises(TerminalError, match="holds no object"):
        store.get_bytes("0" * 32)
    with pytest.raises(TerminalError, match="holds no Span"):
        store.get(Span, "0" * 32)


def test_a_record_comes_back(store: Store) -> None:
    interval = Interval(value=0.5, low=0.4, high=0.6, rows=10)
    assert store.get(Interval, store.put(interval).digest) == interval


def test_refs_change_and_are_listed(store: Store) -> None:
    assert store.get_ref("decided/a/x") is None
    assert store.list_refs("decided/a") == ()
    store.set_ref("decided/a/x", "1")
    store.set_ref("decided/a/y", "2")
    store.set_ref("decided/a/x", "3")
    assert store.get_ref("decided/a/x") == "3"
    assert store.list_refs("decided/a") == ("x", "y")


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../outside"])
def test_a_ref_cannot_leave_the_store(tmp_path: Path, name: str) -> None:
    with pytest.raises(TerminalError, match="relative path"):
        Store(str(tmp_path)).set_ref(name, "x")


def test_a_write_that_breaks_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(str(tmp_path))

    def half(path: str, value: bytes) -> None:
        Path(path).write_bytes(value[:1])
        raise OSError("disk full")

    monkeypatch.setattr(store._fs, "pipe_file", half)
    with pytest.raises(OSError, match="disk full"):
        store.put_bytes(b"rows")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
