"""Convert JSON lines to Parquet: each line is an object and becomes a row."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

from taxiway.data.formats.json_chunks import line_chunks, read_plain
from taxiway.data.formats.python_rows import Batch, SeenRows, ValueColumn, see_rows
from taxiway.data.formats.text import NotTextError
from taxiway.errors import DataError
from taxiway.messages import counted, quoted

_BATCH_ROWS = 10_000
_LOOKED_AT_BYTES = 64 << 10
_NO_OBJECT = "this line is a JSON {}; allowed: one object per line"
_ARRAY_CURE = ". Convert an array to lines with: jq -c '.[]'"


def see_json_lines(
    text: Path, folder: Path, data_name: str, types: Mapping[str, str], others: Literal["string"] | None = None
) -> SeenRows:
    """See all values of a file of JSON lines.

    Empty lines are skipped. A missing key is a missing value, as is null. A column of text becomes dates or times if all its values
    are. Arrays and objects are kept as JSON text.

    Args:
        text: The file, in UTF-8.
        folder: Where the rows wait.
        data_name: The name of the file in errors.
        types: The known types of columns, as in a schema: the text of a `string` stays text, even if all values are dates.
        others: The type of the columns that are not among `types`; None if their values decide.

    Raises:
        DataError: A line is not a JSON object, or there are no rows.
        NotTextError: The bytes have a NUL.
        UnicodeDecodeError: They are not UTF-8.
    """
    columns: dict[str, ValueColumn] = {}
    only: list[dict[str, Any]] = []

    def may_have_dates(name: str) -> bool:
        return types.get(name, others) != "string"

    def exactly() -> SeenRows:
        return see_rows(_batches(text, data_name, {}, []), folder, data_name, may_have_dates=may_have_dates)

    batches = _batches(text, data_name, columns, only)
    seen = see_rows(batches, folder, data_name, may_have_dates=may_have_dates, columns=columns)

    return replace(seen, notes=tuple(f"{data_name}: {doubt}" for doubt in _doubts(only)), exactly=exactly)


def _batches(text: Path, data_name: str, columns: Mapping[str, ValueColumn], only: list[dict[str, Any]]) -> Iterator[Batch]:
    """The rows in batches; if there is only one, it is also put into `only`.

    Args:
        text: The file, in UTF-8.
        data_name: The name of the file in errors.
        columns: The columns of the batches so far; Arrow reads rows that have the same ones.
        only: Where to put the only row.
    """
    number, rows = 1, 0
    with text.open("rb") as stream:
        _check_start(stream, data_name)
        for content in line_chunks(stream):
            if b"\0" in content:
                raise NotTextError
            if not content.isascii():
                content.decode()
            plain = read_plain(content, columns)
            for batch in _by_python(content, number, data_name) if plain is None else [plain]:
                rows += batch.rows
                only[:] = [{name: values[0] for name, values in batch.columns.items()}] if rows == 1 else []
                yield batch
            number += content.count(b"\n")


def _check_start(stream: IO[bytes], data_name: str) -> None:
    """Raise DataError for a long line with an array, without reading it to its end."""
    start = stream.read(_LOOKED_AT_BYTES)
    stream.seek(0)
    if len(start) == _LOOKED_AT_BYTES and b"\n" not in start and start.lstrip().startswith(b"["):
        raise DataError(f"{data_name}:1: {_NO_OBJECT.format('array')}{_ARRAY_CURE}")


def _by_python(content: bytes, number: int, data_name: str) -> Iterator[Batch]:
    """The rows of lines, of which the first has this number."""
    lines = content.decode().split("\n")
    objects = (_object(line, at, data_name) for at, line in enumerate(lines, number) if line and not line.isspace())
    while rows := list(islice(objects, _BATCH_ROWS)):
        names = dict.fromkeys(name for row in rows for name in row)
        yield Batch(len(rows), {name: [row.get(name) for row in rows] for name in names})


def _doubts(rows: list[dict[str, Any]]) -> Iterator[str]:
    """A note if the only line holds a whole table."""
    for row in rows:
        sizes = {len(value) if isinstance(value, dict | list) else 0 for value in row.values()}
        inside = next((n for n, v in row.items() if isinstance(v, list) and v and all(isinstance(x, dict) for x in v)), None)
        if len(sizes) == 1 and (size := sizes.pop()) > 0 and len(row) > 1:
            yield (
                f"one object, whose {counted(len(row), 'key')} have {counted(size, 'value')} each, is read as one row; if the keys are "
                "columns, write a line for each row: pandas does with to_json(orient='records', lines=True)"
            )
        elif inside is not None:
            yield (
                f"one object is read as one row, and {quoted(inside)} in it is an array of {counted(len(row[inside]), 'object')}; if these "
                f"are the rows, write a line for each: jq -c '.[{quoted(inside)}][]'"
            )


def _object(line: str, number: int, data_name: str) -> dict[str, Any]:
    where = f"{data_name}:{number}"
    try:
        value = json.loads(line, object_pairs_hook=_once)
        if "\\u" in line:
            _check_surrogates(json.dumps(value, ensure_ascii=False), where)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{where}: this line is not JSON: {getattr(error, 'msg', error)}; allowed: one object per line. {_cure(line, number)}"
        ) from None
    except _DuplicateKeyError as error:
        raise DataError(
            f"{where}: the key {quoted(str(error))} occurs twice in one object; write each key once at the source"
        ) from None
    if not isinstance(value, dict):
        cure = _ARRAY_CURE if isinstance(value, list) else ""
        raise DataError(f"{where}: {_NO_OBJECT.format(_type_name(value))}{cure}")
    return value


class _DuplicateKeyError(Exception):
    """An object has a key twice; the message is the key."""


def _check_surrogates(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{where}: a text has half of a surrogate pair, such as \\ud83d; write the whole character at the source"
        ) from None


def _cure(line: str, number: int) -> str:
    """What to do about a line that is not JSON."""
    text = line.strip()
    if number == 1 and text.startswith("["):
        return "If the file is one array over several lines, convert it with: jq -c '.[]'"
    if text.endswith("},") and text.startswith("{"):
        return "If each line ends with a comma, remove it at the source"
    if number == 1 and text.startswith("{"):
        return "If each object is over several lines, convert the file with: jq -c ."
    return "Write it again at the source"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKeyError(next(name for name in names if names.count(name) > 1))
    return found


def _type_name(value: Any) -> str:
    return {list: "array", str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")
