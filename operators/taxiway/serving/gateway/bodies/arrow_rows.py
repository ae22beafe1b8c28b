"""Parses an Arrow IPC stream into rows of JSON values.

This imports Arrow, so the gateway calls it in the process of `BodyReader` only. What a stream expands to is limited before it is
expanded: a few bytes can stand for many rows of nulls, for long lists, or for a long text in each row.
"""

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from taxiway.errors import RequestError
from taxiway.messages import clipped, quoted
from taxiway.serving.gateway.bodies.arrow_messages import require_plain_messages
from taxiway.serving.protocol import BodyLimits, Rows, checked_rows, require_size

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = "the Arrow stream"
_ALLOWED = "booleans, integers, floats, texts, lists of these, decimals, dates, timestamps, and dictionaries of values that are not lists"
_MAX_ERROR = 300


def rows_of_arrow(body: bytes, limits: BodyLimits) -> Rows:
    """Parse an Arrow IPC stream.

    Args:
        body: The stream, without compression.
        limits: How large it may be, and its texts.

    Returns:
        The rows. Dates and times are texts in ISO 8601; NaN is missing, as in pandas.

    Raises:
        RequestError: 400 if it is not such a stream, or a column has another type; 413 if it expands to more than is allowed.
    """
    import pyarrow as pa

    try:
        require_plain_messages(body)
        table = _table(body, limits)
        _require_limits(table, limits)
        columns = [_cells(column) for column in table.columns]
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        why = clipped(str(error), _MAX_ERROR)
        raise RequestError(400, f"the body is not an Arrow stream that can be read: {why}") from None
    rows = [list(cells) for cells in zip(*columns, strict=True)]
    return checked_rows(_NAME, Rows(tuple(table.column_names), rows), limits)


def _table(body: bytes, limits: BodyLimits) -> "pa.Table":
    import pyarrow as pa

    batches, rows = [], 0
    with pa.ipc.open_stream(body) as stream:
        require_size(_NAME, 0, len(stream.schema), limits)
        for field in stream.schema:
            _require_allowed(field)
        for batch in stream:
            rows += batch.num_rows
            require_size(_NAME, rows, len(stream.schema), limits)
            batch.validate(full=True)  # Arrow trusts the offsets of a batch that it reads
            batches.append(batch)
        return pa.Table.from_batches(batches, stream.schema)


def _require_allowed(field: "pa.Field") -> None:
    import pyarrow.types as kinds

    kind, plain = field.type, [kinds.is_boolean, kinds.is_integer, kinds.is_floating, kinds.is_null, _is_text]
    if _is_list(kind):
        kind = kind.value_type
    else:
        kind = kind.value_type if kinds.is_dictionary(kind) else kind
        plain += [kinds.is_decimal, _is_time]
    if not any(is_one(kind) for is_one in plain):
        got = clipped(str(field.type), _MAX_ERROR)
        raise RequestError(400, f"the column {quoted(field.name)} of the Arrow stream has the type {got}; allowed: {_ALLOWED}")


def _require_limits(table: "pa.Table", limits: BodyLimits) -> None:
    """Check how many items the lists have, and how long the texts of dictionaries are in all rows, without making them."""
    import pyarrow.compute as compute
    import pyarrow.types as kinds

    items = texts = 0
    for column in table.columns:
        if _is_list(column.type):
            items += compute.sum(compute.list_value_length(column)).as_py() or 0
        elif kinds.is_dictionary(column.type) and _is_text(column.type.value_type):
            for chunk in column.chunks:
                texts += compute.sum(compute.take(compute.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0
    if items > limits.max_cells:
        raise RequestError(
            413,
            f"the lists of the Arrow stream have {items:,} items; allowed: {limits.max_cells:,}. Send fewer rows per request",
        )
    if texts > limits.max_bytes:
        raise RequestError(
            413, f"the texts of the Arrow stream have more than {limits.max_bytes:,} bytes; send fewer rows per request"
        )


def _cells(column: "pa.ChunkedArray") -> list[Any]:
    """The values of a column as JSON has them."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if kinds.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_time(column.type):
        return list(column.cast(pa.string()).to_pylist())
    if _is_list(column.type):
        return [None if cell is None else [_json_value(item) for item in cell] for cell in column.to_pylist()]
    if column.type in (pa.float16(), pa.float32()):  # 0.1 as JSON has it, not 0.10000000149011612
        return [_json_value(None if cell is None else float(str(cell))) for cell in column.to_numpy()]
    return [_json_value(cell) for cell in column.to_pylist()]


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_string(kind) or kinds.is_large_string(kind))


def _is_time(kind: "pa.DataType") -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_date(kind) or kinds.is_timestamp(kind))


def _is_list(kind: "pa.DataType") -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind))
