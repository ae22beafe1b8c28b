"""CSV and Arrow bodies become the rows of a JSON body, within the same limits, and without Arrow in the gateway's own process."""

import json
import math
import sqlite3
import struct
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from running import ADMIN, CALLER, Running, register
from streams import arrow_stream, csv_body

from helping import examples
from taxiway.errors import RequestError
from taxiway.serving.gateway.bodies.formats import BodyFormat, format_of
from taxiway.serving.gateway.bodies.read_body import read_body
from taxiway.serving.protocol import LARGEST_LIMITS, MAX_ROWS, USUAL_LIMITS, BodyLimits, Rows, read_rows

KINDS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint8(): st.integers(0, 255),
    pa.float64(): st.floats(allow_nan=False),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.string(): st.text(),
    pa.large_string(): st.text(max_size=3),
    pa.list_(pa.float64()): st.lists(st.none() | st.floats(allow_nan=False), max_size=3),
    pa.large_list(pa.string()): st.lists(st.none() | st.text(max_size=3), max_size=3),
    pa.list_(pa.int32(), 2): st.lists(st.integers(0, 9), min_size=2, max_size=2),
}
NAMES = st.text(max_size=5).filter(lambda name: not name.startswith("\ufeff"))


def refused(body: bytes, body_format: BodyFormat) -> RequestError:
    with pytest.raises(RequestError) as error:
        read_body(body, body_format, USUAL_LIMITS)
    return error.value


def send(gateway: Running, model: str, content: bytes, content_type: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {CALLER}", "Content-Type": content_type}
    return gateway.http.post(f"{gateway.url}/models/{model}/invocations", content=content, headers=headers)


@examples(100)
@given(data=st.data())
def test_the_log_of_a_csv_holds_the_rows_that_were_predicted(data: st.DataObject) -> None:
    columns = data.draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    row = st.lists(st.none() | st.text(max_size=5), min_size=len(columns), max_size=len(columns))
    rows = data.draw(st.lists(row, min_size=1))
    text, read = read_body(csv_body(columns, rows), BodyFormat.CSV, USUAL_LIMITS)
    assert read == Rows(tuple(columns), [[cell or None for cell in row] for row in rows])
    assert read_rows(text.encode())[1] == read


@examples(100)
@given(data=st.data())
def test_the_log_of_an_arrow_stream_holds_the_rows_that_were_predicted(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=4))
    size = data.draw(st.integers(1, 5))
    cells = [data.draw(st.lists(st.none() | KINDS[kind], min_size=size, max_size=size)) for kind in kinds]
    columns = {f"c{at}": pa.array(column, kind) for at, (column, kind) in enumerate(zip(cells, kinds, strict=True))}
    text, read = read_body(arrow_stream(pa.table(columns)), BodyFormat.ARROW, USUAL_LIMITS)
    assert read.data == [list(row) for row in zip(*cells, strict=True)]
    assert read_rows(text.encode())[1] == read


def test_the_cells_of_an_arrow_stream_are_what_json_would_say() -> None:
    moment = datetime(2013, 6, 1, 12, 0, 0, 5, UTC)
    table = pa.table(
        {
            "price": [Decimal("1.10"), Decimal("2.00"), None],
            "day": [date(2013, 6, 1), None, date(1899, 1, 1)],
            "at": pa.array([moment] * 3, pa.timestamp("us", tz="UTC")),
            "gap": [1.5, math.nan, None],
            "word": pa.array(["a", "b", "a"]).dictionary_encode(),
            "nothing": pa.nulls(3),
            "waits": [[math.nan, None], [], None],
        }
    )
    assert read_body(arrow_stream(table), BodyFormat.ARROW, USUAL_LIMITS)[1].data == [
        [1.1, "2013-06-01", "2013-06-01 12:00:00.000005Z", 1.5, "a", None, [None, None]],
        [2, None, "2013-06-01 12:00:00.000005Z", None, "b", None, []],
        [None, "1899-01-01", "2013-06-01 12:00:00.000005Z", None, "a", None, None],
    ]


