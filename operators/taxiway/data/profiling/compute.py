"""The profile of a file, or of a span: computed once for each content and kept in the store."""

from typing import TYPE_CHECKING

from taxiway.records import Span
from taxiway.store import StageKey, Store, keep, made_before

if TYPE_CHECKING:
    from pathlib import Path
from taxiway.data.profiling.profile import PROFILE_VERSION, Profile


def profile(data: "Path | str", *, label: str | None = None) -> Profile:
    """The profile of a file, of all files that a pattern matches (`data/2024-*.csv`) as one table, or of a URL that fsspec reads.

    `label` names the column whose relation to all others is measured.

    Raises DataError where a file cannot be read or has no rows, ConfigError where nothing is there or no column is the label.
    """
    from taxiway.data.formats.open_data import open_data
    from taxiway.data.profiling.profiler import profile_table

    with open_data(data) as table:
        return profile_table(table, label)


def profile_span(span: Span, store: Store, label: str | None = None) -> Profile:
    """The profile of a span: computed once for each content and label, and kept in the store. The label may be missing.

    Raises DataError if the span's file cannot be read.
    """
    # Hashes are DuckDB's, and another version's may be others: profiles merge only if they are the same.
    key = StageKey("profile", {"content": span.content}, {"label": label, "rule": PROFILE_VERSION}, packages=("duckdb",))
    known = made_before(store, key, Profile)
    if known is not None:
        return known
    from taxiway.data.engine.duckdb_table import open_table
    from taxiway.data.profiling.profiler import profile_beside

    with store.local_file(span.content) as path, open_table(path, f"span {span.label}") as table:
        return keep(store, key, profile_beside(table, label))
