"""Waits for a span that has not been decided yet."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent


class NewSpanTrigger(BaseEventTrigger):
    """Fire when the oldest undecided span of a pipeline is another one than before.

    A look that fails is logged and made again: what is wrong for good is said by the run that the schedule starts once an hour.
    It holds no state that could be lost: source and store are listed anew at each look, so files that came while nobody looked
    are found, and a burst of files leads to one run after another, oldest first. A query's database and a function are never
    asked: their spans are there once their periods have ended, and rows that were corrected are found by the run of each hour.

    :param source: the pipeline's section `source` as JSON, with {data} filled in
    :param pipeline: the pipeline's name, `team.pipeline`
    :param poll_seconds: how long to wait between two looks
    """

    def __init__(self, *, source: str, pipeline: str, poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.source = source
        self.pipeline = pipeline
        self.poll_seconds = poll_seconds
        self._seen: tuple[Hashable, tuple[str, int] | None] | None = None  # the state of the last look, and its answer

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and arguments that Airflow keeps."""
        arguments = {
            "source": self.source,
            "pipeline": self.pipeline,
            "poll_seconds": self.poll_seconds,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event for each span that becomes the oldest undecided one."""
        last: tuple[str, int] | None = None
        while True:
            try:
                due = await asyncio.to_thread(self.due)
            except Exception as error:  # file systems raise what they like; a watcher that ends would watch no more
                self.log.warning("looking again in %g s: %s: %s", self.poll_seconds, type(error).__name__, error)
                due = last
            if due is not None and due != last:
                yield TriggerEvent({"span": due[0], "version": due[1]})
            last = due
            await asyncio.sleep(self.poll_seconds)

    def due(self) -> tuple[str, int] | None:
        """Name and version of the span that a run started now would decide on; None if there is none."""
        from taxiway.hooks.config import open_store
        from taxiway.spec.source import source_from_json
        from taxiway.stages.ingest import ingest_state, next_span

        source, store, now = source_from_json(self.source), open_store(), datetime.now(UTC)
        state = ingest_state(source, self.pipeline, store, now=now)
        if self._seen is None or self._seen[0] != state:
            self._seen = state, next_span(source, self.pipeline, store, now=now)
        return self._seen[1]