def test_a_text_of_a_csv_stays_what_it_is() -> None:
    body = '\ufeffcode,"a ""b""",n\r\n007,"x\ny",\r\n\r\nNA, 1 ,1e400\r\n'.encode()
    read = read_body(body, BodyFormat.CSV, USUAL_LIMITS)[1]
    assert read == Rows(("code", 'a "b"', "n"), [["007", "x\ny", None], ["NA", " 1 ", "1e400"]])


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "no rows"),
        (b"x,y\n", 400, "no rows"),
        (b"x,x\n1,2\n", 400, "duplicate column"),
        (b"x,y\n1,2\n3\n", 400, "line 3 of the CSV has 1 cells, and its header 2"),
        (b"x,y\n1,2,3\n", 400, "line 2"),
        (b'x\n"1\n', 400, "not CSV"),
        (b'x\n"1"2\n', 400, "not CSV"),
        (b"x\n\xff\n", 400, "not UTF-8: invalid start byte at byte 2"),
        (b"y" * 1001 + b"\n1\n", 400, "1,001 characters"),
        (b"x\n" + b"1\n" * (MAX_ROWS + 1), 413, "10,001 rows"),
        (b"," * 10_000 + b"\n", 413, "more than 10,000 columns"),
        (b"x\n" + b"\x01" * 400_000, 413, "2,097,152 bytes as JSON"),
    ],
)
def test_a_csv_beyond_the_limits_is_refused(body: bytes, status: int, says: str) -> None:
    error = refused(body, BodyFormat.CSV)
    assert (error.status, says in error.message) == (status, True), error.message


def stream(column: Any, kind: pa.DataType | None = None, **options: Any) -> bytes:
    """A stream of one column, x."""
    return arrow_stream(pa.table({"x": pa.array(column, kind)}), **options)


BITS = pa.array([True] * 1_000_000)
LISTS = pa.array([[None] * 300] * 20, pa.list_(pa.null()))
RUNS = pa.RunEndEncodedArray.from_arrays(pa.array([9000], pa.int32()), pa.array(["a" * 1000]))
LONG = ["a" * 1000] * 9000
BOMBS = {
    "zstd": (stream([0] * 100, compression="zstd"), 400, "compressed buffers"),
    "lz4": (stream(["a"] * 9, pa.dictionary(pa.int8(), pa.string()), compression="lz4"), 400, "compressed buffers"),
    "nulls": (
        stream(pa.nulls(12_345)).replace(struct.pack("<q", 12_345), struct.pack("<q", 1 << 40)),
        413,
        "1,099,511,627,776 rows",
    ),
    "bits": (stream(BITS), 413, "1,000,000 rows"),
    "long texts": (stream(LONG, pa.dictionary(pa.int32(), pa.string())), 413, "2,097,152 bytes"),
    "long lists": (stream(pa.FixedSizeListArray.from_arrays(BITS, 100_000)), 413, "1,000,000 items"),
    "many lists": (arrow_stream(pa.table({f"c{at}": LISTS for at in range(20)})), 413, "120,000 items"),
    "columns": (arrow_stream(pa.table({f"c{at}": [1] for at in range(10_001)})), 413, "more than 10,000 columns"),
    "runs": (stream(RUNS), 400, "run_end_encoded"),
    "views": (stream(LONG, pa.string_view()), 400, "string_view"),
    "struct": (stream([{"a": 1}]), 400, "struct<a: int64>; allowed: booleans"),
    "bytes": (stream([b"a"]), 400, "binary"),
    "old": (stream([1], metadata_version=pa.ipc.MetadataVersion.V4), 400, "before Arrow 1.0"),
    "nested": (stream([[[1]]]), 400, "has the type list<"),
    "no rows": (stream([], pa.int64()), 400, "no rows"),
    "twice": (arrow_stream(pa.table([pa.array([1]), pa.array([2])], ["x", "x"])), 400, "duplicate column"),
    "cut": (stream([1.0] * 100)[:-300], 400, "not an Arrow stream"),
    "json": (b'{"inputs": {"x": [1]}}', 400, "not an Arrow stream"),
    "empty": (b"", 400, "not an Arrow stream"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_an_arrow_stream_is_refused_before_it_is_expanded(name: str) -> None:
    body, status, says = BOMBS[name]
    before = pa.total_allocated_bytes()
    error = refused(body, BodyFormat.ARROW)
    assert (error.status, says in error.message) == (status, True), error.message
    assert pa.total_allocated_bytes() - before < USUAL_LIMITS.max_bytes


def test_a_delta_of_a_dictionary_is_refused() -> None:
    sink, schema = pa.BufferOutputStream(), pa.schema([("x", pa.dictionary(pa.int32(), pa.string()))])
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)) as writer:
        for words in (["a"], ["a", "b"]):
            column = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array(words))
            writer.write_batch(pa.record_batch([column], schema=schema))
    assert "delta dictionaries" in refused(sink.getvalue().to_pybytes(), BodyFormat.ARROW).message


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, BodyFormat.JSON),
        ({"content-type": "Application/JSON; Charset=UTF-8"}, BodyFormat.JSON),
        ({"content-type": 'text/csv;charset="utf-8"'}, BodyFormat.CSV),
        ({"content-type": "application/vnd.apache.arrow.stream", "content-encoding": "identity"}, BodyFormat.ARROW),
    ],
)
def test_the_header_names_the_format(headers: dict[str, str], expected: BodyFormat) -> None:
    assert format_of(headers) is expected


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"content-type": "text/plain"}, "allowed: application/json, text/csv, application/vnd.apache.arrow.stream"),
        ({"content-type": ""}, '""'),
        ({"content-type": "text/csv; charset=latin-1"}, "allowed: charset=utf-8"),
        ({"content-type": "text/csv; header=absent"}, '"header=absent"'),
        ({"content-type": "text/csv", "content-encoding": "gzip"}, "Content-Encoding"),
    ],
)
def test_an_unknown_format_is_refused_with_those_that_are_allowed(headers: dict[str, str], says: str) -> None:
    with pytest.raises(RequestError) as error:
        format_of(headers)
    assert (error.value.status, says in error.value.message) == (415, True), error.value.message


