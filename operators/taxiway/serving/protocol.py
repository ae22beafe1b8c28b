"""MLflow's scoring protocol: parses the JSON body of a request into rows. Other formats: `taxiway.serving.gateway.bodies`.

The protocol: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#inference-server-specification
Only its tabular formats are supported, without `params`; a text as `inputs` is refused, because MLflow would open it as a path.
The limits are on what a body expands to: a few kilobytes of records with different keys would become millions of cells.
"""

import pickle
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Never

from pydantic_core import from_json, to_json

from taxiway.errors import RequestError
from taxiway.messages import counted, listed, quoted

INPUT_FORMATS = ("dataframe_records", "dataframe_split", "inputs", "instances")
_JSON_KINDS = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
KEEP_ALIVE_S = 75
"""How long servers keep an idle connection: longer than clients (httpx: 5 s) and load balancers (mostly 60 s), so that none of them
sends a request on a connection that is just being closed."""
MAX_CELLS = 100_000
"""The usual limit of rows times columns of a request, with the items of its lists; also of all requests that are predicted together."""
MAX_ROWS = 10_000
"""The usual limit of the rows of a request: other requests wait while one is predicted."""
MAX_ITEMS = 10_000
"""How many items a list may have."""
MAX_COLUMNS = 10_000
MAX_NAME_LENGTH = 1000
"""How many characters the name of a column may have."""


@dataclass(frozen=True)
class BodyLimits:
    """How large a request may be; a gateway can be given others than the usual ones.

    Attributes:
        max_bytes: The bytes of its body, and of its rows as JSON.
        max_rows: Its rows.
        max_cells: Its rows times its columns, with the items of its lists.
    """

    max_bytes: int = 2 << 20
    max_rows: int = MAX_ROWS
    max_cells: int = MAX_CELLS


USUAL_LIMITS = BodyLimits()
LARGEST_LIMITS = BodyLimits(max_bytes=16 << 20, max_rows=100_000, max_cells=1_000_000)
"""The largest limits that a gateway can have: what it has logged is read with these."""


@dataclass(frozen=True)
class Rows:
    """The rows of a request.

    Attributes:
        columns: The names of the columns.
        data: One list of cells per row, in the order of the columns; a cell is not an object, and not a list of lists or objects.
        items: How many items the lists among the cells have.
    """

    columns: tuple[str, ...]
    data: list[list[Any]]
    items: int = 0

    @property
    def row_count(self) -> int:
        """The number of rows."""
        return len(self.data)

    @property
    def cells(self) -> int:
        """How many values there are: one for each row and column, and the items of lists."""
        return len(self.data) * len(self.columns) + self.items

    def by_column(self) -> list[list[Any]]:
        """The cells of each column."""
        return [list(cells) for cells in zip(*self.data, strict=True)]


@dataclass(frozen=True)
class PickledRows:
    """The rows of a large request, pickled by column: a process that only passes them on does not make objects of their cells.

    Attributes:
        columns: The names of the columns.
        row_count: The number of rows.
        cells: As `Rows.cells`.
        content: The pickled cells of each column.
    """

    columns: tuple[str, ...]
    row_count: int
    cells: int
    content: bytes

    @classmethod
    def of(cls, rows: Rows) -> "PickledRows":
        """Pack rows."""
        return cls(rows.columns, rows.row_count, rows.cells, pickle.dumps(rows.by_column(), pickle.HIGHEST_PROTOCOL))

    def by_column(self) -> list[list[Any]]:
        """The cells of each column."""
        found: list[list[Any]] = pickle.loads(self.content)  # noqa: S301 (a process of the gateway that runs no code of teams wrote it)
        return found

    @property
    def data(self) -> list[list[Any]]:
        """One list of cells per row, as `Rows.data`."""
        return [list(cells) for cells in zip(*self.by_column(), strict=True)]


def read_rows(body: bytes, limits: BodyLimits = USUAL_LIMITS) -> tuple[str, Rows]:
    """Parse the body of a request.

    Args:
        body: The body.
        limits: How large its rows may be.

    Returns:
        The body as text, and its rows.

    Raises:
        RequestError: 400 if the body does not follow the protocol, 413 if it has too many rows or columns.
    """
    try:
        content = from_json(body)  # also refuses lone surrogates, which could not be logged
    except ValueError as error:
        raise RequestError(
            400, f"the body is not JSON: {error}; send one object with one of the keys {', '.join(INPUT_FORMATS)}"
        ) from None
    if not isinstance(content, dict) or len(content) != 1 or next(iter(content)) not in INPUT_FORMATS:
        got = f"an object with the keys {listed(content)}" if isinstance(content, dict) else _JSON_KINDS[type(content)]
        _refuse(f"the body is {got}; send one object with exactly one of the keys {', '.join(INPUT_FORMATS)}")
    input_format, value = next(iter(content.items()))
    rows = (
        _rows_of_list(input_format, value, limits) if isinstance(value, list) else _rows_of_object(input_format, value, limits)
    )
    return body.decode(), checked_rows(input_format, rows, limits)


def as_split(rows: Rows) -> str:
    """The rows as the JSON of a request: `read_rows` reads the same rows from it."""
    return to_json({"dataframe_split": {"columns": rows.columns, "data": rows.data}}, inf_nan_mode="constants").decode()


