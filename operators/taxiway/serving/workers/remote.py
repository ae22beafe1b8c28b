"""A remote worker: a version that `taxiway serve-version` serves in another process, such as in a container.

It is not trusted: it may be slow, dead or wrong, so its answers are validated, and their size is limited.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import httpx
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from taxiway.errors import ModelRefusedError, ModelUnavailableError, WorkerLostError
from taxiway.features.signature import ModelColumns
from taxiway.serving.api import Remote
from taxiway.serving.protocol import PickledRows, Rows
from taxiway.serving.workers.base import Outcome

_POLL_S = 0.2
_PING_S = 2.0
_LOST_AFTER_S = 10.0
_MAX_PING_BYTES = 4096
_MAX_ANSWER_BYTES = 16 << 20
_MAX_BYTES_PER_ROW = 4096
_MAX_BYTES_BESIDE_ROWS = 16 << 10  # the rest of an outcome: its keys, and its error with escapes
_LARGEST = 1e300
_OUTCOMES = TypeAdapter(list[Outcome])
_STATUSES = (200, 400, 500)
_CLOSING: set[asyncio.Task[None]] = set()  # the event loop keeps only weak references to tasks


class RemoteWorker:
    """A version that another process serves. The gateway cannot restart it: after 10 s without an answer it is lost.

    Args:
        remote: Its address and token.
        model: The registered model.
        version: Its version.
        load_timeout_s: How long to wait for its first answer, in seconds.
        predict_timeout_s: How long a batch may take, in seconds.
    """

    def __init__(self, remote: Remote, model: str, version: int, *, load_timeout_s: float, predict_timeout_s: float) -> None:
        self._remote = remote
        self._name = f"{model} version {version} at {remote.address}"
        self._expected = {"model": model, "version": version}
        self._load_timeout_s = load_timeout_s
        self._predict_timeout_s = predict_timeout_s
        headers = {"Authorization": f"Bearer {remote.token}", "Content-Type": "application/json", "Accept-Encoding": "identity"}
        timeout = httpx.Timeout(predict_timeout_s)
        self._http = httpx.AsyncClient(base_url=remote.address, headers=headers, timeout=timeout, trust_env=False)
        self._closing: asyncio.Task[None] | None = None
        self._seen_at: float | None = None
        self._stopped = False
        self.restarts = 0
        self.plan = ""  # the server reports neither
        self.columns: ModelColumns | None = None

    async def ensure_loaded(self) -> None:
        """Wait until it answers; in later calls, check that it still answers.

        Raises:
            ModelRefusedError: Another version answers there.
            ModelUnavailableError: It did not answer in time.
            WorkerLostError: It has answered before, but not in the last 10 s.
        """
        if self._stopped:
            raise ModelUnavailableError(f"{self._name} is no longer served")
        deadline = time.monotonic() + self._load_timeout_s
        while not await self._answers():
            if self._seen_at is None and time.monotonic() > deadline:
                raise ModelUnavailableError(f"{self._name} did not answer within {self._load_timeout_s:g} s")
            if self._seen_at is not None:
                if time.monotonic() - self._seen_at > _LOST_AFTER_S:
                    raise WorkerLostError(f"{self._name} no longer answers")
                return
            await asyncio.sleep(_POLL_S)
        self._seen_at = time.monotonic()

    async def predict(self, batch: Sequence[Rows | PickledRows]) -> list[Outcome]:
        """Predict for a batch of requests; an invalid answer is an outcome with status 500.

        Raises:
            ModelUnavailableError: It cannot be reached.
            TimeoutError: It took too long.
        """
        body, started = await asyncio.to_thread(_body, batch), time.perf_counter()
        most = min(_MAX_ANSWER_BYTES, sum(map(_most_bytes, batch)))
        try:
            content = await asyncio.wait_for(self._read("POST", "/batch", most, content=body), self._predict_timeout_s)
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.TransportError as error:
            raise ModelUnavailableError(f"{self._name} cannot be reached: {type(error).__name__}") from None
        if content is None:
            return [_too_large() for _ in batch]
        took_ms = (time.perf_counter() - started) * 1000
        return await asyncio.to_thread(_checked_batch, content, batch, took_ms)

    def stop(self) -> None:
        """Send no more requests; the process that started the worker ends it."""
        if not self._stopped:
            self._stopped = True
            self._closing = asyncio.get_running_loop().create_task(self._http.aclose())
            _CLOSING.add(self._closing)
            self._closing.add_done_callback(_CLOSING.discard)

    async def wait_stopped(self) -> None:
        """Wait until the connections are closed."""
        if self._closing is not None:
            await self._closing

    async def _answers(self) -> bool:
        """Whether it answers a ping. Raises ModelRefusedError if something else answers at its address."""
        try:
            answer = await asyncio.wait_for(self._read("GET", "/ping", _MAX_PING_BYTES), _PING_S)
            found = json.loads(answer or b"")
        except (httpx.HTTPError, TimeoutError, ValueError):
            return False
        if found != self._expected:
            raise ModelRefusedError(f"something other than {self._name} answers at this address: {str(found)[:200]}")
        return True

    async def _read(self, method: str, path: str, most: int, **content: Any) -> bytes | None:
        """The body of a successful answer; None if it has more than `most` bytes. Raises httpx.HTTPError without an answer."""
        if self._stopped:
            raise ModelUnavailableError(f"{self._name} is no longer served")
        async with self._http.stream(method, path, **content) as answer:
            if answer.status_code in (401, 403) or answer.status_code >= 500:
                raise httpx.RemoteProtocolError(f"it answered {answer.status_code}")
            body = bytearray()
            async for part in answer.aiter_raw():  # not decompressed: a small body could expand to a large one
                body += part
                if len(body) > most:
                    return None
            return bytes(body) if answer.status_code == 200 else b""


def _body(batch: Sequence[Rows | PickledRows]) -> bytes:
    return json.dumps([{"columns": rows.columns, "data": rows.data} for rows in batch]).encode()


def _most_bytes(rows: Rows | PickledRows) -> int:
    """The limit of an answer's size; a larger one would only take time to parse."""
    return _MAX_BYTES_PER_ROW * rows.row_count + _MAX_BYTES_BESIDE_ROWS


