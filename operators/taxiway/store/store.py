"""The content-addressed store of rows, records and fitted transforms. Files appear atomically, by a rename.

Layout below the store's URL: `objects/ab/abcd...` (files), `records/KIND/DIGEST.json`, and `index/NAME` (refs: small texts, the only
files that change).
"""

import contextlib
import logging
import posixpath
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import fsspec
from fsspec.implementations.local import LocalFileSystem
from pydantic import ValidationError

from taxiway.errors import CorruptArtifactError, NotStoredError, TerminalError, UnreadableRecordError
from taxiway.messages import counted
from taxiway.records import Record, RecordRef
from taxiway.records.digests import digest_of_bytes, digest_of_file
from taxiway.store.temp_folder import temp_folder

R = TypeVar("R", bound=Record)
LOST = (NotStoredError, CorruptArtifactError, UnreadableRecordError)
"""The errors of a record or an object that is lost for good."""
_DIGEST = re.compile(r"[0-9a-f]{32}")
_log = logging.getLogger(__name__)
_TEMP = ".temp-"
_WRITE_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}


class Store:
    """Content-addressed files and records, and refs, below one fsspec URL.

    Content is stored once and never overwritten. A crash leaves no visible partial file.

    Args:
        url: A local folder, or a URL such as memory://..., s3://... or gs://...
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._fs, self._root = fsspec.core.url_to_fs(url)

    @property
    def _writes_whole(self) -> bool:
        protocol = self._fs.protocol
        return not _WRITE_WHOLE.isdisjoint((protocol,) if isinstance(protocol, str) else protocol)

    @property
    def is_local(self) -> bool:
        """Whether the store is a local folder."""
        return isinstance(self._fs, LocalFileSystem)

    def put_file(self, source: Path) -> str:
        """Store a copy of a local file; returns its digest."""
        digest = digest_of_file(source)
        path = self._object_path(digest)
        if not self._holds(path, digest, source.stat().st_size):
            with self._written(path) as temp:
                self._fs.put_file(str(source), temp)
        return digest

    def put_bytes(self, content: bytes) -> str:
        """Store bytes; returns their digest."""
        digest = digest_of_bytes(content)
        self._put(self._object_path(digest), content)
        return digest

    @contextmanager
    def local_file(self, digest: str) -> Iterator[Path]:
        """A local path of an object, for the duration of the block: the stored file itself if the store is local.

        Raises:
            NotStoredError: There is no object with this digest.
            CorruptArtifactError: Its content does not have this digest.
        """
        path = self._object_path(digest)
        if not self._exists(path):
            raise NotStoredError(
                f"{self.url} has no object {digest}: it was deleted, or it was written to another store", got=digest
            )
        if self.is_local:
            self._verify(path, Path(path), digest)
            yield Path(path)
            return
        with temp_folder("object") as folder:
            local = folder / digest
            self._fs.get_file(path, str(local))
            self._verify(path, local, digest)
            yield local

    def is_whole(self, digest: str) -> bool:
        """Whether there is an object with this digest and content; it is read for that."""
        try:
            with self.local_file(digest):
                return True
        except LOST as error:
            _log.warning("%s", error)
            return False

    def get_bytes(self, digest: str) -> bytes:
        """The verified content of a small object; raises as `local_file`."""
        with self.local_file(digest) as path:
            return path.read_bytes()

    def put(self, record: Record) -> RecordRef:
        """Store a record; returns its reference for XCom."""
        ref = RecordRef(record=type(record).__name__, digest=record.digest)
        self._put(self._record_path(ref), record.to_json().encode())
        return ref

    def get(self, kind: type[R], digest: str) -> R:
        """Read a record. It keeps its digest, even if an older version of Taxiway stored it.

        Raises:
            NotStoredError: There is no such record.
            CorruptArtifactError: Its content does not have this digest.
            UnreadableRecordError: It was written by a version of Taxiway that this version cannot read.
        """
        path = self._record_path(RecordRef(record=kind.__name__, digest=digest))
        text = self._read(path) if _DIGEST.fullmatch(digest) else None
        if text is None:
            raise NotStoredError(f"{self.url} has no {kind.__name__} {digest}; run the stage that writes it again", got=digest)
        if digest_of_bytes(text) != digest:
            raise self._set_aside(path, digest)
        try:
            return kind.from_json(text)
        except ValidationError as error:
            raise UnreadableRecordError(
                f"{path} was written by another version of Taxiway: {counted(error.error_count(), 'field')} cannot be read by this version",
                got=digest,
            ) from error
        except ValueError as error:
            raise UnreadableRecordError(f"{path}: {error}", got=digest) from error

    def follow(self, kind: type[R], ref: str) -> R | None:
        """The record whose digest is the value of a ref.

        A ref only remembers what can be made again or done without. If it leads to nothing, this is as if it did not exist.

        Returns:
            The record; None if there is no such ref, or, with a warning, if its record is lost, corrupt, or of an unknown version.
        """
        digest = self.get_ref(ref)
        if digest is None:
            return None
        try:
            return self.get(kind, digest)
        except LOST as error:
            _log.warning("%s leads to no %s, and is ignored: %s", ref, kind.__name__, error)
            return None

    def set_ref(self, name: str, value: str) -> None:
        """Set the ref `name` (a path such as `cache/profile/DIGEST`) to `value`; the last writer wins."""
        with self._written(self._ref_path(name)) as temp:
            self._fs.pipe_file(temp, value.encode())

    def get_ref(self, name: str) -> str | None:
        """The value of the ref `name`, or None."""
        found = self._read(self._ref_path(name))
        return None if found is None else found.decode(errors="replace")

    def list_refs(self, folder: str) -> tuple[str, ...]:
        """The last part of the names of all refs directly below `folder`, sorted. It takes one listing."""
        self._fs.invalidate_cache()  # fsspec caches listings of object stores for the life of the process
        try:
            found = self._fs.ls(self._ref_path(folder), detail=False)
        except FileNotFoundError:
            return ()
        names = (posixpath.basename(path.rstrip("/")) for path in found)
        return tuple(sorted(name for name in names if name and _TEMP not in name))

    def delete_ref(self, name: str) -> None:
        """Delete the ref `name`; no error if there is none."""
        self._remove(self._ref_path(name))

    @contextmanager
    def _written(self, path: str) -> Iterator[str]:
        """A temporary path, which is renamed to `path` if the block succeeds and removed if not.

        In object stores files appear only when they are complete, so it is `path` itself.
        """
        if self._writes_whole:
            yield path
            return
        self._fs.makedirs(posixpath.dirname(path), exist_ok=True)
        temp = f"{path}{_TEMP}{uuid.uuid4().hex}"
        try:
            yield temp
            if self.is_local:
                Path(temp).replace(path)  # fsspec's local mv falls back to a copy, which is not atomic
            else:
                self._fs.mv(temp, path)
        finally:
            self._remove(temp)

    def _remove(self, path: str) -> None:
        """Remove a file, which another process may remove at the same time."""
        if self._exists(path):
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(path)

    def _exists(self, path: str) -> bool:
        """Whether a file exists now, without a cached listing."""
        self._fs.invalidate_cache(posixpath.dirname(path))
        return bool(self._fs.exists(path))

    def _put(self, path: str, content: bytes) -> None:
        """Write a small file, unless it has this content."""
        if self._read(path) != content:
            with self._written(path) as temp:
                self._fs.pipe_file(temp, content)

    def _read(self, path: str) -> bytes | None:
        """The content of a small file; None if there is none."""
        try:
            return bytes(self._fs.cat_file(path))
        except FileNotFoundError:
            return None

    def _holds(self, path: str, digest: str, size: int) -> bool:
        """Whether a file has this content. In an object store, where it would be downloaded, only its size is compared."""
        if not self._exists(path) or self._fs.size(path) != size:
            return False
        return not self.is_local or digest_of_file(Path(path)) == digest

    def _verify(self, path: str, local: Path, digest: str) -> None:
        if digest_of_file(local) != digest:
            raise self._set_aside(path, digest)

    def _set_aside(self, path: str, digest: str) -> CorruptArtifactError:
        """Rename a corrupt file, so that it can be stored again; returns the error for its reader."""
        with contextlib.suppress(OSError):  # another process was faster, or this one may only read
            self._fs.mv(path, f"{path}.corrupt")
        return CorruptArtifactError(
            f"{path} is corrupt: its content does not match the digest in its name; it is renamed to {digest}.corrupt. Run the stage "
            "that makes it again",
            got=digest,
        )

    def _object_path(self, digest: str) -> str:
        return f"{self._root}/objects/{digest[:2]}/{digest}"

    def _record_path(self, ref: RecordRef) -> str:
        return f"{self._root}/records/{ref.record}/{ref.digest}.json"

    def _ref_path(self, name: str) -> str:
        if name.startswith("/") or ".." in name.split("/"):
            raise TerminalError(f"a ref's name must be a relative path without .., got {name!r}", got=name)
        return f"{self._root}/index/{name}"
