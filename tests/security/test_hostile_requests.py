"""Requests of careless or hostile callers: each is refused with an answer, and the gateway stays responsive for the others."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import psutil
import pytest
from mlflow import MlflowClient
from running import ADMIN, CALLER, Running, register

from helping import until
from taxiway.serving.protocol import MAX_CELLS, MAX_ROWS

BYTES = ["\x00", "a\x00b", "\x1b[31m", "a\nb", "%", "..", "\u202e", "x" * 5000]
ODD_PATHS = [
    *(quote(text, safe="") for text in BYTES),
    "%ff%fe",
    "%ED%A0%80",
    "%C0%80",
    "%F5%80%80%80",
    "%",
    "%zz",
    "a%2Fb",
    "a%3Ab",
]
HALF = '"\\ud800"'  # half of a surrogate pair, as JSON


@pytest.fixture(scope="module")
def model(gateway: Running, registry: MlflowClient) -> str:
    name = register(registry, "Healthy", "Healthy")
    assert gateway.admin.refresh(name).champion == 1
    return name


def refused(response: httpx.Response) -> str:
    """The message of a refusal, which has to be a client's error in JSON that is not long."""
    assert 400 <= response.status_code < 500, (response.status_code, response.text[:300])
    assert len(response.content) < 10_000
    return str(response.json()["message"])


def send(gateway: Running, method: str, path: str, content: bytes | None = None, token: str = ADMIN) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return gateway.http.request(method, gateway.url + path, content=content, headers=headers)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"dataframe_records":[{"\\ud800":[1]}]}', "not JSON"),
        (b'{"dataframe_records":[{"x":"\\udfff"}]}', "not JSON"),
        (b'{"\\ud83d":[{"x":1}]}', "not JSON"),
        (b'{"dataframe_records":[{"x":"\xed\xa0\x80"}]}', "not JSON"),
        (b'{"dataframe_records":[{"x":"\xff"}]}', "not JSON"),
        (b"\xff\xfe{\x00}\x00", "not JSON"),
        (b'{"inputs":' * 5000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"[" + b"1" * 1_000_000 + b"]", "not JSON"),
        (json.dumps({"dataframe_records": [{"y" * 5000: 1}]}).encode(), "5,000 characters"),
        (json.dumps({"z" * 500_000: 1}).encode(), "..."),
        (json.dumps({f"k{i}": 1 for i in range(100_000)}).encode(), "and 99,997 more"),
        (json.dumps({"dataframe_split": {"columns": ["x" * 900] * 900, "data": [[1] * 900]}}).encode(), "duplicate column"),
        (json.dumps({"dataframe_records": [{"x": {"y" * 500_000: 1}}]}).encode(), "has an object"),
        (b'{"dataframe_records":[{"x":"%s"}]}' % (b"1" * 500_000 + b"a"), "column x is"),
    ],
)
def test_what_cannot_be_read_is_refused_and_not_repeated_at_length(
    gateway: Running, model: str, body: bytes, says: str
) -> None:
    assert says in refused(send(gateway, "POST", f"/models/{model}/invocations", body, CALLER))


def different_keys(rows: int) -> bytes:
    return json.dumps({"dataframe_records": [{f"a{i}": 1} for i in range(rows)]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        different_keys(400),
        different_keys(8_000),
        json.dumps({"instances": [{"x": 1}] + [{}] * MAX_ROWS}).encode(),
        json.dumps({"inputs": {"x": [1] * (MAX_ROWS + 1)}}).encode(),
        json.dumps({"inputs": {f"a{i}": [] for i in range(20_000)}}).encode(),
        json.dumps({"inputs": {"long": [1] * 50_000, **{f"a{i}": [1] for i in range(100)}}}).encode(),
        json.dumps({"dataframe_split": {"columns": ["x"], "data": [[1]] * (MAX_ROWS + 1)}}).encode(),
        json.dumps({"dataframe_split": {"columns": [f"a{i}" for i in range(1000)], "data": [[]] * 1000}}).encode(),
        json.dumps({"dataframe_records": [{"x": 1, **{f"extra{i}": 0 for i in range(10_000)}}]}).encode(),
    ],
)
def test_what_would_expand_to_too_many_cells_is_refused(gateway: Running, model: str, body: bytes) -> None:
    response = send(gateway, "POST", f"/models/{model}/invocations", body, CALLER)
    assert response.status_code == 413
    assert "send" in refused(response).lower()


