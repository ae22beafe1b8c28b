"""MLflow's scoring protocol: reading the body of an invocation into columns and rows.

What the protocol says: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#inference-server-specification
Only its tabular forms are spoken here, without `params`; `inputs` as a text is refused, because MLflow opens it as a path.
"""

import json
from dataclasses import dataclass
from typing import Any, Never

from taxiway.errors import RequestError

FORMS = ("dataframe_records", "dataframe_split", "inputs", "instances")


@dataclass(frozen=True)
class Rows:
    """The rows of one request: `data` holds one list of cells per row, in the order of `columns`; no cell is a list or object."""

    columns: tuple[str, ...]
    data: list[list[Any]]


def read_rows(body: bytes) -> tuple[str, Rows]:
    """The body of an invocation as text, and the rows in it. Raises RequestError (400) where it is none."""
    try:
        text = body.decode()
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"the body is not JSON: {error}; send one object with one of {', '.join(FORMS)}") from None
    if not isinstance(content, dict) or len(content) != 1 or next(iter(content)) not in FORMS:
        got = f"the keys {sorted(content)}" if isinstance(content, dict) else f"a {type(content).__name__}"
        _refuse(f"got {got}; send one object with exactly one of {', '.join(FORMS)}")
    form, value = next(iter(content.items()))
    rows = _from_records(form, value) if isinstance(value, list) else _from_object(form, value)
    if not rows.columns or not rows.data:
        _refuse(f"{form} has no rows; send at least one")
    if len(set(rows.columns)) != len(rows.columns):
        _refuse(f"{form} names a column twice: {', '.join(rows.columns)}")
    _require_cells(rows)
    return text, rows


def _require_cells(rows: Rows) -> None:
    for position, row in enumerate(rows.data):
        for name, cell in zip(rows.columns, row, strict=True):
            if isinstance(cell, list | dict):
                got = "a list" if isinstance(cell, list) else "an object"
                _refuse(f'row {position} has {got} in column "{name}"; a cell is a number, a text, true, false or null')


def _from_records(form: str, value: list[Any]) -> Rows:
    if form == "dataframe_split" or not all(isinstance(record, dict) for record in value):
        _refuse(f"{form} is not in its form; allowed: {_form_of(form)}")
    columns = tuple(dict.fromkeys(name for record in value for name in record))
    return Rows(columns, [[record.get(name) for name in columns] for record in value])


def _from_object(form: str, value: Any) -> Rows:
    if form == "dataframe_split" and isinstance(value, dict) and set(value) | {"index"} == {"columns", "data", "index"}:
        columns, data = value["columns"], value["data"]
    elif form == "inputs" and isinstance(value, dict) and all(isinstance(cells, list) for cells in value.values()):
        columns = list(value)
        data = [list(cells) for cells in zip(*value.values(), strict=False)]
        if any(len(cells) != len(data) for cells in value.values()):
            _refuse("inputs has columns of different lengths")
    else:
        _refuse(f"{form} is not in its form; allowed: {_form_of(form)}")
    if not (isinstance(columns, list) and all(isinstance(name, str) for name in columns) and isinstance(data, list)):
        _refuse(f"{form} is not in its form; allowed: {_form_of(form)}")
    for position, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            _refuse(f"row {position} of {form} does not have a value for each of the {len(columns)} columns")
    return Rows(tuple(columns), data)


def _form_of(form: str) -> str:
    return {
        "dataframe_split": '{"columns": [names], "data": [[values of a row], ...]}',
        "inputs": "{column: [values], ...} or a list of objects, one a row",
    }.get(form, "a list of objects, one a row")


def _refuse(message: str) -> Never:
    raise RequestError(400, message)
