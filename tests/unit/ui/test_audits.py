"""The page for the labels of an audit: its rows are those of the command, without predictions and without rows that have a label."""

import csv
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from cli.local_runs import NAME, PIPELINE, done
from cli.logged_weeks import log_week
from stages.conftest import Site

from taxiway.errors import ConfigError, TerminalError
from taxiway.lineage.monitoring import record_served
from taxiway.records import Interval
from taxiway.records.served import ServedAudit, ServedPerformance, ServedWindow
from taxiway.store import Store
from taxiway_ui.airflow_db import DagFile
from taxiway_ui.audits.task import ROWS, audit_task, send_audit
from taxiway_ui.people.forms import Forms
from taxiway_ui.people.upload import InvalidFormError
from taxiway_ui.render import page
from taxiway_ui.reviews.loaded import LoadedPipeline, load

VALUE = Interval(value=0.7, low=0.6, high=0.8, rows=900)
WEEK = date(2026, 1, 5)
MONITOR = 'monitor: {log: "log", audit: {target: 0.6, tolerance: 0.05, max_change: 0.00001}}\n'


def found(*windows: date) -> ServedPerformance:
    """What monitoring has found on the last day of January."""
    audit = ServedAudit(
        target=0.6, tolerance=0.05, last=VALUE, last_at=WEEK, answer="unknown", due=WEEK, labels=200, messages=("it is due",)
    )
    return ServedPerformance(
        model=NAME,
        version=1,
        metric="roc_auc",
        evaluation=VALUE,
        windows=tuple(ServedWindow(first=first, rows=2000, labelled=0) for first in windows),
        audit=audit,
        at=datetime(2026, 1, 31, tzinfo=UTC),
    )


@pytest.fixture
def store() -> Store:
    return Store(str(Path(".taxiway/local/store").absolute()))


@pytest.fixture
def loaded(champion_site: Site) -> LoadedPipeline | str:
    (champion_site.folder / "small.pipeline.yaml").write_text(PIPELINE + MONITOR)
    return load(NAME, DagFile(champion_site.folder / "small.py", Path("team/small.py")))


def test_the_page_has_the_rows_of_the_command_and_goes_on_after_the_last_one(
    champion_site: Site, loaded: LoadedPipeline, store: Store
) -> None:
    log_week(0, 2000, labelled=500)
    record_served(store, NAME, found(WEEK, date(2026, 1, 26)))  # the second week has not ended
    fixed = ("--target", "0.6", "--tolerance", "0.05", "--max-change", "0.00001")
    done("audit", NAME, "--log", "log", *fixed, "-o", "rows.csv")
    with Path("rows.csv").open() as lines:
        written = [(row["request_id"], int(row["row"])) for row in csv.DictReader(lines)]
    shown, after = [], ""
    while (task := audit_task(NAME, store, loaded, after)).page.rows:
        shown += [(row.request_id, row.row) for row in task.page.rows]
        assert len(task.page.rows) <= ROWS
        after = task.last
    assert shown == written
    assert (task.page.unlabelled, task.page.labelled) == (len(written), 200 - len(written))
    assert (task.window, task.page.classes) == (WEEK, ("False", "True"))
    first = audit_task(NAME, store, loaded)
    html = page("audit.html", view=first, forms=Forms("token", True, True, "ann"), here="/taxiway", airflow="")
    assert html.count("<option>True</option>") == ROWS
    assert f'name="label:{written[0][0]}:{written[0][1]}"' in html
    assert "0.000" not in html, "no probability is shown"
    assert [name for name, _ in first.page.rows[0].inputs] == ["a", "b"]


def test_what_has_no_rows_to_label_says_why(loaded: LoadedPipeline, store: Store, champion_site: Site) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        audit_task(NAME, store, "there is no file")
    with pytest.raises(TerminalError, match=f"run the DAG {NAME}.monitor first"):
        audit_task(NAME, store, loaded)
    record_served(store, NAME, found(date(2026, 1, 26)))
    with pytest.raises(TerminalError, match=r"no window of runner.small with at least 100 rows has ended yet"):
        audit_task(NAME, store, loaded)
    record_served(store, NAME, found(WEEK))
    with pytest.raises(ConfigError, match="there is no request log at log where Airflow's API server runs"):
        audit_task(NAME, store, loaded)
    with pytest.raises(InvalidFormError, match="the place of the last row is none"):
        audit_task(NAME, store, loaded, "x' OR 1")
    (champion_site.folder / "small.pipeline.yaml").write_text(PIPELINE)
    with pytest.raises(ConfigError, match=r"has no section monitor\.audit"):
        audit_task(NAME, store, load(NAME, DagFile(champion_site.folder / "small.py", Path("team/small.py"))))


def test_a_form_without_a_label_and_an_airflow_without_a_gateway_are_refused() -> None:
    with pytest.raises(InvalidFormError, match="no row has a label"):
        send_audit(NAME, {"label:r:0": " ", "after": "x", "label:r": "1"}, "ann")
    with pytest.raises(ConfigError, match="there is no connection taxiway_gateway"):
        send_audit(NAME, {"label:r:0": "True"}, "ann")
