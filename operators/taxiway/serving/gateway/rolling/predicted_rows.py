"""The rows of a Parquet file: one for each row of a logged request."""

import hashlib
import hmac
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import RequestError
from taxiway.features.labels import predicted_classes
from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.protocol import LARGEST_LIMITS, Rows, read_rows
from taxiway.serving.request_log.columns import INPUT, OTHER_INPUTS

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

_UNKNOWN = LoggedVersion()


@dataclass(frozen=True)
class PrivateColumns:
    """Which input columns are not written as they are.

    Attributes:
        omitted: Columns that are not written, by their former and present names.
        hashed: Columns of which the HMAC-SHA-256 of the JSON text is written, as 32 hexadecimal digits; `null` stays. By both names, too.
        key: The key of the hashes.
    """

    omitted: frozenset[str] = frozenset()
    hashed: frozenset[str] = frozenset()
    key: bytes = b""

    def __bool__(self) -> bool:
        return bool(self.omitted or self.hashed)

    def text(self, name: str, cell: Any) -> str | None:
        """What is written of a cell; None if the column is omitted."""
        if name in self.omitted:
            return None
        text = json_text(cell)
        return self.hash_of(text) if name in self.hashed and cell is not None else text

    def hash_of(self, text: str) -> str:
        """The hash of the JSON text of a value."""
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()[:32]


def json_text(cell: Any) -> str:
    """The JSON text of a cell, as the files have it."""
    return json.dumps(cell, ensure_ascii=False)


def predicted_rows(
    requests: Sequence[sqlite3.Row], versions: Mapping[int, LoggedVersion], private: PrivateColumns
) -> "pa.Table":
    """The rows of requests of one model.

    The inputs that the version takes are columns `input.NAME`. All others are in `other_inputs`: a caller chooses their names, and
    thousands of them must not become columns. So are those whose name differs from another only in upper and lower case, which DuckDB
    takes for the same. With private columns, neither bodies nor errors are written, which may quote them.

    Args:
        requests: The requests.
        versions: The versions that have answered them; the inputs of a version that is not among them are all in `other_inputs`.
        private: The columns that are not written as they are.
    """
    import pyarrow as pa

    spelled: dict[str, str] = {}
    for number in sorted(versions, reverse=True):  # DuckDB ignores case, so one spelling is used: the newest
        spelled = _own_columns(versions[number].columns) | spelled
    rows = [
        row
        for request in requests
        for row in _rows_of(request, versions.get(request["champion_version"], _UNKNOWN), spelled, private)
    ]
    schema = pa.schema([*_fields(), *(pa.field(INPUT + name, pa.string()) for name in sorted(spelled.values()))])
    return pa.Table.from_pylist(rows, schema)


def _fields() -> "list[pa.Field]":
    import pyarrow as pa

    kinds = {"version": pa.int64(), "status": pa.int64(), "ms": pa.float64()}
    fields = [pa.field("seq", pa.int64()), pa.field("row", pa.int64()), pa.field("received_at", pa.timestamp("us", tz="UTC"))]
    fields += [pa.field(name, kinds.get(name.rpartition("_")[2], pa.string())) for name in _OF_REQUEST + _OF_CHALLENGER]
    fields += [pa.field(f"{prefix}prediction", pa.string()) for prefix in ("", "challenger_")]
    fields += [pa.field(f"{prefix}prediction_value", pa.float64()) for prefix in ("", "challenger_")]
    fields += [pa.field(f"{prefix}probabilities", pa.list_(pa.float64())) for prefix in ("", "challenger_")]
    fields += [pa.field("classes", pa.list_(pa.string())), pa.field("predicted_class", pa.string())]
    return [*fields, pa.field("body", pa.string()), pa.field(OTHER_INPUTS, pa.map_(pa.string(), pa.string()))]


def _own_columns(columns: ModelColumns) -> dict[str, str]:
    """The inputs of a version with columns of their own in the files, by their name in lower case."""
    return {name.casefold(): name for name in reversed(columns.names)}


def _rows_of(
    request: sqlite3.Row, version: LoggedVersion, spelled: Mapping[str, str], private: PrivateColumns
) -> Iterator[dict[str, Any]]:
    """The rows of a request; `spelled` has the names of the columns in the files, by the name in lower case."""
    sent = _sent(request["payload"])
    champion, challenger = _predictions(request["champion_answer"]), _predictions(request["challenger_answer"])
    shared = {name: request[name] for name in _OF_REQUEST + _OF_CHALLENGER}
    shared |= {"seq": request["seq"], "received_at": round(request["at"] * 1e6)}
    shared["body"] = request["payload"] if request["champion_status"] != 200 else None
    if private:
        shared |= dict.fromkeys(("body", "champion_error", "challenger_error"))
    predicted = _predicted_classes(champion, version)
    present, own = version.columns.present_names(sent.columns), _own_columns(version.columns).values()
    for index, cells in enumerate(sent.data):
        texts = [(name, private.text(name, cell)) for name, cell in zip(present, cells, strict=True)]
        written = [(name, text) for name, text in texts if text is not None]
        inputs = {INPUT + spelled[name.casefold()]: text for name, text in written if name in own}
        others = {OTHER_INPUTS: [each for each in written if each[0] not in own] or None}
        answers = _answer("", champion, index) | _answer("challenger_", challenger, index)
        yield {**shared, "row": index, **answers, **(predicted[index] if predicted else {}), **inputs, **others}


def _sent(body: str) -> Rows:
    try:
        return read_rows(body.encode(), LARGEST_LIMITS)[1]
    except RequestError:  # a version of Taxiway with other rules has accepted it
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


def _predicted_classes(predictions: list[Any], version: LoggedVersion) -> list[dict[str, Any]]:
    """The predicted class of each row, and the classes in the order of the probabilities; none for a regression."""
    import numpy as np

    # A model of a team's own may answer anything.
    if not predictions or not version.classes or not all(_are_probabilities(each, version.classes) for each in predictions):
        return []
    positions = predicted_classes(np.asarray(predictions, dtype=np.float64), version.threshold).tolist()
    return [{"classes": version.classes, "predicted_class": version.classes[position]} for position in positions]


def _are_probabilities(value: object, classes: Sequence[str]) -> bool:
    return isinstance(value, list) and len(value) == len(classes) and all(map(_is_number, value))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