def checked_rows(input_format: str, rows: Rows, limits: BodyLimits) -> Rows:
    """The rows with the number of items in their lists.

    Args:
        input_format: What the rows are called in messages.
        rows: Rows of the size that `require_size` allows.
        limits: How large they may be.

    Raises:
        RequestError: 400 if there are no rows, or a name or a cell is not allowed; 413 if there are too many values.
    """
    if not rows.columns or not rows.data:
        _refuse(f"{input_format} has no rows; send at least one")
    _require_names(input_format, rows.columns)
    if len(set(rows.columns)) != len(rows.columns):
        _refuse(f"{input_format} has a duplicate column among {listed(rows.columns)}")
    rows = replace(rows, items=_count_list_items(rows))
    if rows.cells > limits.max_cells:
        raise RequestError(
            413,
            f"{input_format} has {rows.cells:,} values, with those in lists; allowed: {limits.max_cells:,}. Send fewer rows per request, and only the "
            "columns of the model",
        )
    return rows


def require_size(input_format: str, rows: int, columns: int, limits: BodyLimits, *, at_least: bool = False) -> None:
    """Raise RequestError (413) if there are too many rows, columns or cells. There may be more columns if `at_least`."""
    if columns > MAX_COLUMNS:
        raise RequestError(413, f"{input_format} has more than {MAX_COLUMNS:,} columns; send only the columns of the model")
    if rows > limits.max_rows or rows * columns > limits.max_cells:
        wide = f" of {counted(columns, 'column')}{' or more' if at_least else ''}" if columns else ""
        raise RequestError(
            413,
            f"{input_format} has {counted(rows, 'row')}{wide}; allowed: {limits.max_rows:,} rows and {limits.max_cells:,} "
            "cells. Send fewer rows per request, and only the columns of the model",
        )


def _require_names(input_format: str, names: Iterable[str]) -> None:
    for name in names:
        if len(name) > MAX_NAME_LENGTH:
            _refuse(f"{input_format} has the column {quoted(name)} with {len(name):,} characters; allowed: {MAX_NAME_LENGTH:,}")


def _count_list_items(rows: Rows) -> int:
    """The number of items in lists. Raises RequestError (400) if a cell is an object, or a list of lists or objects, or too long."""
    if {list, dict}.isdisjoint(map(type, chain.from_iterable(rows.data))):
        return 0
    items = 0
    for position, row in enumerate(rows.data):
        for name, cell in zip(rows.columns, row, strict=True):
            if not isinstance(cell, list | dict):
                continue
            got = "an object" if isinstance(cell, dict) else _wrong_in_list(cell)
            if got:
                _refuse(
                    f"row {position} has {got} in column {quoted(name)}; allowed: a number, a text, true, false, null, or a list of at most "
                    f"{MAX_ITEMS:,} of these"
                )
            items += len(cell)
    return items


def _wrong_in_list(cell: list[Any]) -> str:
    """What a list has that it may not have; empty if nothing."""
    if len(cell) > MAX_ITEMS:
        return f"a list of {len(cell):,} items"
    wrong = next((item for item in cell if isinstance(item, list | dict)), None)
    return "" if wrong is None else f"{'a list' if isinstance(wrong, list) else 'an object'} in a list"


def _rows_of_list(input_format: str, value: list[Any], limits: BodyLimits) -> Rows:
    if input_format == "dataframe_split" or not all(isinstance(record, dict) for record in value):
        _refuse(f"{input_format} has the wrong format; allowed: {_expected_format(input_format)}")
    require_size(input_format, len(value), 0, limits)
    columns: dict[str, None] = {}
    for record in value:
        if record.keys() != columns.keys():
            columns.update(dict.fromkeys(record))
            require_size(input_format, len(value), len(columns), limits, at_least=True)
    return Rows(tuple(columns), [list(map(record.get, columns)) for record in value])


def _rows_of_object(input_format: str, value: Any, limits: BodyLimits) -> Rows:
    if input_format == "dataframe_split" and isinstance(value, dict) and set(value) | {"index"} == {"columns", "data", "index"}:
        columns, data = value["columns"], value["data"]
    elif input_format == "inputs" and isinstance(value, dict) and all(isinstance(cells, list) for cells in value.values()):
        require_size(input_format, max(map(len, value.values()), default=0), len(value), limits)
        columns = list(value)
        data = [list(cells) for cells in zip(*value.values(), strict=False)]
        if any(len(cells) != len(data) for cells in value.values()):
            _refuse("inputs has columns of different lengths")
    else:
        _refuse(f"{input_format} has the wrong format; allowed: {_expected_format(input_format)}")
    if not (isinstance(columns, list) and all(isinstance(name, str) for name in columns) and isinstance(data, list)):
        _refuse(f"{input_format} has the wrong format; allowed: {_expected_format(input_format)}")
    require_size(input_format, len(data), len(columns), limits)
    for position, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            _refuse(f"row {position} of {input_format} does not have a value for each of the {len(columns)} columns")
    return Rows(tuple(columns), data)


def _expected_format(input_format: str) -> str:
    return {
        "dataframe_split": '{"columns": [names], "data": [[values of a row], ...]}',
        "inputs": "{column: [values], ...} or a list of objects, one per row",
    }.get(input_format, "a list of objects, one per row")


def _refuse(message: str) -> Never:
    raise RequestError(400, message)
