"""Where spans, records and fitted transforms lie: under the digest of their content, written beside and then renamed.

Layout below the store's URL: `objects/ab/abcd...` (files), `records/KIND/DIGEST.json`, `index/NAME` (pointers: small texts
that may be written again, the only thing here that changes).
"""

import posixpath
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem
from pydantic import ValidationError

from taxiway.digests import digest_of_bytes, digest_of_file
from taxiway.errors import CorruptArtifact, TerminalError
from taxiway.records import Record, RecordRef

R = TypeVar("R", bound=Record)


class Store:
    """Content-addressed files and records below one fsspec URL (a local folder, s3://..., gs://...).

    A file is never overwritten: who puts the same content twice finds the first. A crash leaves nothing that can be seen.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._fs, self._root = fsspec.core.url_to_fs(url)

    @property
    def is_local(self) -> bool:
        """Whether only processes on this machine can read it."""
        return isinstance(self._fs, LocalFileSystem)

    def put_file(self, source: Path) -> str:
        """Copy a local file in; returns its digest."""
        digest = digest_of_file(source)
        path = self._object_path(digest)
        if not self._exists(path):
            with self._beside(path) as beside:
                self._fs.put_file(str(source), beside)
        return digest

    def put_bytes(self, content: bytes) -> str:
        """Write `content` in; returns its digest."""
        digest = digest_of_bytes(content)
        path = self._object_path(digest)
        if not self._exists(path):
            with self._beside(path) as beside:
                self._fs.pipe_file(beside, content)
        return digest

    @contextmanager
    def local_file(self, digest: str) -> Iterator[Path]:
        """A local path with the content of `digest`, good within the block: the stored file itself where the store is local.

        Raises CorruptArtifact if the bytes do not have this digest, TerminalError if there are none.
        """
        path = self._object_path(digest)
        if not self._exists(path):
            raise TerminalError(
                f"{self.url} holds no object {digest}: it was deleted, or this is not the store it was written to"
            )
        if self.is_local:
            self._verify(Path(path), digest)
            yield Path(path)
            return
        folder = Path(tempfile.mkdtemp(prefix="taxiway-"))
        try:
            local = folder / digest
            self._fs.get_file(path, str(local))
            self._verify(local, digest)
            yield local
        finally:
            shutil.rmtree(folder)

    def holds(self, digest: str) -> bool:
        """Whether there is an object of this digest; its bytes are not looked at."""
        return self._exists(self._object_path(digest))

    def get_bytes(self, digest: str) -> bytes:
        """The content of `digest`, verified; for small things."""
        with self.local_file(digest) as path:
            return path.read_bytes()

    def put(self, record: Record) -> RecordRef:
        """Write a record; returns the reference that goes through XCom."""
        ref = RecordRef(record=type(record).__name__, digest=record.digest)
        path = self._record_path(ref)
        if not self._exists(path):
            with self._beside(path) as beside:
                self._fs.pipe_file(beside, record.to_json().encode())
        return ref

    def get(self, kind: type[R], digest: str) -> R:
        """Read the record of this kind and digest. Raises TerminalError if there is none, CorruptArtifact if it was altered."""
        path = self._record_path(RecordRef(record=kind.__name__, digest=digest))
        try:
            text = self._fs.cat_file(path)
        except FileNotFoundError:
            raise TerminalError(f"{self.url} holds no {kind.__name__} {digest}: run the stage that makes it again") from None
        if digest_of_bytes(text) != digest:
            raise CorruptArtifact(
                f"{path} was altered: its content no longer has the digest in its name; delete it and run again"
            )
        try:
            return kind.from_json(text)
        except ValidationError as error:
            raise TerminalError(
                f"{path}: another version of Taxiway wrote it, {error.error_count()} of its fields are not as this one knows them"
            ) from error
        except ValueError as error:
            raise TerminalError(f"{path}: {error}") from error

    def point(self, name: str, value: str) -> None:
        """Set the pointer `name` (a path like `profiles/DIGEST`) to `value`; the last writer wins."""
        path = self._index_path(name)
        with self._beside(path) as beside:
            self._fs.pipe_file(beside, value.encode())

    def pointer(self, name: str) -> str | None:
        """What the pointer `name` was last set to, or None."""
        try:
            return str(self._fs.cat_file(self._index_path(name)).decode())
        except FileNotFoundError:
            return None

    def pointers(self, folder: str) -> dict[str, str]:
        """All pointers directly below `folder`, by their last name."""
        self._fs.invalidate_cache()  # fsspec keeps listings of object stores as long as the process lives
        place = self._index_path(folder)
        if not self._fs.isdir(place):
            return {}
        names = sorted(posixpath.basename(p) for p in self._fs.ls(place, detail=False))
        found = {name: self.pointer(f"{folder}/{name}") for name in names if ".beside-" not in name}
        return {name: value for name, value in found.items() if value is not None}

    @contextmanager
    def _beside(self, path: str) -> Iterator[str]:
        """A path beside `path` to write to; moved onto it when the block ends well, removed when it does not."""
        self._fs.makedirs(posixpath.dirname(path), exist_ok=True)
        beside = f"{path}.beside-{uuid.uuid4().hex}"
        try:
            yield beside
            if self.is_local:
                Path(beside).replace(path)  # fsspec's local mv falls back to a copy, which is not atomic
            else:
                self._fs.mv(beside, path)
        finally:
            if self._exists(beside):
                self._fs.rm_file(beside)

    def _exists(self, path: str) -> bool:
        """Asks the file system itself, and not a listing of it from before another process wrote or deleted."""
        self._fs.invalidate_cache(posixpath.dirname(path))
        return bool(self._fs.exists(path))

    @staticmethod
    def _verify(path: Path, digest: str) -> None:
        if digest_of_file(path) != digest:
            raise CorruptArtifact(
                f"{path} was altered: its content no longer has the digest in its name; delete it and run again"
            )

    def _object_path(self, digest: str) -> str:
        return f"{self._root}/objects/{digest[:2]}/{digest}"

    def _record_path(self, ref: RecordRef) -> str:
        return f"{self._root}/records/{ref.record}/{ref.digest}.json"

    def _index_path(self, name: str) -> str:
        if name.startswith("/") or ".." in name.split("/"):
            raise TerminalError(f"a pointer's name is a relative path, got {name!r}")
        return f"{self._root}/index/{name}"
