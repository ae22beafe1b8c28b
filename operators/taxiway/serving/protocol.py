"""MLflow's scoring protocol: parses the body of a request into rows.

The protocol: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#inference-server-specification
Only its tabular formats are supported, without `params`; a text as `inputs` is refused, because MLflow would open it as a path.
"""

import json
from dataclasses import dataclass
from typing import Any, Never

from taxiway.errors import RequestError

FORMS = ("dataframe_records", "dataframe_split", "inputs", "instances")


@dataclass(frozen=True)
class Rows:
    """The rows of a request.

    Attributes:
        columns: The names of the columns.
        data: One list of cells per row, in the order of the columns; a cell is not a list or an object.
    """

    columns: tuple[str, ...]
    data: list[list[Any]]


def read_rows(body: bytes) -> tuple[str, Rows]:
    """Parse the body of a request.

    Returns:
        The body as text, and its rows.

    Raises:
        RequestError: 400 if the body does not follow the protocol.
    """
    try:
        text = body.decode()
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(
            400, f"the body is not JSON: {error}; send one object with one of the keys {', '.join(FORMS)}"
        ) from None
    if not isinstance(content, dict) or len(content) != 1 or next(iter(content)) not in FORMS:
        got = f"the keys {sorted(content)}" if isinstance(content, dict) else f"a {type(content).__name__}"
        _refuse(f"the body is {got}; send one object with exactly one of the keys {', '.join(FORMS)}")
    form, value = next(iter(content.items()))
    rows = _from_records(form, value) if isinstance(value, list) else _from_object(form, value)
    if not rows.columns or not rows.data:
        _refuse(f"{form} has no rows; send at least one")
    if len(set(rows.columns)) != len(rows.columns):
        _refuse(f"{form} has a duplicate column: {', '.join(rows.columns)}")
    _require_cells(rows)
    return text, rows


def _require_cells(rows: Rows) -> None:
    for position, row in enumerate(rows.data):
        for name, cell in zip(rows.columns, row, strict=True):
            if isinstance(cell, list | dict):
                got = "a list" if isinstance(cell, list) else "an object"
                _refuse(f'row {position} has {got} in column "{name}"; allowed: a number, a text, true, false or null')


def _from_records(form: str, value: list[Any]) -> Rows:
    if form == "dataframe_split" or not all(isinstance(record, dict) for record in value):
        _refuse(f"{form} has the wrong format; allowed: {_form_of(form)}")
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
        _refuse(f"{form} has the wrong format; allowed: {_form_of(form)}")
    if not (isinstance(columns, list) and all(isinstance(name, str) for name in columns) and isinstance(data, list)):
        _refuse(f"{form} has the wrong format; allowed: {_form_of(form)}")
    for position, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(columns):
            _refuse(f"row {position} of {form} does not have a value for each of the {len(columns)} columns")
    return Rows(tuple(columns), data)


def _form_of(form: str) -> str:
    return {
        "dataframe_split": '{"columns": [names], "data": [[values of a row], ...]}',
        "inputs": "{column: [values], ...} or a list of objects, one per row",
    }.get(form, "a list of objects, one per row")


def _refuse(message: str) -> Never:
    raise RequestError(400, message)
