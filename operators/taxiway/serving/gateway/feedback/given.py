"""Parses the body of feedback: labels with the id of their request, or with the key of their rows. It runs in a background process."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from taxiway.errors import RequestError
from taxiway.messages import listed, quoted

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
MEDIA_TYPES = (JSON, CSV, PARQUET)
MAX_LABELS = 100_000
MAX_TEXT = 1000
"""How many characters a label and a value of a key may have."""
MAX_KEY_COLUMNS = 10
_PARQUET_ROWS = 100  # a few kilobytes of a dictionary can become gigabytes, so few rows are read at once
_LARGEST = 1e300
_ID_FIELDS = ("request_id", "row", "label")


@dataclass(frozen=True)
class GivenLabel:
    """A label as a caller has sent it.

    Attributes:
        index: Its place among the labels of the body, from 0.
        label: The label: a text, number or boolean.
        request_id: The id of its request; empty if the key is given.
        row: Its row in the request; None for the only one.
        key: What the inputs of its rows have, ordered by name.
        from_text: Whether it is from a text file, in which numbers are texts.
        problem: Why it cannot be used; empty if it can.
    """

    index: int
    label: Any = None
    request_id: str = ""
    row: int | None = None
    key: tuple[tuple[str, str | int | float | bool], ...] = ()
    from_text: bool = False
    problem: str = ""


def read_labels(body: bytes, media_type: str) -> list[GivenLabel]:
    """Parse a body.

    Raises:
        RequestError: 400 if it has another format, 413 if it has too many labels, 415 for another media type.
    """
    readers = {JSON: _json_labels, CSV: _csv_labels, PARQUET: _parquet_labels}
    if media_type not in readers:
        raise RequestError(415, f"feedback of type {quoted(media_type)} cannot be read; allowed: {listed(readers)}")
    found: list[GivenLabel] = []
    for label in readers[media_type](body):
        if len(found) == MAX_LABELS:
            raise RequestError(413, f"the feedback has more than {MAX_LABELS:,} labels; send them in parts")
        found.append(label)
    if not found:
        raise RequestError(400, "the feedback has no label; send at least one")
    return found


def _json_labels(body: bytes) -> Iterator[GivenLabel]:
    try:
        content = from_json(body)  # also refuses lone surrogates, which could not be stored
    except ValueError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from None
    if not isinstance(content, dict) or set(content) != {"labels"} or not isinstance(content["labels"], list):
        raise RequestError(
            400,
            'the body must be {"labels": [...]}, where each is {"request_id": ID, "label": LABEL}, with "row" for a request of several rows, '
            'or {"key": {COLUMN: VALUE}, "label": LABEL}',
        )
    for index, item in enumerate(content["labels"]):
        yield _json_label(index, item)


def _json_label(index: int, item: Any) -> GivenLabel:
    if not isinstance(item, dict):
        return GivenLabel(index, problem="it is not an object")
    by_id, key = "request_id" in item, item.get("key")
    allowed = _ID_FIELDS if by_id else ("key", "label")
    if "label" not in item or (unknown := sorted(set(item) - set(allowed))):
        wrong = (
            "no label"
            if "label" not in item
            else "a request_id and a key"
            if "key" in unknown
            else f"unknown field {listed(unknown)}"
        )
        return GivenLabel(index, problem=f"{wrong}; allowed: request_id, row and label, or key and label")
    if by_id:
        return _by_id(index, item["request_id"], item.get("row"), item["label"], from_text=False)
    if not isinstance(key, dict) or not key:
        return GivenLabel(index, problem="it has neither a request_id nor a key")
    return _by_key(index, key, item["label"], from_text=False)


def _csv_labels(body: bytes) -> Iterator[GivenLabel]:
    try:
        rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        _require_columns(rows.fieldnames or ())
        for index, row in enumerate(rows):
            if None in row or None in row.values():
                yield GivenLabel(index, problem="it does not have a value for each column")
            else:
                yield _of_row(index, row, from_text=True)
    except (ValueError, csv.Error) as error:
        raise RequestError(400, f"the body is not CSV in UTF-8: {error}") from None


def _parquet_labels(body: bytes) -> Iterator[GivenLabel]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(body))
        _require_columns(file.schema_arrow.names)
        if file.metadata.num_rows > MAX_LABELS:
            raise RequestError(
                413, f"the feedback has {file.metadata.num_rows:,} labels; allowed: {MAX_LABELS:,}. Send them in parts"
            )
        index = 0
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
            for row in batch.to_pylist():
                yield _of_row(index, row, from_text=False)
                index += 1
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RequestError(400, f"the body is not a Parquet file of labels: {error}") from None


def _require_columns(names: Iterable[str]) -> None:
    """Check the columns of a table: `label`, and `request_id` with or without `row`, or the columns of a key."""
    found = list(names)
    if len(set(found)) != len(found):
        raise RequestError(400, f"the table has a duplicate column among {listed(found)}")
    others = sorted(set(found) - set(_ID_FIELDS))
    if "label" not in found or ("request_id" in found) == bool(others):
        raise RequestError(
            400,
            f"the table has the columns {listed(found)}; required: label and request_id, with row for requests of several rows, or label and "
            "the columns of the key",
        )


def _of_row(index: int, row: Mapping[str, Any], *, from_text: bool) -> GivenLabel:
    label = row["label"]
    if "request_id" not in row:
        return _by_key(index, {name: value for name, value in row.items() if name != "label"}, label, from_text=from_text)
    number = row.get("row")
    if from_text and number is not None:
        number = int(number) if number.isascii() and number.isdigit() else number or None
    return _by_id(index, row["request_id"], number, label, from_text=from_text)


def _by_id(index: int, request_id: Any, row: Any, label: Any, *, from_text: bool) -> GivenLabel:
    if not isinstance(request_id, str) or not request_id:
        return GivenLabel(
            index, problem=f"its request_id is {quoted(request_id)}; required: the id from the header X-Taxiway-Request-Id"
        )
    if isinstance(row, float) and row.is_integer():  # as pandas has it if some rows are missing
        row = int(row)
    if row is not None and (not isinstance(row, int) or isinstance(row, bool) or row < 0):
        return GivenLabel(index, request_id=request_id, problem=f"its row is {quoted(row)}; allowed: a whole number from 0")
    return GivenLabel(index, label, request_id, row, from_text=from_text, problem=_label_problem(label))


def _by_key(index: int, key: Mapping[str, Any], label: Any, *, from_text: bool) -> GivenLabel:
    if len(key) > MAX_KEY_COLUMNS:
        return GivenLabel(index, problem=f"its key has {len(key):,} columns; allowed: {MAX_KEY_COLUMNS}")
    values = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in key.items()}
    unusable = [name for name, value in values.items() if not _identifies(value)]
    if unusable:
        return GivenLabel(
            index,
            problem=f"its key has no value, or no text of at most {MAX_TEXT:,} characters, number or boolean, in {listed(unusable)}",
        )
    return GivenLabel(index, label, key=tuple(sorted(values.items())), from_text=from_text, problem=_label_problem(label))


def _identifies(value: Any) -> bool:
    """Whether a value can be one of a key."""
    if isinstance(value, str):
        return 0 < len(value) <= MAX_TEXT
    return isinstance(value, int | float) and abs(value) < _LARGEST  # also false for NaN


def number_of_text(text: str) -> str | int | float | bool:
    """The number or boolean that a text is in JSON; the text itself if it is neither."""
    try:
        value = from_json(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) and abs(value) < _LARGEST else text


def _label_problem(label: Any) -> str:
    if label is None or label == "":
        return "it has no label"
    usable = len(label) <= MAX_TEXT if isinstance(label, str) else isinstance(label, int | float) and abs(label) < _LARGEST
    if not usable:
        return f"its label is neither a number between -1e300 and 1e300, nor a boolean, nor a text of at most {MAX_TEXT:,} characters"
    return ""
