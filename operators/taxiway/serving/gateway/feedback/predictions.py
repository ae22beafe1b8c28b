"""Finds the predictions that labels are for: in the request log, or in its Parquet files. It runs in a background process."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import groupby, product
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.conditions import quoted_name
from taxiway.errors import RequestError
from taxiway.messages import listed
from taxiway.serving.gateway.feedback.given import GivenLabel, number_of_text
from taxiway.serving.gateway.request_ids import time_of
from taxiway.serving.gateway.rolling.files import day_of
from taxiway.serving.gateway.rolling.predicted_rows import PrivateColumns, json_text, predicted_rows
from taxiway.serving.gateway.rolling.roll import both_names
from taxiway.serving.gateway.state import request_log_sql as sql
from taxiway.serving.gateway.state.logged_version import read_renames, read_versions
from taxiway.serving.gateway.state.request_log import FILE
from taxiway.serving.request_log.columns import INPUT, OTHER_INPUTS
from taxiway.serving.request_log.files import LogFiles, files_sql, read_files, request_files

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_AT_ONCE = 500
MAX_ROWS_OF_KEYS = 100_000
"""How many predicted rows the keys of one set of columns may have in one body."""
_MAX_EXACT = 2**53
_NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"


@dataclass(frozen=True)
class Prediction:
    """A predicted row, or a request of several.

    Attributes:
        at: When the request was received, in seconds since 1970.
        rows: How many rows were predicted; 0 if it was answered with an error.
    """

    at: float
    rows: int


class Predictions:
    """The predictions of one model.

    Args:
        state: The state folder of the gateway.
        folder: The folder of the Parquet files.
        model: The registered model.
    """

    def __init__(self, state: Path, folder: Path, model: str) -> None:
        self._log = state / FILE
        self._folder = folder
        self._model = model

    def by_id(self, request_ids: Iterable[str]) -> dict[str, Prediction]:
        """The requests of the model with these ids; unknown ones are left out."""
        wanted = sorted(set(request_ids))
        found = self._in_log(wanted)
        days = [(day_of(at), each) for each in wanted if each not in found and (at := time_of(each)) is not None]
        if not days:
            return found
        with _connected() as connection:
            for day, group in groupby(sorted(days), key=itemgetter(0)):
                ids, on = [each for _, each in group], date.fromisoformat(day)
                files = request_files(self._folder, "requests", self._model, on, on)
                found |= read_files(LogFiles(tuple(files), ()), partial(_in_files, connection, ids))
        return found

    def by_key(self, labels: Sequence[GivenLabel], private: PrivateColumns) -> dict[int, list[tuple[str, int, float]]]:
        """The predicted rows of the model whose inputs have these keys, by the index of the label: request id, row and time.

        Args:
            labels: Labels with different keys of the same columns.
            private: The columns of which the files have hashes.

        Raises:
            RequestError: 413 if the keys are those of too many rows.
        """
        names = [name for name, _ in labels[0].key]
        with self._open_log() as log:
            renamed = read_renames(log, self._model)

        def read(files: LogFiles) -> list[Any]:
            with _connected() as connection:
                rows = self._all_rows(connection, files, private)
                return _rows_of_keys(connection, rows, labels, renamed, private) if rows is not None else []

        rows = read_files(LogFiles(tuple(request_files(self._folder, "requests", self._model)), ()), read)
        if len(rows) > MAX_ROWS_OF_KEYS:
            raise RequestError(
                413,
                f"the keys of the columns {listed(names)} are those of more than {MAX_ROWS_OF_KEYS:,} predicted rows; send fewer labels at once, or "
                "keys of fewer rows",
            )
        found: dict[int, list[tuple[str, int, float]]] = {}
        for index, *row in sorted(rows):
            found.setdefault(index, []).append((row[0], row[1], row[2]))
        return found

    def of_numbers(self, requests: Mapping[str, float]) -> set[str]:
        """Those of some requests, by their ids and times, that were answered with numbers."""
        found = {name for (name,) in self._from_log(sql.NUMBERS_OF, sorted(requests))}
        others = sorted((day_of(at), name) for name, at in requests.items() if name not in found)
        with _connected() as connection:
            for day, group in groupby(others, key=itemgetter(0)):
                ids, on = [name for _, name in group], date.fromisoformat(day)
                files = request_files(self._folder, "requests", self._model, on, on)
                found |= read_files(LogFiles(tuple(files), ()), partial(_numbers_in_files, connection, ids))
        return found

    def _all_rows(self, connection: "duckdb.DuckDBPyConnection", files: LogFiles, private: PrivateColumns) -> str | None:
        """SQL for the rows in the files and those of requests that are not in them yet; None if there are none."""
        sources = [files_sql(files.requests)] if files.requests else []
        waiting = self._not_rolled(private)
        if waiting is not None:
            connection.register("waiting", waiting)
            sources.append("waiting")
        selected = " UNION ALL BY NAME ".join(f"SELECT * FROM {source}" for source in sources)  # noqa: S608 (the paths are quoted)
        return f"({selected})" if sources else None

    def renames(self) -> dict[str, str]:
        """The present name of renamed columns of all models by their former name."""
        with self._open_log() as connection:
            return read_renames(connection)

    def not_rolled_characters(self) -> int:
        """How many characters the bodies have that are not in the files yet."""
        with self._open_log() as connection:
            return int(connection.execute(sql.NOT_ROLLED_CHARACTERS).fetchone()[0])

    def _not_rolled(self, private: PrivateColumns) -> "pa.Table | None":
        with self._open_log() as connection:
            connection.row_factory = sqlite3.Row
            requests = connection.execute(sql.NOT_ROLLED_OF, (self._model,)).fetchall()
            versions = read_versions(connection, self._model, {each["champion_version"] for each in requests})
        return predicted_rows(requests, versions, private) if requests else None

    def labels(self, request_ids: Iterable[str]) -> dict[tuple[str, int], tuple[str, str]]:
        """The newest labels of requests, as JSON, with their callers, by request id and row, as far as the log still has them."""
        return {
            (name, row): (label, caller) for name, row, label, caller in self._from_log(sql.LABELS_OF, sorted(set(request_ids)))
        }

    def _open_log(self) -> "closing[sqlite3.Connection]":
        return closing(sqlite3.connect(f"{self._log.absolute().as_uri()}?mode=ro", uri=True))

    def _in_log(self, request_ids: Sequence[str]) -> dict[str, Prediction]:
        rows = self._from_log(sql.REQUESTS_OF, request_ids)
        return {
            name: Prediction(at, count if status == 200 else 0)
            for name, model, at, status, count in rows
            if model == self._model
        }

    def _from_log(self, query: str, request_ids: Sequence[str]) -> list[Any]:
        rows: list[Any] = []
        with self._open_log() as connection:
            for start in range(0, len(request_ids), _AT_ONCE):
                some = request_ids[start : start + _AT_ONCE]
                rows += connection.execute(query.format(marks=", ".join("?" * len(some))), some)
        return rows


def _connected() -> Any:
    from taxiway.data.engine.connection import connect

    return connect(max_threads=1)  # requests need the other cores


def _in_files(connection: "duckdb.DuckDBPyConnection", request_ids: list[str], files: LogFiles) -> dict[str, Prediction]:
    if not files.requests:
        return {}
    rows = connection.execute(
        f"SELECT request_id, epoch(min(received_at)), count(*) FILTER (WHERE champion_status = 200) FROM {files_sql(files.requests)} "  # noqa: S608 (the paths are quoted)
        "WHERE request_id IN (SELECT unnest($1)) GROUP BY request_id",
        [request_ids],
    ).fetchall()
    return {name: Prediction(at, count) for name, at, count in rows}


def _numbers_in_files(connection: "duckdb.DuckDBPyConnection", request_ids: list[str], files: LogFiles) -> set[str]:
    if not files.requests:
        return set()
    query = f"SELECT DISTINCT request_id FROM {files_sql(files.requests)} WHERE request_id IN (SELECT unnest($1)) AND prediction_value IS NOT NULL"  # noqa: S608 (the paths are quoted)
    return {name for (name,) in connection.execute(query, [request_ids]).fetchall()}


def _rows_of_keys(
    connection: "duckdb.DuckDBPyConnection",
    rows: str,
    labels: Sequence[GivenLabel],
    renamed: Mapping[str, str],
    private: PrivateColumns,
) -> list[Any]:
    """The rows with these keys: index of the label, request id, row and time; at most one more than `MAX_ROWS_OF_KEYS`."""
    names = [name for name, _ in labels[0].key]
    _add_keys(connection, names, labels, private)
    known, parameters = _columns(connection, rows), list[str]()
    same = " AND ".join(
        f"{_form(_input(name, renamed, known, parameters), hashed=name in private.hashed)} = key{at}"
        for at, name in enumerate(names)
    )
    return connection.execute(
        f"SELECT DISTINCT index, request_id, row, epoch(received_at) FROM {rows} JOIN keys ON {same} WHERE champion_status = 200 "  # noqa: S608 (names and paths are quoted)
        f"LIMIT {MAX_ROWS_OF_KEYS + 1}",
        parameters,
    ).fetchall()


def _columns(connection: "duckdb.DuckDBPyConnection", rows: str) -> dict[str, str]:
    """The columns by their names in lower case."""
    found = connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()  # noqa: S608 (the paths are quoted)
    return {name.casefold(): name for name, *_ in found}


def _input(name: str, renamed: Mapping[str, str], columns: Mapping[str, str], parameters: list[str]) -> str:
    """SQL for the JSON text of an input; some versions may take it, and others not, or by another name.

    Args:
        name: The input.
        renamed: The present name of columns by their former name.
        columns: The columns of the rows, by their names in lower case.
        parameters: The parameters of the query, to which the names are added.
    """
    places = []
    for each in both_names([name], renamed):
        if (column := columns.get((INPUT + each).casefold())) is not None:
            places.append(quoted_name(column))
        parameters.append(each)
        places.append(f"{OTHER_INPUTS}[${len(parameters)}::VARCHAR]")
    return f"coalesce({', '.join(places)})"


def _add_keys(
    connection: "duckdb.DuckDBPyConnection", names: Sequence[str], labels: Sequence[GivenLabel], private: PrivateColumns
) -> None:
    """Make a table of keys, with a row for each combination of the hashes that their values may have."""
    import pyarrow as pa

    rows: list[tuple[Any, ...]] = []
    for label in labels:
        forms = [_hashes(value, private) if name in private.hashed else [json_text(value)] for name, value in label.key]
        rows += [(label.index, *each) for each in product(*forms)]
    columns = list(zip(*rows, strict=True))
    table = pa.table(
        {"index": pa.array(columns[0], pa.int64())}
        | {f"text{at}": pa.array(texts, pa.string()) for at, texts in enumerate(columns[1:])}
    )
    forms_sql = ", ".join(f"{_form(f'text{at}', hashed=name in private.hashed)} AS key{at}" for at, name in enumerate(names))
    connection.register("given", table)
    connection.execute(f"CREATE TABLE keys AS SELECT index, {forms_sql} FROM given")  # noqa: S608 (the names are made here)


def _hashes(value: str | int | float | bool, private: PrivateColumns) -> list[str]:
    """The hashes of a value as a number and as a text; see `_form` for values that are not hashed."""
    number = number_of_text(value) if isinstance(value, str) else value
    forms = [value, number, str(value)]
    if isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < _MAX_EXACT and number == int(number):
        forms += [int(number), float(number), str(int(number))]
    return list(dict.fromkeys(private.hash_of(json_text(form)) for form in forms))


def _form(column: str, *, hashed: bool) -> str:
    """SQL for JSON text in a form that is the same for a number and its text, as CSV requests have it: 7, 7.0 and "7", but not "007"."""
    if hashed:
        return column
    text = f"CASE WHEN {column} LIKE '\"%' THEN {column}::JSON ->> '$' WHEN {column} <> 'null' THEN {column} END"
    number = f"'number ' || TRY_CAST({text} AS DOUBLE)::VARCHAR"
    return f"CASE WHEN regexp_full_match({text}, '{_NUMBER}') THEN {number} ELSE 'text ' || ({text}) END"


def same_columns(labels: Iterable[GivenLabel]) -> Mapping[tuple[str, ...], list[GivenLabel]]:
    """Labels by the columns of their keys."""
    groups: dict[tuple[str, ...], list[GivenLabel]] = {}
    for label in labels:
        groups.setdefault(tuple(name for name, _ in label.key), []).append(label)
    return groups
