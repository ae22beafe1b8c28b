"""Profile a file or a span. The profile of a span is computed once and kept in the store."""

from typing import TYPE_CHECKING

from taxiway.data.profiling.profile import PROFILE_VERSION, Profile
from taxiway.records import Span
from taxiway.store import StageKey, Store, keep, made_before

if TYPE_CHECKING:
    from pathlib import Path

    from taxiway.data.formats.convert import ReadOptions


def profile(data: "Path | str", *, label: str | None = None, options: "ReadOptions | None" = None) -> Profile:
    """Profile a file, or several files as one table.

    Args:
        data: A path, a pattern of paths (`data/2024-*.csv`), or a URL that fsspec reads.
        label: The label, which the other columns are compared with; None for no label.
        options: How the files are read; None detects it.

    Raises:
        ConfigError: There is no such file, or no column with the name of the label.
        DataError: A file cannot be read or has other columns than the first, or there are no rows.
    """
    from taxiway.data.formats.open_data import AS_DETECTED, open_data
    from taxiway.data.profiling.profiler import profile_table

    with open_data(data, options or AS_DETECTED) as table:
        return profile_table(table, label)


def profile_span(span: Span, store: Store, label: str | None = None) -> Profile:
    """Profile a span, or load its profile from the store.

    Args:
        span: The span.
        store: Where its rows are, and where its profile is kept.
        label: The label, which the other columns are compared with; None for no label. The span may lack it.

    Raises:
        DataError: The rows of the span cannot be read.
    """
    # Profiles merge only if their hashes are comparable, and another version of DuckDB may hash differently.
    key = StageKey("profile", {"content": span.content}, {"label": label, "rule": PROFILE_VERSION}, packages=("duckdb",))
    known = made_before(store, key, Profile)
    if known is not None:
        return known
    from taxiway.data.engine.duckdb_table import open_table
    from taxiway.data.profiling.profiler import profile_with_optional_label

    with store.local_file(span.content) as path, open_table(path, f"span {span.label}") as table:
        return keep(store, key, profile_with_optional_label(table, label))
