"""A worker that is not ours: a version that `taxiway serve-version` serves elsewhere, such as in a container.

It may be slow, dead or lying: what it says is checked like what a stranger says, and no more of it is read than an answer can hold.
"""

import asyncio
import json
import time
from dataclasses import asdict
from typing import Any

import httpx
from pydantic import TypeAdapter, ValidationError

from taxiway.errors import ModelUnavailableError, WorkerLostError
from taxiway.serving.api import Remote
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.process import Outcome

_POLL_S = 0.2
_PING_S = 2.0
_LOST_AFTER_S = 10.0
_MAX_ANSWER_BYTES = 16 << 20
_MAX_BYTES_PER_ROW = 4096
_LARGEST = 1e300
_OUTCOMES = TypeAdapter(list[Outcome])
_STATUSES = (200, 400, 500)


class RemoteWorker:
    """One version at `remote`. Nothing here can start it again: once it is silent for 10 s, `ensure` says that it is lost."""

    def __init__(self, remote: Remote, model: str, version: int, *, load_timeout_s: float, predict_timeout_s: float) -> None:
        self._remote = remote
        self._named = f"{model} version {version} at {remote.address}"
        self._expected = {"model": model, "version": version}
        self._load_timeout_s = load_timeout_s
        self._predict_timeout_s = predict_timeout_s
        headers = {"Authorization": f"Bearer {remote.token}", "Content-Type": "application/json", "Accept-Encoding": "identity"}
        timeout = httpx.Timeout(predict_timeout_s)
        self._http = httpx.AsyncClient(base_url=remote.address, headers=headers, timeout=timeout, trust_env=False)
        self._closing: asyncio.Task[None] | None = None
        self._seen_at: float | None = None
        self._stopped = False

    async def ensure(self) -> None:
        """Wait until it answers as the version that it should be; later, see that it still does.

        Raises ModelUnavailableError where it never does or is another version, WorkerLostError where it did and is silent now.
        """
        if self._stopped:
            raise ModelUnavailableError(f"{self._named} is no longer served")
        silent_after = time.monotonic() + self._load_timeout_s
        while not await self._answers():
            if self._seen_at is None and time.monotonic() > silent_after:
                raise ModelUnavailableError(f"{self._named} did not answer within {self._load_timeout_s:g} s")
            if self._seen_at is not None:
                if time.monotonic() - self._seen_at > _LOST_AFTER_S:
                    raise WorkerLostError(f"{self._named} does not answer any more")
                return
            await asyncio.sleep(_POLL_S)
        self._seen_at = time.monotonic()

    async def predict(self, batch: list[Rows]) -> list[Outcome]:
        """The outcomes of a batch; one that is no answer to its request is an error of this version.

        Raises ModelUnavailableError where it cannot be reached, TimeoutError if it takes too long.
        """
        asked, began = json.dumps([asdict(rows) for rows in batch]).encode(), time.perf_counter()
        try:
            content = await asyncio.wait_for(self._read("POST", "/batch", content=asked), self._predict_timeout_s)
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.TransportError as error:
            raise ModelUnavailableError(f"{self._named} cannot be reached: {type(error).__name__}") from None
        try:
            outcomes = _OUTCOMES.validate_json(content, strict=True)
        except ValidationError:
            return [_no_answer("not in its form") for _ in batch]
        if len(outcomes) != len(batch):
            return [_no_answer(f"{len(outcomes)} outcomes of {len(batch)} requests") for _ in batch]
        took_ms = (time.perf_counter() - began) * 1000
        return [_checked(outcome, rows, took_ms) for outcome, rows in zip(outcomes, batch, strict=True)]

    def stop(self) -> None:
        """Ask it nothing more; who started it ends it."""
        if not self._stopped:
            self._stopped = True
            self._closing = asyncio.get_running_loop().create_task(self._http.aclose())

    async def _answers(self) -> bool:
        """Whether it answers a ping. Raises ModelUnavailableError where something else answers there."""
        try:
            answer = await asyncio.wait_for(self._read("GET", "/ping"), _PING_S)
            found = json.loads(answer)
        except (httpx.HTTPError, TimeoutError, ValueError):
            return False
        if found != self._expected:
            raise ModelUnavailableError(f"{self._named} is something else: {str(found)[:200]}")
        return True

    async def _read(self, method: str, path: str, **content: Any) -> bytes:
        """The body of a successful answer, `b""` for one that is too large. Raises httpx.HTTPError where none came."""
        if self._stopped:
            raise ModelUnavailableError(f"{self._named} is no longer served")
        async with self._http.stream(method, path, **content) as answer:
            if answer.status_code in (401, 403) or answer.status_code >= 500:
                raise httpx.RemoteProtocolError(f"it answered {answer.status_code}")
            body = bytearray()
            async for part in answer.aiter_raw():  # as it came: a small answer may unpack to a large one
                body += part
                if len(body) > _MAX_ANSWER_BYTES:
                    return b""
            return bytes(body) if answer.status_code == 200 else b""


def _checked(outcome: Outcome, rows: Rows, took_ms: float) -> Outcome:
    """The outcome, if it can be the answer to these rows, of a call that took so long on the way there and back."""
    if outcome.status not in _STATUSES or not 0 <= outcome.latency_ms <= took_ms:
        return _no_answer("a status or a time that cannot be")
    if outcome.status != 200:
        return Outcome(outcome.status, "", outcome.error[:1000] or "no reason given", outcome.latency_ms, 0)
    if len(outcome.predictions) > _MAX_BYTES_PER_ROW * len(rows.data):
        return _no_answer(f"more than {_MAX_BYTES_PER_ROW} characters a row")
    try:
        predictions = json.loads(outcome.predictions, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return _no_answer("predictions that are not JSON")
    if not isinstance(predictions, list) or len(predictions) != len(rows.data):
        return _no_answer(f"not one prediction for each of {len(rows.data)} rows")
    if not all(_is_prediction(part) for part in predictions):
        return _no_answer("a row without a finite number or a text")
    return Outcome(200, outcome.predictions, "", outcome.latency_ms, 0)


def _is_prediction(value: Any) -> bool:
    """A finite number, a text, a truth value, or a list or object of at least one of them."""
    if isinstance(value, list | dict):
        parts = list(value.values()) if isinstance(value, dict) else value
        return bool(parts) and all(not isinstance(part, list | dict) and _is_prediction(part) for part in parts)
    if isinstance(value, int | float):
        return -_LARGEST <= value <= _LARGEST
    return isinstance(value, str) and bool(value)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _no_answer(reason: str) -> Outcome:
    return Outcome(500, "", f"the challenger's answer is none: {reason}", 0.0, 0)
