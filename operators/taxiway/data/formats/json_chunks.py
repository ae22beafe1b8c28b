"""Read JSON lines by Arrow where it reads what Python reads; it is many times faster."""

import re
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING

from taxiway.data.formats.python_rows import Batch, ValueColumn

if TYPE_CHECKING:
    import pyarrow as pa

_FIRST_BYTES = 64 << 10
_CHUNK_BYTES = 8 << 20
_BLOCK_BYTES = 2 << 20
_LINE_FEED, _RETURN, _OPEN, _CLOSE = b"\n\r{}"
# Arrow also takes Inf and -NaN, and -0 as -0.0 beside fractions.
_READ_OTHERWISE = re.compile(rb"Inf|-NaN|[:\s]-0[\s,}]")


def line_chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a stream in chunks of whole lines; the first is short."""
    parts: list[bytes] = []
    size = _FIRST_BYTES
    while read := stream.read(size):
        whole, line_feed, part = read.rpartition(b"\n")
        if line_feed:
            yield b"".join((*parts, whole, line_feed))
        parts = [part] if line_feed else [*parts, read]
        size = _CHUNK_BYTES
    if rest := b"".join(parts):
        yield rest


def read_plain(content: bytes, columns: Mapping[str, ValueColumn]) -> Batch | None:
    """Read whole lines by Arrow.

    Args:
        content: The lines, in UTF-8.
        columns: The columns of the lines before.

    Returns:
        The rows; None if a line may be something else than an object, a key is not among the columns, a value has another type
        than those before, or is one that Arrow reads otherwise than Python.
    """
    import pyarrow as pa
    import pyarrow.json

    types = {name: _arrow_type(column) for name, column in columns.items()}
    rows, longest = _objects(content)
    if not types or not rows or None in types.values() or _READ_OTHERWISE.search(content):
        return None
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(content),
            pyarrow.json.ReadOptions(block_size=max(_BLOCK_BYTES, longest + 1)),
            pyarrow.json.ParseOptions(explicit_schema=pa.schema(list(types.items())), unexpected_field_behavior="error"),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != rows:
        return None
    return Batch(rows, {name: table.column(name).combine_chunks() for name in table.column_names})


def _arrow_type(column: ValueColumn) -> "pa.DataType | None":
    """The type that Arrow expects in the column; None if there is none for its values."""
    import pyarrow as pa

    types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64(), "boolean": pa.bool_()}
    return types.get(column.kind) if column.kinds else pa.null()


def _objects(content: bytes) -> tuple[int, int]:
    """The number of lines that are not empty, and the length of the longest; no lines if one is not from a brace to a brace.

    Arrow ignores line breaks. As many objects as there are such lines cannot be divided otherwise among them: a line that ends within
    an object must be continued by a comma, a key or a bracket.
    """
    import numpy as np

    signs = np.frombuffer(content, dtype=np.uint8)
    breaks = np.flatnonzero(signs == _LINE_FEED)
    ends = np.append(breaks, [] if content.endswith(b"\n") else len(content)).astype(int)
    begins = np.append(0, ends[:-1] + 1)
    ends = ends - (signs[np.maximum(ends - 1, 0)] == _RETURN)
    is_filled = ends > begins
    begins, ends = begins[is_filled], ends[is_filled]
    if not len(begins) or not (signs[begins] == _OPEN).all() or not (signs[ends - 1] == _CLOSE).all():
        return 0, 0
    return len(begins), int((ends - begins).max()) + 2
