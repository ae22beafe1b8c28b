"""Convert JSON lines to Parquet: each line is an object and becomes a row."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from taxiway.data.formats.python_rows import Batch, rows_to_parquet
from taxiway.errors import DataError

_BATCH_ROWS = 10_000


def json_lines_to_parquet(text: Path, copy: Path, what: str) -> None:
    """Convert a file of JSON lines to Parquet.

    Empty lines are skipped. A missing key is a missing value, as is null. A column of text becomes dates or times if all its values
    are. Arrays and objects are kept as JSON text.

    Args:
        text: The file, in UTF-8.
        copy: The Parquet file to write.
        what: The name of the file in errors.

    Raises:
        DataError: A line is not a JSON object, or there are no rows.
    """
    rows_to_parquet(_batches(text, what), copy, what, dates_in_text=True)


def _batches(text: Path, what: str) -> Iterator[Batch]:
    with text.open(encoding="utf-8", newline="\n") as lines:
        objects = (_object(line, f"{what}:{number}") for number, line in enumerate(lines, 1) if not line.isspace())
        while rows := list(islice(objects, _BATCH_ROWS)):
            names = dict.fromkeys(name for row in rows for name in row)
            yield Batch(len(rows), {name: [row.get(name) for row in rows] for name in names})


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line, object_pairs_hook=_once)
        if "\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: this line is not JSON: {getattr(error, 'msg', error)}; allowed: one object per line. Write it again at the source"
        ) from None
    if not isinstance(value, dict):
        hint = ". Convert an array to lines with: jq -c '.[]'" if isinstance(value, list) else ""
        raise DataError(f"{where}: this line is a JSON {_type_name(value)}; allowed: one object per line{hint}")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'the key "{next(name for name in names if names.count(name) > 1)}" occurs twice')
    return found


def _type_name(value: Any) -> str:
    return {list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")
