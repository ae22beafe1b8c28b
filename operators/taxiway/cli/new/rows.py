"""What `taxiway new` reads from rows: the label, keys, and columns that give the label away."""

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from taxiway.data.engine.read_rows import read_rows
from taxiway.data.schema.model import CATEGORICAL_TYPES, NUMERIC_TYPES, Schema
from taxiway.data.schema.remarks import padding_remark
from taxiway.errors import DataError
from taxiway.evaluation.leakage import columns_alone
from taxiway.features.labels import label_classes, label_numbers
from taxiway.messages import listed
from taxiway.records import ColumnAlone, Span
from taxiway.spec.metrics import Problem
from taxiway.store import Store

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SEED = 20130101
_SAMPLED_ROWS = 20_000
_FEW_NUMBERS = 20


@dataclass(frozen=True)
class Label:
    """How a draft reads the label.

    Attributes:
        name: The column.
        problem: Classification or regression.
        values: The two classes as text, the positive one last; or few whole numbers that may be classes; else empty.
        missing: The number of rows without a label.
        rows: The number of rows with a label in each span.
        std: The standard deviation of a number; 0 for classes.
        rarest: The share of the rarer class; 0 for numbers.
    """

    name: str
    problem: Problem
    values: tuple[str, ...]
    missing: int
    rows: tuple[int, ...]
    std: float = 0.0
    rarest: float = 0.0

    def reading(self) -> str:
        """How the label is read, and what to do if that is wrong."""
        if self.problem == "classification":
            return f"two values, {self.values[0]} and {self.values[1]}: the model predicts the probability of {self.values[1]}"
        if not self.values:
            return "a number: the model is a regression"
        return (
            f"{len(self.values)} whole numbers ({', '.join(self.values)}), read as a quantity: the model is a regression. If they are classes, write a "
            "label with two values at the source, such as whether it is the highest one; more than two classes are not supported"
        )

    def resolution(self, rows: int) -> float:
        """How far from 0.5 a ROC AUC on so many rows must be to be told from chance at 99% (Mann and Whitney 1947); 0 for numbers."""
        positive = rows * self.rarest
        if self.problem == "regression" or positive < 1:
            return 0.0
        return 2.58 * sqrt((rows + 1) / (12 * positive * (rows - positive)))


def label_of(spans: tuple[Span, ...], store: Store, schema: Schema, name: str) -> Label:
    """Read the label.

    Raises:
        DataError: It cannot be predicted.
    """
    feature = schema.feature(name)
    assert feature is not None
    import numpy as np

    everywhere = read_rows(spans, store, [name])[name]
    labels = everywhere.dropna()
    ends = np.cumsum([span.rows for span in spans])
    rows = tuple(int(part.sum()) for part in np.split(everywhere.notna().to_numpy(), ends[:-1]))
    missing, count = len(everywhere) - len(labels), labels.nunique()
    if feature.type in NUMERIC_TYPES:
        label_numbers(labels)
    if count == 2:
        classes = tuple(label_classes(labels))
        return Label(name, "classification", classes, missing, rows, rarest=float(labels.value_counts(normalize=True).min()))
    if feature.type in NUMERIC_TYPES and count > 2:
        whole = count <= _FEW_NUMBERS and bool((labels % 1 == 0).all())
        values = tuple(str(int(value)) for value in sorted(labels.unique())) if whole else ()
        return Label(name, "regression", values, missing, rows, std=float(labels.std()))
    got = f"the values {listed(label_classes(labels)[:5], count)}" if count else "no values"
    raise DataError(f"the label {name} has the type {feature.type} and {got}; allowed: a label with two values, or a number")


def is_unique(column: str, spans: tuple[Span, ...], store: Store) -> bool:
    """Whether no two rows have the same value of a column."""
    return not read_rows(spans, store, [column]).duplicated().any()


def zeros_remark(column: str, spans: tuple[Span, ...], store: Store) -> str:
    """The remark on codes of a column that differ only by zeros before them, in one span or in two; empty if there are none."""
    return padding_remark(map(str, read_rows(spans, store, [column])[column].dropna().unique()))


def leaking_columns(span: Span, store: Store, label: Label, schema: Schema, without: set[str]) -> tuple[ColumnAlone, ...]:
    """The columns of a span that alone nearly give the label away, the best first."""
    import numpy as np

    usable = [f for f in schema.features if f.type in (*NUMERIC_TYPES, *CATEGORICAL_TYPES) and f.name not in without]
    rows = _sampled(span, store, [f.name for f in usable] + [label.name])
    rows = rows[rows[label.name].notna()]
    labels = rows[label.name]
    codes = labels.rank(method="dense") - 1 if label.problem == "classification" else labels
    numbers: Floats = np.asarray(codes, dtype=np.float64)
    # A column that has left the source is in the schema of all spans, but not in the newest.
    numeric = [f.name for f in usable if f.type in NUMERIC_TYPES and f.name in rows]
    return columns_alone(rows.drop(columns=label.name).astype(dict.fromkeys(numeric, float)), numbers, label.problem)


def _sampled(span: Span, store: Store, columns: list[str]) -> "pd.DataFrame":
    """Some columns of a span, with at most 20,000 of its rows; a column that it does not have is left out."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    chosen = np.arange(span.rows)
    if span.rows > _SAMPLED_ROWS:
        chosen = np.sort(np.random.default_rng(_SEED).choice(span.rows, _SAMPLED_ROWS, replace=False))
    with store.local_file(span.content) as path, pq.ParquetFile(path) as file:
        present = [name for name in columns if name in file.schema_arrow.names]
        parts, start = [], 0
        for batch in file.iter_batches(columns=present):
            at = chosen[(chosen >= start) & (chosen < start + batch.num_rows)] - start
            parts.append(pa.Table.from_batches([batch]).take(at))
            start += batch.num_rows
        rows: pd.DataFrame = pa.concat_tables(parts).to_pandas(ignore_metadata=True)
    return rows
