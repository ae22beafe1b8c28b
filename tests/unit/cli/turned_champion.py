"""A champion that was trained and evaluated on rows whose relation of features and label is turned around, promoted eight days ago."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cli.logged_weeks import log_week
from stages.conftest import Site

from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.stages.installation import DEFAULT_HOME, open_installation
from taxiway.stages.runner.whole_run import run_in

FIRST, TURNED = 1, 3
DAYS = 7
_DAY_S = 86_400


def promote_turned(site: Site, days: int = DAYS + 1) -> None:
    """Promote version 3 in place of version 1, by runs so many days ago; version 2 does not pass."""
    site.arrive(3, signal=-1)
    site.arrive(4, signal=-1)
    for _ in range(2):
        run_days_ago(days)


def run_days_ago(days: int) -> None:
    """Run the pipeline in the working directory with a clock that is so many days behind."""
    with open_installation("data", None, None, DEFAULT_HOME) as installation:
        pipeline = read_pipeline(Path("small.pipeline.yaml"))
        run_in(installation, pipeline, clock=lambda: datetime.now(UTC) - timedelta(days=days))


def log_days(name: int, rows: int, days: int = DAYS, **more: Any) -> None:
    """Log so many rows on each of the last days; all of them have a label."""
    for day in range(days):
        at = time.time() - day * _DAY_S
        log_week(100 * (name + 1) + day, rows, **{"labelled": rows, "version": TURNED, "at": at, **more})
