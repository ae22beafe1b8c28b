"""The rows of a Parquet file: one for each row of a logged request."""

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import RequestError
from taxiway.serving.protocol import Rows, read_rows
from taxiway.serving.request_files import INPUT

if TYPE_CHECKING:
    import pyarrow as pa

_OF_REQUEST = (
    "request_id",
    "call_id",
    "caller",
    "champion_version",
    "champion_status",
    "champion_error",
    "champion_ms",
    "total_ms",
)
_OF_CHALLENGER = ("challenger_version", "challenger_owner", "mirror", "challenger_status", "challenger_error", "challenger_ms")


@dataclass(frozen=True)
class PrivateColumns:
    """Which input columns are not written as they are.

    Attributes:
        omitted: Columns that are not written.
        hashed: Columns of which the HMAC-SHA-256 of the JSON text is written, as 32 hexadecimal digits; `null` stays.
        key: The key of the hashes.
    """

    omitted: frozenset[str] = frozenset()
    hashed: frozenset[str] = frozenset()
    key: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.omitted or self.hashed)

    def text(self, name: str, cell: Any) -> str:
        """What is written of a cell."""
        text = json_text(cell)
        if name not in self.hashed or cell is None:
            return text
        return self.hash_of(text)

    def hash_of(self, text: str) -> str:
        """The hash of the JSON text of a value."""
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()[:32]


def json_text(cell: Any) -> str:
    """The JSON text of a cell, as the files have it."""
    return json.dumps(cell, ensure_ascii=False)


def predicted_rows(requests: Sequence[sqlite3.Row], private: PrivateColumns) -> "pa.Table":
    """The rows of requests of one model, with the inputs as columns `input.NAME`.

    With private columns, neither bodies nor errors are written, which may quote them.
    """
    import pyarrow as pa

    rows = [row for request in requests for row in _rows_of(request, private)]
    inputs = sorted({name for row in rows for name in row if name.startswith(INPUT)})
    schema = pa.schema([*_fields(), *(pa.field(name, pa.string()) for name in inputs)])
    return pa.Table.from_pylist(rows, schema)


def _fields() -> "list[pa.Field]":
    import pyarrow as pa

    kinds = {"version": pa.int64(), "status": pa.int64(), "ms": pa.float64()}
    fields = [pa.field("seq", pa.int64()), pa.field("row", pa.int64()), pa.field("received_at", pa.timestamp("us", tz="UTC"))]
    fields += [pa.field(name, kinds.get(name.rpartition("_")[2], pa.string())) for name in _OF_REQUEST + _OF_CHALLENGER]
    fields += [pa.field(f"{prefix}prediction", pa.string()) for prefix in ("", "challenger_")]
    fields += [pa.field(f"{prefix}prediction_value", pa.float64()) for prefix in ("", "challenger_")]
    fields += [pa.field(f"{prefix}probabilities", pa.list_(pa.float64())) for prefix in ("", "challenger_")]
    return [*fields, pa.field("body", pa.string())]


def _rows_of(request: sqlite3.Row, private: PrivateColumns) -> Iterator[dict[str, Any]]:
    sent = _sent(request["payload"])
    champion, challenger = _predictions(request["champion_answer"]), _predictions(request["challenger_answer"])
    shared = {name: request[name] for name in _OF_REQUEST + _OF_CHALLENGER}
    shared |= {"seq": request["seq"], "received_at": round(request["at"] * 1e6)}
    shared["body"] = request["payload"] if request["champion_status"] != 200 else None
    if private:
        shared |= dict.fromkeys(("body", "champion_error", "challenger_error"))
    for index, cells in enumerate(sent.data):
        named = zip(sent.columns, cells, strict=True)
        inputs = {INPUT + name: private.text(name, cell) for name, cell in named if name not in private.omitted}
        yield {**shared, "row": index, **_answer("", champion, index), **_answer("challenger_", challenger, index), **inputs}


def _sent(body: str) -> Rows:
    try:
        return read_rows(body.encode())[1]
    except RequestError:  # a version of Taxiway with other limits has accepted it
        return Rows((), [[]])


def _predictions(answer: str | None) -> list[Any]:
    return json.loads(answer) if answer else []


def _answer(prefix: str, predictions: list[Any], index: int) -> dict[str, Any]:
    if index >= len(predictions):
        return {}
    value = predictions[index]
    found: dict[str, Any] = {f"{prefix}prediction": json.dumps(value, ensure_ascii=False)}
    if _is_number(value):
        found[f"{prefix}prediction_value"] = float(value)
    elif isinstance(value, list) and all(map(_is_number, value)):
        found[f"{prefix}probabilities"] = [float(item) for item in value]
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
