"""No body, however it is malformed, is answered with a server error, and none is left without an answer."""

import json
import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from real_models import serve, some_rows
from running import CALLER, Running
from streams import arrow_stream

from helping import examples
from taxiway.registry.signature import as_records
from taxiway.serving.gateway.bodies.formats import BodyFormat

Gateway = tuple[Running, str]
ROWS = some_rows(3)
RECORDS = as_records(ROWS)
DATA = [list(record.values()) for record in RECORDS]
FORMS: tuple[dict[str, Any], ...] = (
    {"dataframe_split": {"columns": list(ROWS), "data": DATA}},
    {"dataframe_records": RECORDS},
    {"instances": RECORDS},
    {"inputs": RECORDS},
    {"inputs": {name: [record[name] for record in RECORDS] for name in ROWS}},
)
CSV = ROWS.to_csv(index=False).encode()
ARROW = arrow_stream(
    pa.table(
        {
            **{name: pa.array(ROWS[name].tolist()) for name in ROWS},
            "carrier": pa.array(ROWS["carrier"].tolist()).dictionary_encode(),
            "tags": pa.array([["a"], None, []]),
        }
    )
)
# As JSON; a text of it also replaces a cell of a CSV.
ODD = (
    *(
        "null",
        "true",
        "{}",
        "[]",
        "[[]]",
        "[{}]",
        '[null, "a", 1]',
        '""',
        '"\\u0000"',
        '"\\ud800"',
        '"NaN"',
        '"1_0"',
        '"٣"',
        '" 7 "',
    ),
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e308",
        "1e-400",
        "-0.0",
        "9" * 30,
        "-" + "9" * 400,
        "9" * 5000,
        "0.1" + "0" * 400,
    ),
    *('"' + "9" * 400 + '"', '"' + "x" * 40_000 + '"', "[" * 300 + "]" * 300, "[" + "0," * 20_000 + "0]", '"2013-06-31"'),
    *(
        '"9999-12-31T23:59:59.999999999Z"',
        '"0000-01-01"',
        '"2013-06-01T25:00:00"',
        '"2013-06-01T12:00:00+99:99"',
        '{"a": 1, "a": 2}',
    ),
)
NUMBERS = (0, 1, -1, 127, 255, 2**15, 2**31 - 1, -(2**31), 2**40, 2**63 - 1, -(2**63))


