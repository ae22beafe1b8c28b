"""What `taxiway new` reads from rows: keys, codes, and columns that leak the label."""

from typing import TYPE_CHECKING, Any

from taxiway.cli.new.label import Label
from taxiway.data.engine.read_rows import read_rows
from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.feature import CATEGORICAL_TYPES, LIST_TYPES, NUMERIC_TYPES
from taxiway.data.schema.model import Schema
from taxiway.data.schema.remarks import padding_remark
from taxiway.evaluation.leakage import columns_alone
from taxiway.features.columns import MAX_CATEGORIES
from taxiway.records import ColumnAlone, Span
from taxiway.stats.seed import SEED
from taxiway.store import Store

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SAMPLED_ROWS = 20_000
_SHORT = 8


def is_unique(column: str, spans: tuple[Span, ...], store: Store) -> bool:
    """Whether no two rows have the same value of a column."""
    return not read_rows(spans, store, [column]).duplicated().any()


def zeros_remark(column: str, spans: tuple[Span, ...], store: Store) -> str:
    """The remark on codes of a column that differ only by zeros before them, in one span or in two; empty if there are none."""
    return padding_remark(map(str, read_rows(spans, store, [column])[column].dropna().unique()))


def free_text_columns(span: Span, store: Store, profile: Profile, without: set[str]) -> tuple[str, ...]:
    """The columns of a span that hold free text, from which a model gets the weights of words."""
    many = [
        c.name for c in profile.columns if c.type == "string" and c.distinct.value > MAX_CATEGORIES and c.name not in without
    ]
    from taxiway.features.transformers.text import is_free_text

    if not many:
        return ()
    rows = _sample_columns(span, store, many)
    return tuple(name for name in many if name in rows and is_free_text(rows[name], MAX_CATEGORIES))


def short_lists(span: Span, store: Store, profile: Profile) -> dict[str, list[Any] | None]:
    """The first list of at most eight items, but not without any, of each column of lists; None if there is none."""
    from taxiway.registry.signature import as_records

    names = [column.name for column in profile.columns if column.type in LIST_TYPES]
    found: dict[str, list[Any] | None] = {}
    for name in names:
        rows = read_rows((span,), store, [name])
        short = rows[[cell is not None and 0 < len(cell) <= _SHORT for cell in rows[name]]]
        found[name] = as_records(short.head(1))[0][name] if len(short) else None
    return found


def leaking_columns(span: Span, store: Store, label: Label, schema: Schema, without: set[str]) -> tuple[ColumnAlone, ...]:
    """The columns of a span that alone nearly determine the label, the best first."""
    import numpy as np

    usable = [f for f in schema.features if f.type in (*NUMERIC_TYPES, *CATEGORICAL_TYPES) and f.name not in without]
    rows = _sample_columns(span, store, [f.name for f in usable] + [label.name])
    rows = rows[rows[label.name].notna()]
    labels = rows[label.name]
    codes = labels.rank(method="dense") - 1 if label.problem == "classification" else labels
    numbers: Floats = np.asarray(codes, dtype=np.float64)
    # A column that has left the source is in the schema of all spans, but not in the newest.
    numeric = [f.name for f in usable if f.type in NUMERIC_TYPES and f.name in rows]
    return columns_alone(rows.drop(columns=label.name).astype(dict.fromkeys(numeric, float)), numbers, label.problem)


def _sample_columns(span: Span, store: Store, columns: list[str]) -> "pd.DataFrame":
    """Some columns of a span, with at most 20,000 of its rows; a column that it does not have is left out."""
    import numpy as np
    import pyarrow as pa

    from taxiway.data.engine.connection import streamed_file

    chosen = np.arange(span.rows)
    if span.rows > _SAMPLED_ROWS:
        chosen = np.sort(np.random.default_rng(SEED).choice(span.rows, _SAMPLED_ROWS, replace=False))
    with store.local_file(span.content) as path, streamed_file(path) as file:
        present = [name for name in columns if name in file.schema_arrow.names]
        parts, start = [], 0
        for batch in file.iter_batches(columns=present):
            positions = chosen[(chosen >= start) & (chosen < start + batch.num_rows)] - start
            parts.append(pa.Table.from_batches([batch]).take(positions))
            start += batch.num_rows
        rows: pd.DataFrame = pa.concat_tables(parts).to_pandas(ignore_metadata=True)
    return rows
