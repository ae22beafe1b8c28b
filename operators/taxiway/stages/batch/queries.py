"""The rows of a query to score, as one table in a temporary folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.credentials import without_credentials
from taxiway.data.sources.reader import Connect
from taxiway.messages import clipped
from taxiway.store import temp_folder

if TYPE_CHECKING:
    from taxiway.data.engine.duckdb_table import Table

_LONGEST_QUERY = 200


@contextmanager
def queried(connect: Connect, connection: str, query: str) -> "Iterator[Table]":
    """The rows of a query.

    Args:
        connect: Opens the database.
        connection: The name of its connection, or its URL.
        query: The query.

    Raises:
        ConfigError: The database cannot be used, or rejects the query.
        DataError: There are no rows, or a value cannot be read.
        TransientError: The database does not answer.
    """
    from taxiway.data.sources.sql import whole_query_to_parquet

    name = query_name(connection, query)
    with temp_folder("query") as folder:
        path = folder / "rows.parquet"
        with connect(connection) as engine:
            whole_query_to_parquet(engine, query, path, name)
        with open_rows(path, name) as table:
            yield table


def query_name(connection: str, query: str) -> str:
    """How messages and lineage name the rows of a query, in one line and without credentials."""
    return without_credentials(f"{connection}: {clipped(' '.join(query.split()), _LONGEST_QUERY)}")


@contextmanager
def open_rows(path: Path, name: str) -> "Iterator[Table]":
    """A Parquet file as a table of this name."""
    from taxiway.data.engine.duckdb_table import open_table

    with open_table(path, name, file_names={path: name}) as table:
        yield table
