"""Writes the request log to Parquet files at intervals, in a process of its own with a low priority."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from taxiway.errors import RequestError, TaxiwayError
from taxiway.messages import counted, error_line
from taxiway.serving.gateway.problems import Problems
from taxiway.serving.workers.background import BackgroundProcess

log = logging.getLogger(__name__)

_NICENESS = 10
_FIRST_S = 60.0


class RollSchedule:
    """Writes the log of a gateway to Parquet files.

    Args:
        state: The state folder of the gateway.
        every_s: The seconds between two times.
        read_all: Reads the whole log, and starts a new one if it is damaged.
    """

    def __init__(self, state: Path, every_s: float, read_all: Callable[[], None]) -> None:
        self._state = state
        self._every_s = every_s
        self._read_all = read_all
        self._problems = Problems("the Parquet files of the request log")

    @property
    def problem(self) -> str:
        """Why the log could not be written the last time; empty if it could."""
        return self._problems.text

    async def watch(self) -> None:
        """Write it about every `every_s` seconds, until cancelled; after a start, what an earlier gateway has left comes soon."""
        await asyncio.sleep(min(_FIRST_S, self._every_s))
        while True:
            await self.roll()
            await asyncio.sleep(self._every_s)

    async def roll(self) -> None:
        """Write it now. If that fails, it is a problem, and the next time tries again."""
        process = BackgroundProcess(_NICENESS)  # ended after each time: it would keep the memory
        try:
            done = await process.run(_roll, self._state)
        except Exception as error:
            self._problems.begin(
                "roll",
                f"the request log is not written to Parquet files, so it grows: {error if isinstance(error, TaxiwayError) else error_line(error)}; this is tried again every {self._every_s:g} s",
            )
            if isinstance(error, sqlite3.DatabaseError):  # the gateway itself need not have read what is damaged
                with contextlib.suppress(RequestError):
                    await asyncio.to_thread(self._read_all)
            return
        finally:
            process.close()
        self._problems.end("roll")
        if done:
            log.info("%s", done)


def _roll(state: Path) -> str:
    """Write the log; returns what was written, empty if nothing."""
    from taxiway.serving.gateway.rolling.roll import roll

    rolled = roll(state)
    if not rolled.files:
        return ""
    what = f"{counted(rolled.requests, 'request')} and {counted(rolled.labels, 'label')}"
    return f"{what} written to {counted(rolled.files, 'Parquet file')} in {rolled.folder}"
