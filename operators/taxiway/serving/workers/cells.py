"""The cells of the columns that a model takes, from the rows of requests."""

from collections.abc import Sequence
from typing import Any

from taxiway.errors import RequestError
from taxiway.features.signature import ModelColumns
from taxiway.serving.protocol import PickledRows, Rows

_MAX_NAMED_COLUMNS = 10


def select_columns(requests: Sequence[Rows | PickledRows], columns: ModelColumns) -> dict[str, list[Any]]:
    """The cells of each column of the model, of requests with the same columns; raises RequestError (400) if columns are missing."""
    sent = columns.present_names(requests[0].columns)
    positions = {name: position for position, name in enumerate(sent)}
    missing = [name for name in columns.names if name not in positions]
    if missing:
        more = [f"and {len(missing) - _MAX_NAMED_COLUMNS} more"] if len(missing) > _MAX_NAMED_COLUMNS else []
        named = ", ".join(missing[:_MAX_NAMED_COLUMNS] + more)
        raise RequestError(400, f"missing columns: {named}; send every column of the model, with null for a missing value")
    by_request = [request.by_column() for request in requests]
    if len(by_request) == 1:
        return {name: by_request[0][positions[name]] for name in columns.names}
    return {name: [cell for cells in by_request for cell in cells[positions[name]]] for name in columns.names}
