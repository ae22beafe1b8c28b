"""The trigger that waits for a span without a decision."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from taxiway.credentials import without_credentials

REPEAT_S = 3600.0
MAX_REPEAT_S = 86400.0


class NewSpanTrigger(BaseEventTrigger):
    """Fire when the oldest span of a pipeline without a decision changes, and again while it stays the same.

    The trigger keeps no state that could be lost: each check lists the source and the store again, so it finds files that arrived
    while it was down, and a burst of files leads to one run after another, oldest first. The event of a span is repeated after one
    hour, then after two, four and so on, at most a day, because its run may have failed, or the event was lost. With nothing to do
    there is no event. With `unlabelled: wait` there is also an event for each change of the source while a span is due: only a run
    reads labels, and may take another span than the oldest. A check that fails is logged and repeated; after an hour it is an event too, so that a run reports the error.
    Queries and functions are not called: their spans are available once their periods have ended.

    Args:
        source: The pipeline's `source` section as JSON, with `{data}` filled in.
        pipeline: The pipeline's name, `team.pipeline`.
        poll_seconds: The seconds between two checks.
    """

    def __init__(self, *, source: str, pipeline: str, poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.source = source
        self.pipeline = pipeline
        self.poll_seconds = poll_seconds
        self._seen: tuple[Hashable, tuple[str, int] | None] | None = None  # the state at the last check, and the span due then

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments, as Airflow stores them."""
        arguments = {
            "source": self.source,
            "pipeline": self.pipeline,
            "poll_seconds": self.poll_seconds,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each span that becomes the oldest one without a decision, and for one that stays it."""
        last: Hashable = None  # the cause of the last event
        pause, sent, failing_since = REPEAT_S, 0.0, None
        while True:
            now, cause = monotonic(), last
            try:
                due, state = await asyncio.to_thread(self._look)
                cause = due and (due, state if self._waits_for_labels else None)
                payload: dict[str, Any] = {"span": due[0], "version": due[1]} if due else {}
                failing_since = None
            except Exception as error:  # file systems raise errors of many types, and the trigger must not end
                self.log.warning(
                    "the check for new spans failed and is repeated in %g s: %s: %s",
                    self.poll_seconds,
                    type(error).__name__,
                    without_credentials(str(error)),
                )
                failing_since = now if failing_since is None else failing_since
                if now - failing_since >= REPEAT_S:
                    cause, payload = "a problem", {"problem": "the source or the store cannot be read"}
            is_repeated = cause == last and now - sent >= pause
            if cause is not None and (cause != last or is_repeated):
                pause, sent, last = min(2 * pause, MAX_REPEAT_S) if is_repeated else REPEAT_S, now, cause
                yield TriggerEvent(payload)
            await asyncio.sleep(self.poll_seconds)

    def due(self) -> tuple[str, int] | None:
        """Name and version of the span that a run started now would decide on; None if there is none."""
        return self._look()[0]

    @property
    def _waits_for_labels(self) -> bool:
        from taxiway.spec.source import source_from_json

        return source_from_json(self.source).unlabelled == "wait"

    def _look(self) -> tuple[tuple[str, int] | None, Hashable]:
        """The span that is due, and the state of source and store that it depends on."""
        from taxiway.hooks.config import open_store
        from taxiway.spec.source import source_from_json
        from taxiway.stages.ingest import ingest_state, next_span

        source, store, now = source_from_json(self.source), open_store(), datetime.now(UTC)
        state = ingest_state(source, self.pipeline, store, now=now)
        if self._seen is None or self._seen[0] != state:
            self._seen = state, next_span(source, self.pipeline, store, now=now)
        return self._seen[1], state
