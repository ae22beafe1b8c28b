"""The process that explains predictions of a model: it is started by the first request for an explanation, and ended when it is idle."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from taxiway.errors import ModelUnavailableError, RequestError, TransientError, WorkerDiedError
from taxiway.serving.gateway.models.context import ModelContext
from taxiway.serving.protocol import PickledRows, Rows
from taxiway.serving.workers.base import ModelSource, Outcome
from taxiway.serving.workers.local import Worker

MAX_ROWS = 100
"""How many rows of a request are explained: it takes much longer than to predict for them."""
_MAX_WAITING = 8
_IDLE_S = 600.0


class Explainer:
    """Explains predictions of the champion, in a process of its own, so that other requests do not wait for it.

    Args:
        model: What the deployments of the model share.
    """

    def __init__(self, model: ModelContext) -> None:
        self._model = model
        self._turn = asyncio.Lock()  # the time limit is for one explanation, not for those that it waits for
        self._worker: Worker | None = None
        self._version = 0
        self._waiting = 0
        self._used_at = 0.0
        self._closed = False

    @contextmanager
    def place(self, rows: Rows | PickledRows) -> Iterator[None]:
        """Reserve a place for a request while the block runs.

        Raises:
            RequestError: 413 if it has too many rows, 503 if too many requests wait.
        """
        if rows.row_count > MAX_ROWS:
            raise RequestError(
                413, f"the request has {rows.row_count:,} rows to explain; allowed: {MAX_ROWS}. Send fewer rows per request"
            )
        if self._waiting >= _MAX_WAITING:
            raise RequestError(503, f"{_MAX_WAITING} requests wait for an explanation; try again later")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            self._used_at = time.monotonic()

    async def explain(self, version: int, rows: Rows | PickledRows) -> Outcome:
        """Explain the predictions of a version for the rows of a request, within `place`.

        Returns:
            The outcome: 503 if the process cannot be started, or has died; 504 if it takes too long. See `workers.explain` for others.
        """
        async with self._turn:
            try:
                return await (await self._of(version)).explain(rows)
            except TimeoutError:
                limit_s = self._model.settings.predict_timeout_s
                return Outcome(
                    504, "", f"the explanation took more than {limit_s:g} s; send fewer rows per request", limit_s * 1e3, 0
                )
            except (ModelUnavailableError, TransientError, WorkerDiedError) as error:
                return Outcome(503, "", f"the predictions cannot be explained now: {error}; try again", 0.0, 0, admin_only=True)

    def end_if_idle(self) -> None:
        """End the process if nothing has been explained for ten minutes."""
        if self._worker is not None and not self._waiting and time.monotonic() - self._used_at > _IDLE_S:
            self._end()

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        if self._worker is not None:
            self._worker.stop()
        self._worker = None

    async def _of(self, version: int) -> Worker:
        """The worker of a version; that of another one is ended."""
        if self._worker is not None and self._version == version:
            return self._worker
        self._end()
        found = await self._model.versions.saved(self._model.name, version)
        if found is None or self._closed:
            raise ModelUnavailableError(f"version {version} is not served any more")
        settings = self._model.settings
        self._version = version
        self._worker = Worker(
            ModelSource(settings.loader, self._model.name, version, found[1], settings.code),
            load_timeout_s=settings.load_timeout_s,
            predict_timeout_s=settings.predict_timeout_s,
            memory_bytes=settings.worker_memory_bytes,
        )
        return self._worker
