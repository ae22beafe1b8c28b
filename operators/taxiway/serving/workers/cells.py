"""The cells of the columns that a model takes, from the rows of requests."""

from collections.abc import Sequence
from typing import Any

from taxiway.errors import RequestError
from taxiway.features.signature import ModelColumns
from taxiway.serving.protocol import Rows

_MAX_NAMED_COLUMNS = 10


def select_cells(requests: Sequence[Rows], columns: ModelColumns) -> dict[str, list[Any]]:
    """The cells of each column of the model, of requests with the same columns; raises RequestError (400) if columns are missing."""
    sent = columns.present_names(requests[0].columns)
    return _select_columns([row for request in requests for row in request.data], sent, columns.names)


def _select_columns(rows: list[list[Any]], sent: tuple[str, ...], needed: tuple[str, ...]) -> dict[str, list[Any]]:
    """The cells of the `needed` columns. Raises RequestError (400) if some were not `sent`, with the first ten of them."""
    positions = {name: position for position, name in enumerate(sent)}
    missing = [name for name in needed if name not in positions]
    if missing:
        more = [f"and {len(missing) - _MAX_NAMED_COLUMNS} more"] if len(missing) > _MAX_NAMED_COLUMNS else []
        named = ", ".join(missing[:_MAX_NAMED_COLUMNS] + more)
        raise RequestError(400, f"missing columns: {named}; send every column of the model, with null for a missing value")
    return {name: [row[positions[name]] for row in rows] for name in needed}
