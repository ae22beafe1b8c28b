"""Join imported labels to the rows of a span in which the source has none. A label of the source is never replaced."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.columns import present_sql
from taxiway.data.engine.connection import connect, read_batches, run, streamed_file
from taxiway.data.engine.duckdb_table import Column, add_view
from taxiway.data.engine.keys_sql import key_text
from taxiway.data.engine.writing import BATCH_ROWS, RowWriter, rechunked
from taxiway.data.ingest.labels.draws import drawn_to
from taxiway.data.ingest.labels.imported import Key, SpanLabels, imported_labels, key_names
from taxiway.errors import DataError
from taxiway.records import ImportedLabels, Span
from taxiway.store import Store

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Indices = NDArray[np.intp]


FILLED = "filled_keys.parquet"
"""The file with the keys of the rows that got a label, with the columns of `key_names`."""


@dataclass(frozen=True)
class LabelledFile:
    """A copy of a span's file, with the labels that were joined to its rows.

    Attributes:
        path: The Parquet file.
        labels: What was joined; None if nothing was.
        label: The column of the label.
        key: The key columns of the labels that were joined.
        filled: The Parquet file with the keys of the rows that got a label; None if none did.
        last_drawn: Up to which place in the random order rows were drawn to be labelled; None if none were.
    """

    path: Path
    labels: ImportedLabels | None = None
    label: str = ""
    key: tuple[str, ...] = ()
    filled: Path | None = None
    last_drawn: int | None = None


@dataclass(frozen=True)
class LabelSource:
    """Where imported labels come from, and which column they are joined to.

    Attributes:
        store: The store with the labels.
        pipeline: The name of the pipeline.
        label: The label.
    """

    store: Store
    pipeline: str
    label: str

    def fill(self, span: Span, file: Path, folder: Path) -> LabelledFile:
        """Join the imported labels of a span to a copy of its file.

        Args:
            span: The span.
            file: The copy.
            folder: Where to write the rows with their labels.

        Returns:
            The file with the labels; the copy itself if there was nothing to join.

        Raises:
            DataError: The labels have another type than those of the source, or the file cannot be read.
        """
        found = imported_labels(self.store, self.pipeline, span.name)
        if found is None:
            return LabelledFile(file)
        copy, filled = folder / "labelled.parquet", folder / FILLED
        rows = fill_labels(file, found, self.label, copy, f"span {span.label}")
        if not rows:
            return LabelledFile(file)
        labels = ImportedLabels(span=span.label, rows=rows, conflicting=len(found.conflicting), batches=found.batches)
        last = drawn_to(self.store, self.pipeline, span.name, found.key)
        return LabelledFile(copy, labels, self.label, found.key, filled, last)


def fill_labels(file: Path, labels: SpanLabels, label: str, copy: Path, data_name: str) -> int:
    """Write the rows of a Parquet file with imported labels where theirs are missing, and beside them the file `FILLED` with their keys.

    Args:
        file: The file.
        labels: The labels; only those about which all labellers agree are joined.
        label: The column of the label; it is added if the file does not have it.
        copy: The file to write; it is not written if there is nothing to join.
        data_name: The name of the file in errors.

    Returns:
        The number of rows that got a label.

    Raises:
        DataError: The labels have another type than those in the file, or the file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    agreed = labels.agreed
    values, keys = pa.array(list(agreed.values()), labels.type), _key_table(list(agreed), labels.key)
    rows, partners = _matches(file, labels, keys, label, copy.parent, data_name)
    if not len(rows):
        return 0
    pq.write_table(keys.take(pa.array(partners)), copy.with_name(FILLED))
    with streamed_file(file) as original:
        schema, values = _schema_with(original.schema_arrow, label, values, data_name)
        with RowWriter(copy, schema) as writer:
            start = 0
            for table in rechunked(read_batches(original.iter_batches(BATCH_ROWS), data_name), original.schema_arrow):
                inside = slice(*rows.searchsorted([start, start + table.num_rows]))
                writer.add(_filled(table, schema, label, rows[inside] - start, values.take(pa.array(partners[inside]))))
                start += table.num_rows
    return len(rows)


def _key_table(keys: list[Key], names: tuple[str, ...]) -> "pa.Table":
    import pyarrow as pa

    columns = zip(*keys, strict=True) if keys else [[]] * len(names)
    return pa.table([pa.array(list(column), pa.string()) for column in columns], names=key_names(names))


def _matches(
    file: Path, labels: SpanLabels, keys: "pa.Table", label: str, folder: Path, data_name: str
) -> "tuple[Indices, Indices]":
    """The numbers of the rows without a label that have an imported one, in their order, and the places of these labels."""
    import numpy as np
    import pyarrow.parquet as pq

    names = key_names(labels.key)
    nothing = np.array([], dtype=np.intp)
    listing = folder / "imported_keys.parquet"
    pq.write_table(keys, listing)
    with connect() as connection:
        own = {column.name: column for column in add_view(connection, "span", file, data_name, numbered=True)}
        if not keys.num_rows or not set(labels.key) <= own.keys():
            return nothing, nothing
        add_view(connection, "labels", listing, data_name, numbered=True)
        texts = ", ".join(f"{key_text(own[part])} AS {name}" for part, name in zip(labels.key, names, strict=True))
        equal = " AND ".join(f"s.{name} = l.c{at}" for at, name in enumerate(names))
        pairs = run(
            connection,
            f"SELECT s.row_number, l.row_number FROM (SELECT row_number, {texts} FROM span WHERE {_missing(own, label)}) s "
            f"JOIN labels l ON {equal} ORDER BY s.row_number",
            data_name,
        )
    if not pairs:
        return nothing, nothing
    rows, partners = np.array(pairs, dtype=np.intp).T
    return rows, partners


def _missing(columns: dict[str, Column], label: str) -> str:
    return f"NOT ({present_sql(columns[label])})" if label in columns else "true"


def _schema_with(schema: "pa.Schema", label: str, values: "pa.Array[Any]", data_name: str) -> "tuple[pa.Schema, pa.Array[Any]]":
    """The schema with the label, and the imported labels in its type: that of the file, if it has one."""
    import pyarrow as pa

    at = schema.get_field_index(label)
    if at < 0:
        return schema.append(pa.field(label, values.type)), values
    kind = schema.field(at).type
    if pa.types.is_null(kind):
        return schema.set(at, pa.field(label, values.type)), values
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    try:
        return schema.set(at, pa.field(label, plain)), values.cast(plain)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"the imported labels of {data_name} are of type {values.type}, but the label {label} in its file is of type {kind}: {error}; "
            "write the label with the type of the schema at the source"
        ) from None


def _filled(table: "pa.Table", schema: "pa.Schema", label: str, rows: "Indices", labels: "pa.Array[Any]") -> "pa.Table":
    """A table with labels in some of its rows."""
    import numpy as np
    import pyarrow as pa

    kind = schema.field(label).type
    known = table.column(label).cast(kind) if label in table.column_names else pa.nulls(table.num_rows, kind)
    both = pa.concat_arrays([*(known.chunks if isinstance(known, pa.ChunkedArray) else [known]), labels])
    places = np.arange(table.num_rows)
    places[rows] = table.num_rows + np.arange(len(rows))
    column = both.take(pa.array(places))
    at = table.schema.get_field_index(label)
    filled = table.append_column(schema.field(label), column) if at < 0 else table.set_column(at, schema.field(label), column)
    return filled.cast(schema)
