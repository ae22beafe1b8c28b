"""What is checked: files and tables, and the spans of a snapshot."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from taxiway.data.engine.duckdb_table import Table, open_table
from taxiway.data.formats.convert import ReadOptions
from taxiway.data.formats.open_data import open_data
from taxiway.data.profiling.profile import Profile
from taxiway.data.profiling.profiler import profile_with_optional_label
from taxiway.data.schema.model import Schema
from taxiway.data.validation.inputs import CheckTarget
from taxiway.records import Span, span_label
from taxiway.store.store import Store


def open_checked_data(stack: ExitStack, name: str, data: Path | str, schema: Schema, options: ReadOptions) -> CheckTarget:
    """Open data until the stack is closed, and profile it."""
    return checked_table(stack.enter_context(open_data(data, options)), name, schema)


def checked_table(table: Table, name: str, schema: Schema) -> CheckTarget:
    """An open table as a check target; it is profiled."""
    return CheckTarget(name, name, profile_with_optional_label(table, schema.label), lambda: table, lambda: table.paths)


@contextmanager
def open_checked_span(parts: Sequence[Span], profile: Profile, store: Store) -> Iterator[CheckTarget]:
    """A span, whose parts are given, as a check target; its rows are fetched only if a check needs them."""
    label = span_label(parts[0].name, parts[0].version)
    title = f"span {label}"
    with ExitStack() as stack:

        @cache
        def files() -> list[Path]:
            return [stack.enter_context(store.local_file(part.content)) for part in parts]

        @cache
        def table() -> Table:
            return stack.enter_context(open_table(files(), title))

        yield CheckTarget(label, title, profile, table, files)
