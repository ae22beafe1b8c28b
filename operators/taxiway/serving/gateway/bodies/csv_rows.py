"""Parses a CSV body into rows of texts. The worker converts each text to the type that its column has in the model's signature."""

import csv
import io
import sys

from taxiway.errors import RequestError
from taxiway.serving.protocol import BodyLimits, Rows, checked_rows, require_size

_NAME = "the CSV"


def rows_of_csv(body: bytes, limits: BodyLimits) -> Rows:
    """Parse a CSV body: UTF-8, a line with the names of the columns, comma-separated cells, and quotes that are doubled in a quoted cell.

    Args:
        body: The body; it may begin with a byte order mark.
        limits: How large it may be.

    Returns:
        The rows; each cell is a text, or None if it is empty.

    Raises:
        RequestError: 400 if it is not such a CSV; 413 if it has too many rows or columns.
    """
    csv.field_size_limit(sys.maxsize)  # the size of the body is limited
    try:
        lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        columns: list[str] = next(filter(None, lines), [])
        require_size(_NAME, 0, len(columns), limits)
        data: list[list[str | None]] = []
        for cells in filter(None, lines):  # empty lines are skipped, as pandas does
            if len(cells) != len(columns):
                raise RequestError(
                    400, f"line {lines.line_num} of the CSV has {len(cells):,} cells, and its header {len(columns):,}"
                )
            data.append([cell or None for cell in cells])
            require_size(_NAME, len(data), len(columns), limits)
    except UnicodeDecodeError as error:
        raise RequestError(400, f"the CSV is not UTF-8: {error.reason} at byte {error.start:,}") from None
    except csv.Error as error:
        raise RequestError(
            400, f"the body is not CSV: {error}; send comma-separated lines, the first with the columns"
        ) from None
    return checked_rows(_NAME, Rows(tuple(columns), data), limits)