def test_every_format_gets_the_same_answer_and_is_logged_as_json(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "Healthy")
    gateway.admin.refresh(model)
    for size in (1, 5000):  # the larger ones are read in the other process
        xs = [at / 1000 for at in range(size)]
        expected = gateway.ask(model, *xs).json()
        bodies = {
            BodyFormat.CSV: csv_body(["x"], [[repr(x)] for x in xs]),
            BodyFormat.ARROW: arrow_stream(pa.table({"x": xs})),
        }
        for body_format, body in bodies.items():
            answer = send(gateway, model, body, body_format)
            assert answer.json() == expected, body_format
            cells = [[repr(x) if body_format is BodyFormat.CSV else x] for x in xs]
            assert read_rows(logged(gateway, answer))[1] == Rows(("x",), cells)


def logged(gateway: Running, answer: httpx.Response) -> bytes:
    """What the log has of a request."""
    with closing(sqlite3.connect(gateway.state / "requests.sqlite")) as log:
        request_id = answer.headers["X-Taxiway-Request-Id"]
        payload = log.execute("SELECT payload FROM requests WHERE request_id = ?", [request_id]).fetchone()[0]
    return str(payload).encode()


def test_an_unknown_content_type_is_counted_as_a_refused_request(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "Healthy")
    gateway.admin.refresh(model)
    answer = send(gateway, model, b"x\n0.5\n", "text/plain")
    assert (answer.status_code, answer.json()["error_code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    metrics = gateway.http.get(f"{gateway.url}/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
    assert f'taxiway_requests_total{{caller="caller",model="{model}",status="415"}} 1.0' in metrics


def test_the_process_of_the_gateway_imports_neither_arrow_nor_pandas() -> None:
    code = (
        "import sys; from taxiway.serving.gateway import server; from taxiway.serving.gateway.bodies.read_body import read_body; "
        "from taxiway.serving.gateway.bodies.formats import BodyFormat; from taxiway.serving.protocol import USUAL_LIMITS; "
        "read_body(b'x\\n1', BodyFormat.CSV, USUAL_LIMITS); "
        "print(sorted({'pyarrow', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (BodyLimits(max_rows=2), "3 rows of 1 column; allowed: 2 rows and 100,000 cells"),
        (BodyLimits(max_cells=2), "allowed: 10,000 rows and 2 cells"),
    ],
)
@pytest.mark.parametrize("body_format", BodyFormat)
def test_a_gateway_can_have_other_limits(body_format: BodyFormat, limits: BodyLimits, says: str) -> None:
    body = {
        BodyFormat.JSON: b'{"dataframe_split": {"columns": ["x"], "data": [[1], [2], [3]]}}',
        BodyFormat.CSV: b"x\n1\n2\n3\n",
        BodyFormat.ARROW: arrow_stream(pa.table({"x": [1.0, 2.0, 3.0]})),
    }[body_format]
    assert read_body(body, body_format, USUAL_LIMITS)[1].row_count == 3
    with pytest.raises(RequestError, match=says) as refused:
        read_body(body, body_format, limits)
    assert refused.value.status == 413


def test_what_a_gateway_with_larger_limits_has_logged_is_read() -> None:
    body = json.dumps({"inputs": {"x": [1] * (MAX_ROWS + 1)}}).encode()
    with pytest.raises(RequestError):
        read_rows(body)
    assert read_rows(body, LARGEST_LIMITS)[1].row_count == MAX_ROWS + 1
