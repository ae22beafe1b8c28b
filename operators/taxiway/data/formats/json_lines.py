"""A file of JSON lines as Parquet: an object a line, a row each. Which bytes are text is `text_file`'s to say."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from taxiway.data.formats.python_rows import Batch, rows_to_parquet
from taxiway.errors import DataError

_BATCH_ROWS = 10_000


def json_lines_to_parquet(text: Path, copy: Path, what: str) -> None:
    """Write a row for each line of `text` (UTF-8) to `copy`; `what` is how errors name it. Empty lines are no rows.

    A key that a line lacks is missing there, as is null. Texts are dates or times where all of a column are. Arrays and objects
    are kept as their JSON.

    Raises DataError, with its line, where one is no object, and where there is none.
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
            f"{where}: this line is not JSON: {getattr(error, 'msg', error)}; allowed: a whole object on each line. Have the source write it again"
        ) from None
    if not isinstance(value, dict):
        hint = ". Of one large array, lines are made by: jq -c '.[]'" if isinstance(value, list) else ""
        raise DataError(f"{where}: this line is a JSON {_word(value)}; allowed: a whole object on each line{hint}")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'the key "{next(name for name in names if names.count(name) > 1)}" is there twice')
    return found


def _word(value: Any) -> str:
    return {list: "array", str: "text", bool: "truth value", type(None): "null"}.get(type(value), "number")
