"""The spans of a source of files: the files that match a pattern, in the newest version of each span.

Files are only listed here; `read_file` reads them.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from glob import iglob
from typing import TYPE_CHECKING, Any, NamedTuple

from taxiway.data.engine.storage_errors import file_system
from taxiway.data.sources.reader import Connect, FoundSpan, Note, Read, SourceReader
from taxiway.errors import ConfigError
from taxiway.messages import counted
from taxiway.records import span_order
from taxiway.records.digests import digest_of_bytes
from taxiway.spec.source import FileSource
from taxiway.spec.source.span_pattern import SpanOfPath, SpanPattern, pattern_in_file
from taxiway.store import SpanKey

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# Where a listing says when a file was changed: local files, SFTP, GCS; S3; Azure; WebDAV.
_CHANGED = ("mtime", "LastModified", "last_modified", "modified")


@dataclass(frozen=True)
class FileReader(SourceReader):
    """Finds and reads the files of a source with `spans`."""

    source: FileSource

    def spans(self, *, processed: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:  # noqa: ARG002 neither matters
        """The newest version of each span that the pattern matches."""
        return find_spans(self.source.spans)

    def state(self, *, now: datetime) -> Hashable:  # noqa: ARG002
        """The paths that the pattern matches; if they are one span, also its version. It costs one listing."""
        is_one_span = pattern_in_file(self.source.spans).is_one_span
        return find_spans(self.source.spans) if is_one_span else listing(self.source.spans)

    def read(
        self,
        connect: Connect,  # noqa: ARG002 files need no database
        types: Callable[[], Mapping[str, str]],
        note: Note,
    ) -> Read:
        """A function that converts the file of a span to Parquet."""
        from taxiway.data.formats.convert import source_options
        from taxiway.data.sources.read_file import read_file

        options = source_options(self.source.spans, self.source.format, self.source.csv, types)
        return partial(read_file, options=options, note=note)

    def check(self) -> None:
        """Raise ConfigError if the format of the files is unknown."""
        from taxiway.data.formats.convert import format_of

        if self.source.format is None:
            format_of(self.source.spans)


def find_spans(pattern: str) -> tuple[FoundSpan, ...]:
    """The newest version of each span that a pattern matches.

    Args:
        pattern: A path or URL that fsspec reads. {YYYY}, {MM} and {DD} are the parts of a date, by which spans are named
            (`2013-04`), {Q} is a quarter, {WW} an ISO week, {HH} an hour; {SPAN} is a number instead, {SPAN:4} one of four digits. {VERSION} is the number of a corrected version
            of a span: the highest is the newest. A * in the name of the file matches the parts of a span. Without a placeholder
            the files are one span, whose version is the time of the newest change, in UTC to the second, and five digits that
            differ for any change of the files.

    Returns:
        The spans, oldest first; empty if no file matches.

    Raises:
        ConfigError: The pattern is not valid, a file name is not a valid date, two files are the same version of a span, or the
            newest version has only some of the parts of the one before.
    """
    fs, root = file_system(pattern)
    parsed = _parse(pattern, root)
    fs.invalidate_cache()  # fsspec keeps one file system for a process, and object stores' listings for as long
    spans: dict[tuple[int, ...], dict[int, list[_File]]] = {}
    for path, info in sorted(fs.glob(parsed.glob, detail=True).items()):
        span = _span_of(path, parsed, pattern)
        if span is None:
            continue
        if info["type"] == "directory":
            raise ConfigError(
                f"{path} matches {pattern}, but is a folder; extend the pattern to the names of files, such as /*.csv"
            )
        shown = path if _is_plain(pattern) else str(fs.unstrip_protocol(path))
        spans.setdefault(span_order(span.name), {}).setdefault(span.version, []).append(_File(span, path, shown, info))
    return tuple(_newest(spans[order], parsed, pattern, fs) for order in sorted(spans))


class _File(NamedTuple):
    """A file of a span; `shown` is its path or URL, `path` is how its file system writes it."""

    span: SpanOfPath
    path: str
    shown: str
    info: Mapping[str, Any]


def _newest(versions: Mapping[int, list[_File]], parsed: SpanPattern, pattern: str, fs: "AbstractFileSystem") -> FoundSpan:
    """The newest version of a span."""
    newest, *older = sorted(versions, reverse=True)
    files, span = versions[newest], versions[newest][0].span
    paths = tuple(file.shown for file in files)
    if len(paths) > 1 and not parsed.has_parts:
        raise ConfigError(
            f"{paths[0]} and {paths[1]} are both version {span.version} of span {span.name}; keep one, use {{VERSION}} in {pattern}, or "
            "use * in the name of the file if they are parts of one table"
        )
    if older:
        _check_all_parts(files, versions[older[0]])
    return FoundSpan(
        name=span.name,
        version=_state_number(files, fs) if parsed.is_one_span and "VERSION" not in parsed.names else span.version,
        path=paths[0] if len(paths) == 1 else f"{paths[0]} and {counted(len(paths) - 1, 'other file')}",
        ends=span.period.ends if span.period else None,
        begins=span.period.begins if span.period else None,
        parts=paths if len(paths) > 1 else (),
    )


def _check_all_parts(files: list[_File], before: list[_File]) -> None:
    """Raise ConfigError if only some parts of a span are corrected, because a version replaces all parts of the one before."""
    own, others = {file.span.part for file in files}, {file.span.part: file for file in before}
    if not own < others.keys():
        return
    span, missing = files[0].span, next(file for part, file in others.items() if part not in own)
    raise ConfigError(
        f"version {span.version} of span {span.name} has {len(own)} of the {counted(len(others), 'part')} of version "
        f"{missing.span.version}, and lacks {missing.shown}; a version replaces all parts of the one before: write the other parts as version "
        f"{span.version} too, or remove the files of version {missing.span.version}"
    )


def _state_number(files: list[_File], fs: "AbstractFileSystem") -> int:
    """A number for the state of files: 2013040105060712345 is the newest change, and five digits of a digest of all files.

    With the digest it also differs if a file was added with an older time, removed, or written over within the same second. 0 if the
    file system does not know when files change.
    """
    try:
        changes = [_change_time(file, fs) for file in files]
    except NotImplementedError:
        return 0
    states = [
        (file.span.part, file.info.get("size"), file.info.get("ETag"), changed.timestamp())
        for file, changed in zip(files, changes, strict=True)
    ]
    digest = int(digest_of_bytes(repr(states).encode()), 16)
    return int(f"{max(changes):%Y%m%d%H%M%S}{digest % 10**5:05}")


def _change_time(file: _File, fs: "AbstractFileSystem") -> datetime:
    """When a file was changed, in UTC: from the listing if it says so, because asking for each file takes a request."""
    changed = next((file.info[key] for key in _CHANGED if key in file.info), None)
    if isinstance(changed, (int, float)):
        return datetime.fromtimestamp(changed, UTC)
    if not isinstance(changed, datetime):
        changed = fs.modified(file.path)
    return changed.astimezone(UTC) if changed.tzinfo else changed.replace(tzinfo=UTC)


def listing(pattern: str) -> tuple[str, ...]:
    """The paths that `pattern` matches, sorted, from one listing.

    While this does not change, `find_spans` returns the same spans.
    """
    from fsspec.implementations.local import LocalFileSystem

    fs, root = file_system(pattern)
    parsed = _parse(pattern, root)
    if isinstance(fs, LocalFileSystem):
        paths = iglob(parsed.glob)  # noqa: PTH207 takes any pattern; fsspec would also get each file's size
    else:
        fs.invalidate_cache()
        paths = iter(fs.glob(parsed.glob))
    return tuple(sorted(filter(parsed.expression.fullmatch, paths)))


def _is_plain(pattern: str) -> bool:
    return "://" not in pattern


def _parse(pattern: str, root: str) -> SpanPattern:
    """Parse `root`, which is `pattern` as its file system writes it."""
    try:
        return SpanPattern.parse(root)
    except ValueError as error:
        raise ConfigError(f"{pattern}: {error}") from None


def _span_of(path: str, parsed: SpanPattern, pattern: str) -> SpanOfPath | None:
    try:
        return parsed.read(path)
    except ValueError as error:
        raise ConfigError(f"{path} matches {pattern}, but {error}; rename the file, or narrow the pattern") from None