@pytest.fixture(scope="module")
def served(mlflow_url: str, registry: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway, typed, _ = serve(mlflow_url, registry, tmp_path_factory.mktemp("served"))
    yield gateway, typed
    assert send((gateway, typed), BodyFormat.CSV, CSV).json() == gateway.post(typed, FORMS[1]).json()  # as before
    gateway.stop()


def send(served: Gateway, content_type: str, body: bytes) -> httpx.Response:
    gateway, model = served
    headers = {"Authorization": f"Bearer {CALLER}", "Content-Type": content_type}
    return gateway.http.post(f"{gateway.url}/models/{model}/invocations", content=body, headers=headers)


def require_answer(served: Gateway, content_type: str, body: bytes) -> None:
    answer = send(served, content_type, body)
    content = answer.json()
    assert answer.status_code in (200, 400, 413, 415), (content_type, body[:2000], answer.text[:500])
    assert ("predictions" if answer.is_success else "message") in content
    assert len(answer.content) < 100_000


def mutated_json(chance: random.Random) -> bytes:
    """A JSON body of which some values are odd, gone, or there twice."""
    content = json.loads(json.dumps(chance.choice(FORMS)))
    for _ in range(chance.randrange(3)):
        _change(content, chance)
    text = json.dumps(content)
    for mark in {part.partition("%")[0] for part in text.split('"odd%')[1:]}:
        text = text.replace(f'"odd%{mark}%"', ODD[int(mark)])
    if chance.random() < 0.2:
        text = text.replace(
            "{", '{"' + chance.choice(["distance", "columns", "inputs", "x"]) + '": ' + chance.choice(ODD) + ", ", 1
        )
    return text.encode()


def _change(content: Any, chance: random.Random) -> None:
    """Change a value at some depth; an odd one is marked by its place, because JSON of Python has no such values."""
    keys = list(content) if isinstance(content, dict) else range(len(content))
    if not keys:
        return
    key = chance.choice(list(keys))
    if isinstance(content[key], dict | list) and chance.random() < 0.8:
        _change(content[key], chance)
    elif chance.random() < 0.2:
        del content[key]
    elif isinstance(content, list) and chance.random() < 0.2:
        content.append(content[key])
    else:
        content[key] = f"odd%{chance.randrange(len(ODD))}%"


def mutated_csv(chance: random.Random) -> bytes:
    """A CSV of which a cell is odd, or in which something is inserted."""
    lines = [line.split(b",") for line in CSV.splitlines()]
    line = chance.choice(lines)
    line[chance.randrange(len(line))] = chance.choice(
        [odd.strip('"').encode() for odd in ODD] + [b'"', b",", b"\n", b"\r", b"\0", b"=1+1", b'""']
    )
    return b"\n".join(map(b",".join, lines))


def mutated_arrow(chance: random.Random) -> bytes:
    """An Arrow stream in which some integers of its metadata, offsets or values are others."""
    body = bytearray(ARROW)
    for _ in range(chance.randrange(1, 4)):
        form, size = chance.choice([("<h", 2), ("<i", 4), ("<q", 8)])
        limit = 1 << (8 * size - 1)
        number = chance.choice([number for number in NUMBERS if -limit <= number < limit])
        struct.pack_into(form, body, chance.randrange(0, len(body) - 8, 2), number)
    return bytes(body)


def damaged(body: bytes, chance: random.Random) -> bytes:
    """A body that is cut, of which bits are flipped, or a part is there twice or elsewhere."""
    first, last = sorted(chance.randrange(len(body) + 1) for _ in range(2))
    kind = chance.randrange(5)
    if kind == 0:
        return body[:first]
    if kind == 1:
        return body[:first] + body[last:]
    if kind == 2:
        return body[:last] + body[first:]
    changed = bytearray(body)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(body))
        changed[at] ^= 1 << chance.randrange(8)
        if kind == 4:
            changed[at] = chance.choice(b'\x00\x7f\x80\xff"{}[],:\\\n')
    return bytes(changed)


MUTATIONS: tuple[tuple[str, bytes, Callable[[random.Random], bytes]], ...] = (
    *((BodyFormat.JSON, json.dumps(form).encode(), mutated_json) for form in FORMS),
    (BodyFormat.CSV, CSV, mutated_csv),
    (BodyFormat.ARROW, ARROW, mutated_arrow),
    (BodyFormat.ARROW, ARROW, mutated_arrow),
)


def malformed(seed: int) -> tuple[str, bytes]:
    """A content type and a body."""
    chance = random.Random(seed)
    content_type, valid, mutated = chance.choice(MUTATIONS)
    body = mutated(chance) if chance.random() < 0.6 else valid
    if body is valid or chance.random() < 0.2:
        body = damaged(body, chance)
    return chance.choice(list(BodyFormat)) if chance.random() < 0.02 else content_type, body


@examples(1000)
@given(seed=st.integers(0, 2**64 - 1))
def test_a_valid_body_that_is_damaged_is_refused_or_answered(served: Gateway, seed: int) -> None:
    require_answer(served, *malformed(seed))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda values: (
        st.lists(values, max_size=4) | st.dictionaries(st.sampled_from(list(ROWS)) | st.text(max_size=3), values, max_size=4)
    ),
)
KEYS = st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params"])
BODIES = st.dictionaries(KEYS, VALUES, min_size=1, max_size=2).map(lambda content: json.dumps(content).encode())


@examples(200)
@given(content_type=st.sampled_from(list(BodyFormat)), body=BODIES | st.binary(max_size=300) | st.text().map(str.encode))
def test_any_body_is_refused_or_answered(served: Gateway, content_type: str, body: bytes) -> None:
    require_answer(served, content_type, body)


@examples(200)
@given(cells=st.lists(st.lists(SCALARS, min_size=len(list(ROWS)), max_size=len(list(ROWS))), min_size=1, max_size=3))
def test_rows_of_any_values_are_refused_or_answered(served: Gateway, cells: list[list[Any]]) -> None:
    content = {"dataframe_split": {"columns": list(ROWS), "data": cells}}
    require_answer(served, BodyFormat.JSON, json.dumps(content).encode())
