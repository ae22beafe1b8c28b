"""The labels that a person has written into a file, and the rows of spans that they are for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from taxiway.data.engine.columns import present_sql
from taxiway.data.engine.connection import connect, run
from taxiway.data.engine.duckdb_table import Table, add_view
from taxiway.data.engine.keys_sql import key_text
from taxiway.data.ingest.labels.draws import place_sql
from taxiway.data.ingest.labels.imported import Key, key_names
from taxiway.errors import ConfigError, DataError, similar_names
from taxiway.messages import counted, listed

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class GivenLabels:
    """The labels of a file, a row each; rows of the file without a label are left out.

    Attributes:
        key: The key columns.
        label: The column of the label.
        keys: The key of each row, as text that is the same for equal values of any type.
        texts: The label of each row, as such text.
        values: One column with the labels.
    """

    key: tuple[str, ...]
    label: str
    keys: Sequence[Key]
    texts: Sequence[str]
    values: "pa.Table"


def given_labels(table: Table, key: tuple[str, ...], label: str, file: Path, most_labels: int | None = None) -> GivenLabels:
    """Read the labels of a file.

    Args:
        table: The file.
        key: The key columns.
        label: The column of the label.
        file: The name of the file in errors.
        most_labels: How many labels it may have; None for any number. Each takes a few hundred bytes of memory.

    Raises:
        ConfigError: The file lacks a column.
        DataError: It has no label, too many, a label without a key, or a key in several rows.
    """
    names = [column.name for column in table.columns]
    for name in (*key, label):
        if name not in names:
            what = "the label" if name == label else "a column of the key"
            raise ConfigError(
                f"{file} has no column {name}, which is {what}; required: {', '.join((*key, label))}. The file has "
                f"{similar_names(name, names)}",
                key=name,
                got=names,
                allowed=(*key, label),
            )
    present = present_sql(table.column(label))
    texts = ", ".join(key_text(table.column(name)) for name in (*key, label))
    if most_labels is not None:
        ((count,),) = table.rows(f"SELECT count(*) FROM numbered WHERE {present}")
        if count > most_labels:
            raise DataError(f"{file} has {count:,} labels; allowed: at most {most_labels:,}. Import them in parts")
    rows = table.rows(f"SELECT {texts} FROM numbered WHERE {present} ORDER BY row_number")
    if not rows:
        raise DataError(f"{file} has no label: the column {label} is empty in all rows; fill it in")
    keys = [tuple(row[: len(key)]) for row in rows]
    if nameless := sum(None in values for values in keys):
        raise DataError(f"{file} has {counted(nameless, 'label')} in rows without a value in the key {', '.join(key)}")
    if repeated := [_shown(values) for values, count in Counter(keys).items() if count > 1]:
        raise DataError(f"{file} has the key {listed(repeated)} in more than one row; allowed: each row once")
    return GivenLabels(key, label, keys, [row[-1] for row in rows], table.in_order([label], present))


class FoundRow(NamedTuple):
    """A row that a label is for.

    Attributes:
        number: The number of the label.
        known: The label that the row has at the source, as text; None if it has none.
        place: The place of the row in the random order; see `taxiway.data.ingest.labels.draws`.
    """

    number: int
    known: str | None
    place: int


def find_rows(copy: Path, given: GivenLabels, folder: Path, data_name: str) -> list[FoundRow]:
    """Find the rows of a file that labels are for.

    Args:
        copy: The file.
        given: The labels.
        folder: For temporary files.
        data_name: The name of the file in errors.

    Returns:
        The rows that were found.

    Raises:
        DataError: The file lacks a key column.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names, listing = key_names(given.key), folder / "given_keys.parquet"
    columns = [pa.array(column, pa.string()) for column in zip(*given.keys, strict=True)]
    pq.write_table(pa.table(columns, names=names), listing)
    with connect() as connection:
        own = {column.name: column for column in add_view(connection, "span", copy, data_name)}
        add_view(connection, "given", listing, "the labels", numbered=True)
        if absent := [name for name in given.key if name not in own]:
            raise DataError(f"{data_name} has no key column {listed(absent)}; correct key in the schema", key="key")
        texts = ", ".join(f"{key_text(own[part])} AS {name}" for part, name in zip(given.key, names, strict=True))
        label = own.get(given.label)
        known = f"CASE WHEN {present_sql(label)} THEN {key_text(label)} END" if label is not None else "NULL"
        equal = " AND ".join(f"s.{name} = g.c{at}" for at, name in enumerate(names))
        place = place_sql([own[part] for part in given.key], "span")
        rows = f"SELECT {texts}, {known} AS known, {place} AS place FROM span"
        query = f"SELECT g.row_number, s.known, s.place FROM ({rows}) s JOIN given g ON {equal} ORDER BY ALL"
        return [FoundRow(int(number), text, int(at)) for number, text, at in run(connection, query, data_name)]


def _shown(key: Key) -> str:
    return ", ".join(key)
