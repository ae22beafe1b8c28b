"""The spans of a source of files: the files that match a pattern, in the newest version of each span.

Files are only listed here; `read_file` reads them.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from glob import iglob

from taxiway.data.sources.reader import Connect, FoundSpan, Note, Read, SourceReader
from taxiway.errors import ConfigError
from taxiway.records import span_order
from taxiway.spec.source import FileSource
from taxiway.spec.source.span_pattern import SpanOfPath, SpanPattern
from taxiway.store import SpanKey


@dataclass(frozen=True)
class FileReader(SourceReader):
    """Finds and reads the files of a source with `spans`."""

    source: FileSource

    def spans(self, *, decided: Collection[SpanKey], now: datetime) -> tuple[FoundSpan, ...]:  # noqa: ARG002 decisions and time do not matter
        """The newest version of each span that the pattern matches."""
        return find_spans(self.source.spans)

    def state(self, *, now: datetime) -> Hashable:  # noqa: ARG002
        """The paths that the pattern may match."""
        return listing(self.source.spans)

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
            (`2013-04`); {SPAN} is a number instead, {SPAN:4} one of four digits. {VERSION} is the number of a corrected version
            of a span: the highest is the newest.

    Returns:
        The spans, oldest first; empty if no file matches.

    Raises:
        ConfigError: The pattern is not valid, a file name is not a valid date, or two files are the same version of a span.
    """
    import fsspec

    fs, root = fsspec.core.url_to_fs(pattern)
    parsed = _parse(pattern, root)
    fs.invalidate_cache()  # fsspec keeps one file system for a process, and object stores' listings for as long
    newest: dict[tuple[int, ...], FoundSpan] = {}
    for path, info in sorted(fs.glob(parsed.glob, detail=True).items()):
        span = _span_of(path, parsed, pattern)
        if span is None:
            continue
        if info["type"] == "directory":
            raise ConfigError(
                f"{path} matches {pattern}, but is a folder; a span is one file: extend the pattern to the file name"
            )
        ends, begins = (span.period.ends, span.period.begins) if span.period else (None, None)
        found = FoundSpan(span.name, span.version, path if _is_plain(pattern) else str(fs.unstrip_protocol(path)), ends, begins)
        order = span_order(found.name)
        known = newest.get(order)
        if known is not None and known.version == found.version:
            raise ConfigError(
                f"{known.path} and {found.path} are both version {found.version} of span {found.name}; keep one, or use "
                f"{{VERSION}} in {pattern}"
            )
        if known is None or known.version < found.version:
            newest[order] = found
    return tuple(newest[order] for order in sorted(newest))


def listing(pattern: str) -> tuple[str, ...]:
    """The paths that `pattern` may match, sorted, from one listing.

    While this does not change, `find_spans` returns the same spans.
    """
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    fs, root = fsspec.core.url_to_fs(pattern)
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
