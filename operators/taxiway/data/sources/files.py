"""The spans of a source of files: the files that match a pattern, in the newest version of each span.

Files are only listed here; `read_file` reads them.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from glob import iglob
from typing import TYPE_CHECKING

from taxiway.data.engine.storage_errors import file_system
from taxiway.data.sources.reader import Connect, FoundSpan, Note, Read, SourceReader
from taxiway.errors import ConfigError
from taxiway.messages import counted
from taxiway.records import span_order
from taxiway.spec.source import FileSource
from taxiway.spec.source.span_pattern import SpanOfPath, SpanPattern, pattern_in_file
from taxiway.store import SpanKey

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class FileReader(SourceReader):
    """Finds and reads the files of a source with `spans`."""

    source: FileSource

    def spans(self, *, decided: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:  # noqa: ARG002 decisions and time do not matter
        """The newest version of each span that the pattern matches."""
        return find_spans(self.source.spans)

    def state(self, *, now: datetime) -> Hashable:  # noqa: ARG002
        """The paths that the pattern may match, and the time of the newest change if they are one span."""
        only = find_spans(self.source.spans) if pattern_in_file(self.source.spans).is_one_span else ()
        return listing(self.source.spans), tuple(span.version for span in only)

    def read(
        self,
        connect: Connect,  # noqa: ARG002 files need no database
        types: Callable[[], Mapping[str, str]],
        note: Note,
    ) -> Read:
        """A function that converts the file of a span to Parquet."""
        from taxiway.data.formats.convert import ReadOptions, known_format
        from taxiway.data.sources.read_file import read_file

        kind = self.source.format or known_format(self.source.spans)
        known = {} if kind == "parquet" else types()
        return partial(read_file, options=ReadOptions(self.source.format, self.source.csv, known), note=note)

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
            the files are one span, whose version is the time of the newest change, in UTC to the second.

    Returns:
        The spans, oldest first; empty if no file matches.

    Raises:
        ConfigError: The pattern is not valid, a file name is not a valid date, or two files are the same version of a span.
    """
    fs, root = file_system(pattern)
    parsed = _parse(pattern, root)
    fs.invalidate_cache()  # fsspec keeps one file system for a process, and object stores' listings for as long
    newest: dict[tuple[int, ...], list[tuple[SpanOfPath, str]]] = {}
    for path, info in sorted(fs.glob(parsed.glob, detail=True).items()):
        span = _span_of(path, parsed, pattern)
        if span is None:
            continue
        if info["type"] == "directory":
            raise ConfigError(
                f"{path} matches {pattern}, but is a folder; extend the pattern to the names of files, such as /*.csv"
            )
        known = newest.setdefault(span_order(span.name), [])
        if known and known[0][0].version < span.version:
            known.clear()
        if not known or known[0][0].version == span.version:
            known.append((span, path))
    return tuple(_found(newest[order], parsed, pattern, fs) for order in sorted(newest))


def _found(files: list[tuple[SpanOfPath, str]], parsed: SpanPattern, pattern: str, fs: "AbstractFileSystem") -> FoundSpan:
    """The span of its files."""
    span = files[0][0]
    paths = [path if _is_plain(pattern) else str(fs.unstrip_protocol(path)) for _, path in files]
    if len(paths) > 1 and not parsed.has_parts:
        raise ConfigError(
            f"{paths[0]} and {paths[1]} are both version {span.version} of span {span.name}; keep one, use {{VERSION}} in {pattern}, or "
            "use * in the name of the file if they are parts of one table"
        )
    changed = parsed.is_one_span and "VERSION" not in parsed.names
    return FoundSpan(
        name=span.name,
        version=_changed(fs, [path for _, path in files]) if changed else span.version,
        path=paths[0] if len(paths) == 1 else f"{paths[0]} and {counted(len(paths) - 1, 'other file')}",
        ends=span.period.ends if span.period else None,
        begins=span.period.begins if span.period else None,
        parts=tuple(paths) if len(paths) > 1 else (),
    )


def _changed(fs: "AbstractFileSystem", paths: list[str]) -> int:
    """The time of the newest change as a number, such as 20130401050607; 0 if the file system does not know it."""
    try:
        changed = max(fs.modified(path) for path in paths)
    except NotImplementedError:
        return 0
    return int(f"{changed.astimezone(UTC) if changed.tzinfo else changed:%Y%m%d%H%M%S}")


def listing(pattern: str) -> tuple[str, ...]:
    """The paths that `pattern` may match, sorted, from one listing.

    While this does not change, `find_spans` returns the same spans.
    """
    from fsspec.implementations.local import LocalFileSystem

    fs, root = file_system(pattern)
    parsed = _parse(pattern, root)
    if isinstance(fs, LocalFileSystem):
        return tuple(sorted(iglob(parsed.glob)))  # noqa: PTH207 takes any pattern; fsspec would also get each file's size
    fs.invalidate_cache()
    return tuple(sorted(fs.glob(parsed.glob)))


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
