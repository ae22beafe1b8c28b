"""The joined tables of a pipeline: which file is joined to which span, and which spans wait for a file.

Rows are matched in `taxiway.data.ingest.join`.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from taxiway.data.engine.storage_errors import file_system
from taxiway.data.sources.files import find_spans, listing
from taxiway.data.sources.reader import FoundSpan
from taxiway.records import span_label
from taxiway.spec.source import Source
from taxiway.spec.source.join import Join


@dataclass(frozen=True)
class JoinTable:
    """The right table of a join.

    Attributes:
        name: The name of the join.
        join: Its section in the pipeline file.
        by_span: The file for each span, by the name of the span; empty if there is one file for all spans.
        file: The file for all spans; None if it does not exist, or if there is one for each span.
    """

    name: str
    join: Join
    by_span: Mapping[str, FoundSpan]
    file: FoundSpan | None = None

    def of(self, span: str) -> FoundSpan | None:
        """The file that is joined to the span of this name; None if it does not exist yet."""
        return self.file if self.join.spans is None else self.by_span.get(span)

    def label(self, found: FoundSpan) -> str:
        """The name of one of its files in messages."""
        return found.path if self.join.spans is None else span_label(found.name, found.version)


def find_join_tables(source: Source) -> tuple[JoinTable, ...]:
    """The files of each joined table.

    Raises:
        ConfigError: A pattern is not valid, or a file name does not fit it; see `find_spans`.
    """
    found = []
    for name, join in source.join.items():
        if join.spans is not None:
            found.append(JoinTable(name, join, {span.name: span for span in find_spans(join.spans)}))
        else:
            found.append(JoinTable(name, join, {}, _file(join.path)))
    return tuple(found)


def joined_state(source: Source) -> Hashable:
    """A value that changes if `find_join_tables` may have changed; it costs one listing for each table."""
    return tuple(
        (name, listing(join.spans) if join.spans is not None else _file(join.path)) for name, join in source.join.items()
    )


def waiting(spans: Iterable[FoundSpan], join_tables: Iterable[JoinTable]) -> dict[str, str]:
    """Why spans, by name, cannot be read yet: a table that is joined to them has no file for them."""
    reasons: dict[str, str] = {}
    for right in join_tables:
        for span in spans:
            if right.of(span.name) is None:
                missing = right.join.file or f"{span.name} of {right.join.spans}"
                reasons.setdefault(span.name, f"join {right.name} has no file for it, {missing} does not exist")
    return reasons


def _file(path: str) -> FoundSpan | None:
    fs, root = file_system(path)
    fs.invalidate_cache()  # fsspec keeps one file system for a process, and object stores' listings for as long
    return FoundSpan("", 0, path) if fs.exists(root) else None
