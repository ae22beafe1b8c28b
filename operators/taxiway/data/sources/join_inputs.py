"""The tables that a pipeline joins: which file goes with which span, and which spans wait because theirs is not there yet.

How rows find their partners is in `joins`.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from taxiway.data.sources.files import find_spans, listing
from taxiway.data.sources.reader import FoundSpan
from taxiway.records import span_label
from taxiway.spec.join import Join
from taxiway.spec.source import Source


@dataclass(frozen=True)
class JoinTable:
    """The right-hand table of a join: one file for each span, or one for all."""

    name: str
    join: Join
    by_span: Mapping[str, FoundSpan]
    file: FoundSpan | None = None

    def of(self, span: str) -> FoundSpan | None:
        """The file that is joined to the span of this name; None where there is none yet."""
        return self.file if self.join.spans is None else self.by_span.get(span)

    def label(self, found: FoundSpan) -> str:
        """How people name one of its files."""
        return found.path if self.join.spans is None else span_label(found.name, found.version)


def find_join_tables(source: Source) -> tuple[JoinTable, ...]:
    """What is there of each joined table. Raises ConfigError where a pattern cannot be obeyed, see `find_spans`."""
    found = []
    for name, join in source.join.items():
        if join.spans is not None:
            found.append(JoinTable(name, join, {span.name: span for span in find_spans(join.spans)}))
        else:
            found.append(JoinTable(name, join, {}, _file(join.path)))
    return tuple(found)


def joined_state(source: Source) -> Hashable:
    """What `find_join_tables` hangs on: as long as this is the same, so are the joined tables."""
    return tuple(
        (name, listing(join.spans) if join.spans is not None else _file(join.path)) for name, join in source.join.items()
    )


def waiting(spans: Iterable[FoundSpan], join_tables: Iterable[JoinTable]) -> dict[str, str]:
    """Why spans, by name, cannot be read as yet: a table that is joined to them has not come."""
    said: dict[str, str] = {}
    for right in join_tables:
        for span in spans:
            if right.of(span.name) is None:
                missing = right.join.file or f"{span.name} of {right.join.spans}"
                said.setdefault(span.name, f"join {right.name} has nothing for it, {missing} is not there")
    return said


def _file(path: str) -> FoundSpan | None:
    import fsspec

    fs, root = fsspec.core.url_to_fs(path)
    fs.invalidate_cache()  # fsspec keeps one file system for a process, and object stores' listings for as long
    return FoundSpan("", 0, path) if fs.exists(root) else None
