"""A triggerer lives for weeks on a file system that keeps listings as S3's and GCS's do: what it listed once is not how things are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from taxiway.data.sources.files import find_spans


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
def _listing() -> Iterator[None]:
    fsspec.register_implementation("listing", ListingFileSystem, clobber=True)
    yield
    ListingFileSystem.clear_instance_cache()


@pytest.mark.usefixtures("_listing")
def test_a_span_that_came_since_the_last_look_is_found(tmp_path: Path) -> None:
    source, pattern = fsspec.filesystem("memory"), f"listing://{tmp_path}/{{YYYY}}-{{MM}}.p"
    source.pipe_file(f"{tmp_path}/2013-01.p", b"x")
    assert [span.name for span in find_spans(pattern)] == ["2013-01"]
    source.pipe_file(f"{tmp_path}/2013-02.p", b"x")
    assert [span.name for span in find_spans(pattern)] == ["2013-01", "2013-02"]
