"""Where rows, records and fitted transforms lie: under the digest of their content, written beside and then renamed.

Layout below the store's URL: `objects/ab/abcd...` (files), `records/KIND/DIGEST.json`, `index/NAME` (refs: small texts that may
be set again, the only thing here that changes).
"""

import contextlib
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

from taxiway.errors import CorruptArtifactError, NotStoredError, TerminalError, UnreadableRecordError
from taxiway.records import Record, RecordRef
from taxiway.records.digests import digest_of_bytes, digest_of_file

R = TypeVar("R", bound=Record)
_TEMP = ".temp-"
_WRITE_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}


class Store:
    """Content-addressed files and records below one fsspec URL (a local folder, memory://..., s3://..., gs://...), and refs.

    A file is never overwritten: who puts the same content twice finds the first. A crash leaves nothing that can be seen.
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
        """Whether only processes on this machine can read it."""
        return isinstance(self._fs, LocalFileSystem)

    def put_file(self, source: Path) -> str:
        """Copy a local file in; returns its digest."""
        digest = digest_of_file(source)
        path = self._object_path(digest)
        if not self._exists(path):
            with self._written(path) as temp:
                self._fs.put_file(str(source), temp)
        return digest

    def put_bytes(self, content: bytes) -> str:
        """Write `content` in; returns its digest."""
        digest = digest_of_bytes(content)
        path = self._object_path(digest)
        if not self._exists(path):
            with self._written(path) as temp:
                self._fs.pipe_file(temp, content)
        return digest

    @contextmanager
    def local_file(self, digest: str) -> Iterator[Path]:
        """A local path with the content of `digest`, good within the block: the stored file itself if the store is local.

        Raises:
            NotStoredError: There is no such object.
            CorruptArtifactError: Its bytes do not have this digest.
        """
        path = self._object_path(digest)
        if not self._exists(path):
            raise NotStoredError(
                f"{self.url} holds no object {digest}: it was deleted, or this is not the store it was written to", got=digest
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

    def exists(self, digest: str) -> bool:
        """Whether there is an object of this digest; its bytes are not looked at."""
        return self._exists(self._object_path(digest))

    def get_bytes(self, digest: str) -> bytes:
        """The content of `digest`, verified; for small things."""
        with self.local_file(digest) as path:
            return path.read_bytes()

    def put(self, record: Record) -> RecordRef:
        """Write a record under its digest; returns the reference that goes through XCom."""
        ref = RecordRef(record=type(record).__name__, digest=record.digest)
        path = self._record_path(ref)
        if not self._exists(path):
            with self._written(path) as temp:
                self._fs.pipe_file(temp, record.to_json().encode())
        return ref

    def get(self, kind: type[R], digest: str) -> R:
        """Read the record of this kind and digest; it keeps that digest, also if it was stored by an older version.

        Raises:
            NotStoredError: There is none.
            CorruptArtifactError: It was altered.
            UnreadableRecordError: Another version of Taxiway wrote it, which this one does not know.
        """
        path = self._record_path(RecordRef(record=kind.__name__, digest=digest))
        try:
            text = self._fs.cat_file(path)
        except FileNotFoundError:
            raise NotStoredError(
                f"{self.url} holds no {kind.__name__} {digest}: run the stage that makes it again", got=digest
            ) from None
        if digest_of_bytes(text) != digest:
            raise CorruptArtifactError(
                f"{path} was altered: its content no longer has the digest in its name; delete it and run again", got=digest
            )
        try:
            return kind.from_json(text)
        except ValidationError as error:
            raise UnreadableRecordError(
                f"{path}: another version of Taxiway wrote it, {error.error_count()} of its fields are not as this one knows them",
                got=digest,
            ) from error
        except ValueError as error:
            raise UnreadableRecordError(f"{path}: {error}", got=digest) from error

    def forget(self, kind: type[Record], digest: str) -> None:
        """Remove a record whose bytes are wrong, so that it can be stored again; nothing happens if there is none."""
        self._remove(self._record_path(RecordRef(record=kind.__name__, digest=digest)))

    def set_ref(self, name: str, value: str) -> None:
        """Set the ref `name` (a path such as `cache/profile/DIGEST`) to `value`; the last writer wins."""
        with self._written(self._ref_path(name)) as temp:
            self._fs.pipe_file(temp, value.encode())

    def get_ref(self, name: str) -> str | None:
        """What the ref `name` was last set to, or None."""
        try:
            return str(self._fs.cat_file(self._ref_path(name)).decode())
        except FileNotFoundError:
            return None

    def list_refs(self, folder: str) -> tuple[str, ...]:
        """The last names of all refs directly below `folder`, sorted; one listing, none of them is read."""
        self._fs.invalidate_cache()  # fsspec keeps listings of object stores as long as the process lives
        try:
            found = self._fs.ls(self._ref_path(folder), detail=False)
        except FileNotFoundError:
            return ()
        names = (posixpath.basename(path.rstrip("/")) for path in found)
        return tuple(sorted(name for name in names if name and _TEMP not in name))

    def delete_ref(self, name: str) -> None:
        """Forget the ref `name`; nothing happens if there is none."""
        self._remove(self._ref_path(name))

    @contextmanager
    def _written(self, path: str) -> Iterator[str]:
        """Where to write what is to be `path`: a path beside it, which is moved onto it if the block succeeds, and removed if not.

        Object stores show a file only when it is whole, so there it is `path` itself.
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
        """Somebody else may have removed it first, at any moment."""
        if self._exists(path):
            with contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(path)

    def _exists(self, path: str) -> bool:
        """Asks the file system itself, and not a listing of it from before another process wrote or deleted."""
        self._fs.invalidate_cache(posixpath.dirname(path))
        return bool(self._fs.exists(path))

    @staticmethod
    def _verify(path: Path, digest: str) -> None:
        if digest_of_file(path) != digest:
            raise CorruptArtifactError(
                f"{path} was altered: its content no longer has the digest in its name; delete it and run again", got=digest
            )

    def _object_path(self, digest: str) -> str:
        return f"{self._root}/objects/{digest[:2]}/{digest}"

    def _record_path(self, ref: RecordRef) -> str:
        return f"{self._root}/records/{ref.record}/{ref.digest}.json"

    def _ref_path(self, name: str) -> str:
        if name.startswith("/") or ".." in name.split("/"):
            raise TerminalError(f"a ref's name is a relative path, got {name!r}", got=name)
        return f"{self._root}/index/{name}"
