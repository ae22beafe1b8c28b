"""Reads a body in any format into rows, with the JSON under which the request is logged."""

import gc

from taxiway.errors import RequestError
from taxiway.serving.gateway.bodies.arrow_rows import rows_of_arrow
from taxiway.serving.gateway.bodies.csv_rows import rows_of_csv
from taxiway.serving.gateway.bodies.formats import BodyFormat
from taxiway.serving.protocol import BodyLimits, PickledRows, Rows, as_split, read_rows


def read_body(body: bytes, body_format: BodyFormat, limits: BodyLimits) -> tuple[str, Rows]:
    """Parse a body.

    Args:
        body: The body.
        body_format: Its format. Arrow is imported for `ARROW` only.
        limits: How large it may be, also as JSON.

    Returns:
        The request as JSON, of which `read_rows` makes the same rows, and the rows.

    Raises:
        RequestError: 400 if the body does not follow its format; 413 if it has too many rows, columns or characters.
    """
    if body_format is BodyFormat.JSON:
        return read_rows(body, limits)
    rows = rows_of_csv(body, limits) if body_format is BodyFormat.CSV else rows_of_arrow(body, limits)
    text = as_split(rows)
    if len(text.encode()) > limits.max_bytes:
        raise RequestError(413, f"the rows have more than {limits.max_bytes:,} bytes as JSON; send fewer rows per request")
    return text, rows


def read_large_body(body: bytes, body_format: BodyFormat, limits: BodyLimits) -> tuple[str | None, PickledRows]:
    """As `read_body`, for a process of its own: the rows are packed, and the JSON is None if the body is it.

    Garbage is not collected meanwhile: that many new objects make it frequent, and none of them is garbage.
    """
    gc.disable()
    try:
        text, rows = read_body(body, body_format, limits)
        return (None if body_format is BodyFormat.JSON else text), PickledRows.of(rows)
    finally:
        gc.enable()
