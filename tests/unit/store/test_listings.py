"""A triggerer lives for weeks on a file system that keeps listings as S3's and GCS's do: what it listed once is not how things are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from taxiway.data.spans import find_spans
from taxiway.store import Store


class ListingFileSystem(MemoryFileSystem):
    """The files of `memory://`, which others write too; every folder is listed once, until the cache is invalidated."""

    protocol = "listing"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(MemoryFileSystem._strip_protocol(path.removeprefix("listing://")))

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        path = self._strip_protocol(path)
        if path not in self.dircache:
            self.dircache[path] = super().ls(path, detail=True)
        return self.dircache[path] if detail else [entry["name"] for entry in self.dircache[path]]

    def info(self, path: str, **kwargs: Any) -> Any:
        return fsspec.AbstractFileSystem.info(self, path, **kwargs)

    def find(self, path: str, *args: Any, **kwargs: Any) -> Any:
        return fsspec.AbstractFileSystem.find(self, path, *args, **kwargs)

    def invalidate_cache(self, path: str | None = None) -> None:
        if path is None:
            self.dircache.clear()
        else:
            self.dircache.pop(self._strip_protocol(path), None)


@pytest.fixture
def reader_and_writer(tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """The same store: one of a process that keeps listings, and one of another process that writes."""
    fsspec.register_implementation("listing", ListingFileSystem, clobber=True)
    yield Store(f"listing://{tmp_path}"), Store(f"memory://{tmp_path}")
    fsspec.filesystem("memory").rm(str(tmp_path), recursive=True)
    ListingFileSystem.clear_instance_cache()


def test_refs_that_another_process_set_are_listed(reader_and_writer: tuple[Store, Store]) -> None:
    reader, writer = reader_and_writer
    writer.set_ref("decided/a/x", "1")
    assert reader.list_refs("decided/a") == ("x",)
    writer.set_ref("decided/a/y", "2")
    assert reader.list_refs("decided/a") == ("x", "y")


def test_an_object_that_another_process_wrote_or_deleted_is_no_longer_as_it_was(reader_and_writer: tuple[Store, Store]) -> None:
    reader, writer = reader_and_writer
    digest = writer.put_bytes(b"rows")
    assert reader.exists(digest)
    writer._fs.rm(writer._object_path(digest))
    assert not reader.exists(digest)
    writer.put_bytes(b"rows")
    assert reader.exists(digest)
    assert reader.get_bytes(digest) == b"rows"


def test_a_span_that_came_since_the_last_look_is_found(reader_and_writer: tuple[Store, Store], tmp_path: Path) -> None:
    source, pattern = fsspec.filesystem("memory"), f"listing://{tmp_path}/{{YYYY}}-{{MM}}.p"
    source.pipe_file(f"{tmp_path}/2013-01.p", b"x")
    assert [span.name for span in find_spans(pattern)] == ["2013-01"]
    source.pipe_file(f"{tmp_path}/2013-02.p", b"x")
    assert [span.name for span in find_spans(pattern)] == ["2013-01", "2013-02"]
