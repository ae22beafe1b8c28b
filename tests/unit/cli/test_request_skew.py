"""A new span is compared with the requests that were answered for its rows: training-serving skew stops a run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cli import logged_weeks
from cli.local_runs import kept, run
from cli.logged_weeks import Cells, log_week
from stages.conftest import Site

from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import record_decision
from taxiway.lineage.waivers import waiver
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.stages.installation import DEFAULT_HOME, open_installation
from taxiway.stages.runner import run_in

LIMITED = "feature_skew: {max_fraction: 0.02}\n"


@pytest.fixture
def champion(site: Site, for_all: Path) -> Site:
    def make() -> None:
        pipeline, schema = Path("small.pipeline.yaml"), Path("small.schema.yaml")
        pipeline.write_text(f"{pipeline.read_text()}monitor: {{log: log, windows: 366}}\n")
        schema.write_text(
            LIMITED + schema.read_text().replace("y: {type: boolean", "y: {environments: [TRAINING], type: boolean")
        )
        assert run().exit_code == 0, "without any request, there is nothing to compare"

    kept(site.folder, for_all / "request_skew", make)
    return site


def sent(**settings: Any) -> dict[str, list[Any]]:
    """The inputs of 1,000 logged rows, with ids from 0."""
    cells: dict[str, list[Any]] = {}

    def keep(found: Cells) -> Cells:
        cells.update(found)
        return {}

    log_week(0, 1000, change=keep, **settings)
    return cells


def arrive(site: Site, cells: dict[str, list[Any]], **changes: Any) -> None:
    rows = pd.DataFrame({**cells, **changes})
    rows["y"] = np.asarray(cells["a"]) + np.random.default_rng(3).normal(size=len(rows)) > 0
    rows.to_parquet(site.data / "3.parquet")


def test_a_span_that_differs_from_its_requests_is_blocked(champion: Site) -> None:
    cells = sent()
    arrive(champion, cells, a=[value + (row % 10 == 0) for row, value in enumerate(cells["a"])])
    result = run()
    assert result.exit_code == 1, result.output
    assert "a differs between training and serving in 100 of 1,000 rows (10.0%)" in result.output


def test_a_waiver_by_command_holds_while_requests_go_on(champion: Site) -> None:
    """The report on the same rows is the same on every later day, so the waiver is about it."""
    cells, now = sent(), datetime.now(UTC)
    arrive(champion, cells, a=[value + (row % 10 == 0) for row, value in enumerate(cells["a"])])
    with open_installation("data", None, None, DEFAULT_HOME) as installation:
        pipeline = read_pipeline(Path("small.pipeline.yaml"))
        blocked = run_in(installation, pipeline, clock=lambda: now).report
        assert blocked is not None
        (anomaly,) = blocked.blocking
        until = (now + timedelta(days=9)).date()
        made = waiver(blocked, pipeline.name, f"{anomaly.kind}:a", until=until, by="ann", via="command line", reason="it is")
        record_decision(Ledger(installation.client, installation.services.ledger_keys), made)
        log_week(1, 500, at=now.timestamp() - 1)
        for days in (0, 1, 8):
            later = now + timedelta(days=days)
            again = run_in(installation, pipeline, span="3", until="validate_data", clock=lambda at=later: at)
            assert again.report == blocked, f"after {days} days"
        assert run_in(installation, pipeline, span="3").verdict is not None, "the data are accepted"


def test_a_span_that_is_equal_to_its_requests_passes(champion: Site) -> None:
    arrive(champion, sent())
    result = run()
    assert result.exit_code == 0, result.output


def test_requests_about_other_rows_are_not_compared_by_key(champion: Site) -> None:
    sent()
    champion.arrive(3)
    result = run()
    assert result.exit_code == 0, result.output


def test_hashed_inputs_are_not_compared(champion: Site) -> None:
    cells = sent(settings={"hash_columns": ("a",)})
    arrive(champion, cells, a=[value + 1 for value in cells["a"]])
    assert run().exit_code == 0


def test_distributions_are_compared_without_a_key(champion: Site) -> None:
    schema = Path("small.schema.yaml")
    text = schema.read_text().replace(LIMITED, "").replace("key: id\n", "")
    schema.write_text(text.replace("a: {type: number", "a: {skew: {limit: 0.1, severity: error}, type: number"))
    cells = sent()
    arrive(champion, cells, a=[value + 2 for value in cells["a"]])
    result = run()
    assert result.exit_code == 1, result.output
    assert "a: the serving data differs from the training data (the median changed from " in result.output


def test_a_span_of_a_day_is_compared_with_the_requests_of_this_day(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, schema = Path("small.pipeline.yaml"), Path("small.schema.yaml")
    text = pipeline.read_text().replace("{SPAN}", "{YYYY}-{MM}-{DD}")
    pipeline.write_text(f"{text}monitor: {{log: log}}\n")
    schema.write_text(schema.read_text().replace("a: {type: number", "a: {skew: {limit: 0.1, severity: error}, type: number"))
    for span, day in ((1, "2026-01-04"), (2, "2026-01-05")):
        (site.data / f"{span}.parquet").rename(site.data / f"{day}.parquet")
    assert run().exit_code == 0
    cells: dict[str, list[Any]] = {}

    def next_day(found: Cells) -> Cells:
        cells.update(found)
        return {"a": [value + 5 for value in found["a"]]}

    with monkeypatch.context() as earlier:
        earlier.setattr(logged_weeks, "START", logged_weeks.START - 6 * 86_400)
        log_week(2, 1000, change=next_day)  # on the 13th
    log_week(1, 1000)  # on the 12th
    rows = pd.DataFrame({**cells, "y": np.asarray(cells["a"]) > 0})
    rows.to_parquet(site.data / "2026-01-12.parquet")
    assert run().exit_code == 0
    rows.to_parquet(site.data / "2026-01-13.parquet")
    result = run()
    assert result.exit_code == 1, result.output
    assert "a: the serving data differs from the training data" in result.output