def _checked_batch(content: bytes, batch: Sequence[Rows | PickledRows], took_ms: float) -> list[Outcome]:
    """The outcomes of a batch; those that are not valid answers are errors."""
    try:
        outcomes = _OUTCOMES.validate_json(content, strict=True)
    except ValidationError:
        return [_invalid("it has the wrong format") for _ in batch]
    if len(outcomes) != len(batch):
        return [_invalid(f"it has {len(outcomes)} outcomes for {len(batch)} requests") for _ in batch]
    return [_checked_outcome(outcome, rows, took_ms) for outcome, rows in zip(outcomes, batch, strict=True)]


def _checked_outcome(outcome: Outcome, rows: Rows | PickledRows, took_ms: float) -> Outcome:
    """The outcome if it is a valid answer to these rows; `took_ms` is how long the whole request took."""
    if outcome.status not in _STATUSES or not 0 <= outcome.latency_ms <= took_ms:
        return _invalid("its status or latency is impossible")
    if outcome.status != 200:
        return Outcome(outcome.status, "", outcome.error[:1000] or "no reason given", outcome.latency_ms, 0)
    if len(outcome.predictions) > _MAX_BYTES_PER_ROW * rows.row_count:
        return _too_large()
    try:
        # Rejects unpaired surrogates, which could be neither logged nor returned.
        predictions = from_json(outcome.predictions, allow_inf_nan=False)
    except ValueError:
        return _invalid("its predictions are not JSON")
    if not isinstance(predictions, list) or len(predictions) != rows.row_count:
        return _invalid(f"it does not have one prediction for each of {rows.row_count:,} rows")
    if not all(_is_prediction(part) for part in predictions):
        return _invalid("a prediction is not a finite number or a text")
    return Outcome(200, outcome.predictions, "", outcome.latency_ms, 0)


def _is_prediction(value: Any) -> bool:
    """Whether a value is a finite number, a text, a boolean, or a list or object with at least one of them."""
    if isinstance(value, list | dict):
        parts = list(value.values()) if isinstance(value, dict) else value
        return bool(parts) and all(not isinstance(part, list | dict) and _is_prediction(part) for part in parts)
    if isinstance(value, int | float):
        return -_LARGEST <= value <= _LARGEST
    return isinstance(value, str) and bool(value)


def _too_large() -> Outcome:
    return _invalid(f"it has more than {_MAX_BYTES_PER_ROW:,} characters per row")


def _invalid(reason: str) -> Outcome:
    return Outcome(500, "", f"the challenger's answer is not valid: {reason}", 0.0, 0)