def test_as_many_cells_as_allowed_are_answered(gateway: Running, model: str) -> None:
    columns = ["x", *(f"extra{i}" for i in range(MAX_CELLS // MAX_ROWS - 1))]
    data = [[0.5] * len(columns)] * MAX_ROWS
    answer = gateway.post(model, {"dataframe_split": {"columns": columns, "data": data}})
    assert len(answer.json()["predictions"]) == MAX_ROWS


@pytest.mark.parametrize("path", ODD_PATHS)
def test_odd_names_are_refused_on_every_route(gateway: Running, path: str) -> None:
    routes = [
        *(("GET", f"/models/{path}{rest}") for rest in ("", "/challenger", "/pairs?version=1&owner=o")),
        *(("POST", f"/models/{path}/{verb}") for verb in ("refresh", "invocations")),
        ("PUT", f"/models/{path}/challenger"),
        ("DELETE", f"/models/{path}/challenger?owner=o"),
        ("GET", f"/{path}"),
    ]
    body = json.dumps({"version": 1, "owner": "o", "expires_in_s": 60, "dataframe_records": [{"x": 1}]}).encode()
    for method, route in routes:
        sent = raw(gateway, method, route, body)
        assert b" 40" in sent.partition(b"\r\n")[0], (method, route[:80], sent[:200])
        assert len(sent) < 10_000


def raw(gateway: Running, method: str, target: str, body: bytes = b"", headers: bytes = b"") -> bytes:
    """Send a request exactly as it is written here; returns the answer."""
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\nConnection: close\r\n"
    with socket.create_connection(("127.0.0.1", httpx.URL(gateway.url).port)) as sent:
        sent.sendall(head.encode() + headers + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return b"".join(iter(lambda: sent.recv(65536), b""))


@pytest.mark.parametrize("value", ["%00", "%ff", "%ED%A0%80", "x" * 3000])
def test_odd_queries_are_refused_or_find_nothing(gateway: Running, model: str, value: str) -> None:
    for method, route in (
        ("GET", f"/models/{model}/pairs?version=2&owner={value}"),
        ("GET", f"/models/{model}/pairs?version={value}&owner=o"),
        ("GET", f"/models/{model}/pairs?version={'9' * 30}&owner=o"),
        ("GET", f"/models/{model}/pairs?version=2&owner=o&limit={value}"),
        ("GET", f"/models/{model}/pairs?version=2&owner=o&{value}={value}"),
        ("DELETE", f"/models/{model}/challenger?owner={value}"),
    ):
        answer = raw(gateway, method, route)
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 40")), (route[:80], answer[:300])
        assert len(answer) < 10_000


@pytest.mark.parametrize("name", [b"Authorization", b"X-Anything", b"Content-Type"])
@pytest.mark.parametrize("value", [b"\xff\xfe", b"\xed\xa0\x80", b"x" * 20_000])
def test_odd_headers_do_no_harm(gateway: Running, model: str, name: bytes, value: bytes) -> None:
    body = b'{"version": 1}'
    answer = raw(gateway, "PUT", f"/models/{model}/challenger", body, name + b": " + value + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 40"), answer[:300]


@pytest.mark.parametrize(
    "body",
    [
        f'{{"version": 2, "owner": {HALF}, "expires_in_s": 60}}',
        f'{{"version": 2, "owner": "o", "expires_in_s": 60, {HALF}: 1}}',
        f'{{"version": {"9" * 30}, "owner": "o", "expires_in_s": 60}}',
        f'{{"version": {"9" * 5000}, "owner": "o", "expires_in_s": 60}}',
        '{"version": 2, "owner": "o", "expires_in_s": NaN}',
        '{"version": 2, "owner": "o", "expires_in_s": 1e999}',
        '{"version": 2, "owner": "o", "expires_in_s": 60, "remote": {"address": "http://a", "token": "0123456789abcde\\u00e9"}}',
        '{"version": 2, "owner": "o", "expires_in_s": 60, "remote": {"address": "http://a", "token": "0123456789abcdef\\n"}}',
        "[" * 100_000,
        "[]",
        "",
    ],
)
def test_odd_challengers_are_refused(gateway: Running, model: str, body: str) -> None:
    refused(send(gateway, "PUT", f"/models/{model}/challenger", body.encode()))
    assert gateway.admin.challenger(model) is None


@pytest.mark.parametrize(
    "host",
    [
        "[",
        "]",
        "[]",
        "[::1",
        "[x]",
        "a:b",
        "a:99999",
        "a:0",
        ":80",
        "",
        "?a",
        "#a",
        "u:p@a",
        "a?b",
        "a#b",
        "a/",
        "a\0",
        "%",
        "é",
    ],
)
def test_odd_addresses_of_challengers_are_refused(gateway: Running, model: str, host: str) -> None:
    remote = {"address": f"http://{host}", "token": "0123456789abcdef"}
    body = json.dumps({"version": 2, "owner": "o", "expires_in_s": 60, "remote": remote})
    message = refused(send(gateway, "PUT", f"/models/{model}/challenger", body.encode()))
    assert "address" in message


def pinged_during(gateway: Running, model: str, body: bytes) -> Iterator[bool]:
    """Whether a ping is answered before the answer to `body`, which is sent first."""
    url = httpx.URL(gateway.url)
    head = f"POST /models/{model}/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {CALLER}\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", url.port)) as attack:
        attack.sendall(head.encode() + body)
        assert gateway.http.get(f"{gateway.url}/ping").status_code == 200
        attack.setblocking(False)
        try:
            yield not attack.recv(1)
        except BlockingIOError:
            yield True
        attack.setblocking(True)
        attack.recv(65536)


def test_a_large_body_is_parsed_while_others_are_answered(gateway: Running, model: str) -> None:
    lists = b'{"inputs":[' + b"[]," * 690_000 + b"[]]}"  # takes a third of a second and longer to parse
    assert refused(send(gateway, "POST", f"/models/{model}/invocations", lists, CALLER))
    until(lambda: next(pinged_during(gateway, model, lists)), "a ping is answered before the large request")


def test_none_of_it_has_taken_much_memory(gateway: Running, model: str) -> None:
    for body in (
        different_keys(8_000),
        different_keys(80_000),
        b"[" * (2 << 20),
        b"1" * (2 << 20),
        b'{"inputs":[' + b"[]," * 690_000,
    ):
        refused(send(gateway, "POST", f"/models/{model}/invocations", body, CALLER))
    gateway_process = psutil.Process(gateway.process.pid)
    peaks = {process.pid: peak_mb(process) for process in (gateway_process, *gateway_process.children(recursive=True))}
    assert peaks[gateway.process.pid] > 50, "the peak was not measured"
    assert {pid: peak for pid, peak in peaks.items() if peak > 700} == {}


def peak_mb(process: psutil.Process) -> int:
    """The largest amount of memory that a process has had, in MB."""
    (line,) = [line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) >> 10


def test_nothing_of_it_is_an_error_of_the_gateway(gateway: Running, model: str) -> None:
    assert gateway.ask(model, 0.5).status_code == 200
    output = (gateway.state / "output").read_text()
    assert "Traceback" not in output
    assert "Task was destroyed" not in output
