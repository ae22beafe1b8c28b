"""`taxiway monitor --previous`: the version before predicts the same rows, or the command says why it cannot."""

import json
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cli.local_runs import NAME, done, run, taxiway
from cli.logged_weeks import log_week
from cli.turned_champion import log_days
from stages.conftest import Site

from taxiway.evaluation import scoring
from taxiway.registry import load
from taxiway.stages.installation import DEFAULT_HOME


@pytest.fixture
def champions(turned_site: Site) -> Site:
    assert "│ 3  │" in done("history", NAME)
    return turned_site


def compared(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(taxiway("monitor", NAME, "--log", "log", "--previous", "--json", *arguments).output)
    return found["previous"]


@pytest.mark.usefixtures("champions")
def test_both_versions_are_compared_on_the_same_rows() -> None:
    log_days(0, 100, labelled=60)
    found = compared("--metric", "accuracy")
    assert (found["version"], found["rows"], found["not_compared"]) == (1, 420, "")
    assert found["served"]["value"] < 0.4 < 0.6 < found["previous"]["value"]
    assert found["difference"]["high"] < 0
    assert found["log_evidence"] > 4
    shown = taxiway("monitor", NAME, "--log", "log", "--previous").output
    assert "roc_auc of 420 rows with a label since " in shown
    assert " of version 1 for the same rows, difference -0." in shown
    assert compared("--metric", "f1")["log_evidence"] is None, "f1 is not a mean over rows"


@pytest.mark.usefixtures("champions")
def test_requests_of_the_future_are_not_looked_at() -> None:
    log_week(0, 500, labelled=300, version=3, at=time.time())
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert compared("--until", str(tomorrow))["rows"] == 300


@pytest.mark.usefixtures("champions")
@pytest.mark.parametrize("settings", [{"omit_columns": ("b",)}, {"hash_columns": ("b",)}])
def test_columns_that_the_log_does_not_have_are_named(settings: Any) -> None:
    log_week(0, 300, labelled=300, version=3, at=time.time(), settings=settings)
    assert compared()["not_compared"].startswith("the version before takes b, which the log does not have")


@pytest.mark.usefixtures("champions")
def test_a_version_whose_files_are_gone_is_named() -> None:
    log_week(0, 300, labelled=300, version=3, at=time.time())
    (files, *_) = sorted((DEFAULT_HOME / "artifacts").rglob("MLmodel"), key=lambda path: path.stat().st_mtime_ns)
    shutil.rmtree(files.parent)
    assert compared()["not_compared"].startswith("version 1 cannot be loaded: ")
    assert "not compared with the version before: version 1" in taxiway("monitor", NAME, "--log", "log", "--previous").output


@pytest.mark.usefixtures("champions")
@pytest.mark.parametrize(
    ("place", "function", "version", "message"),
    [
        (load, "load_trusted", lambda uri, model, version, **_: version, "version 1 cannot be loaded: ValueError: old"),
        (scoring, "score", lambda model, *_: model.version, "version 1 cannot predict the rows: ValueError: old"),
    ],
)
def test_a_version_whose_libraries_changed_does_not_fail_the_monitoring_of_the_champion(
    monkeypatch: pytest.MonkeyPatch, place: Any, function: str, version: Callable[..., int], message: str
) -> None:
    log_days(0, 100, labelled=60)
    of_champion = getattr(place, function)

    def changed(*arguments: Any, **more: Any) -> Any:
        """Fail for version 1, as its code does if a library is gone or has changed."""
        if version(*arguments, **more) == 1:
            raise ValueError("old")
        return of_champion(*arguments, **more)

    monkeypatch.setattr(place, function, changed)
    assert compared()["not_compared"].startswith(message)


@pytest.mark.usefixtures("champions")
def test_versions_without_one_before_them_are_not_compared() -> None:
    log_week(0, 300, labelled=300, version=1, at=time.time())
    log_week(1, 300, labelled=300, version=2, at=time.time())
    done("rollback", NAME, "--reason", "complaints")
    assert compared()["not_compared"] == "no version was champion when version 1 was promoted"
    other = json.loads(taxiway("monitor", f"{NAME}/2", "--log", "log", "--previous", "--json").output)["previous"]
    assert other["not_compared"] == "version 2 was never promoted, so there is no version before it"


def test_a_column_that_the_served_version_does_not_take_any_more_is_compared(champion_site: Site) -> None:
    champion_site.arrive(3, signal=-1)
    champion_site.arrive(4, signal=-1)
    path = Path("small.pipeline.yaml")
    path.write_text(path.read_text() + "features: {numeric: [a], categorical: []}\n")
    for _ in range(2):
        run()
    log_week(0, 400, labelled=400, version=3, at=time.time())
    found = compared()
    assert (found["version"], found["rows"], found["not_compared"]) == (1, 400, "")
    assert found["previous"]["value"] > 0.7


def test_a_column_that_was_renamed_since_has_its_former_name(champion_site: Site) -> None:
    for span in (3, 4):
        path = champion_site.arrive(span, signal=-1)
        pd.read_parquet(path).rename(columns={"a": "amount"}).to_parquet(path)
    path, schema = Path("small.pipeline.yaml"), Path("small.schema.yaml")
    path.write_text(path.read_text().replace("label: y}", "label: y, rename: {a: amount}}"))
    schema.write_text(schema.read_text().replace("  a:", "  amount:"))
    for _ in range(2):
        run()
    log_week(0, 400, labelled=400, version=3, at=time.time(), change=lambda cells: {"amount": cells["a"]})
    found = compared()
    assert found["version"] == 1
    assert found["previous"]["value"] > 0.7


def test_a_regression_is_compared_with_a_limit_by_its_evaluation_rows(site: Site) -> None:
    path = Path("small.pipeline.yaml")
    text = path.read_text().replace("label: y", "label: a").replace("LogisticRegression", "LinearRegression")
    path.write_text(
        text.replace("roc_auc: 0.6", "mae: 9").replace("roc_auc, min_improvement: -0.05", "mae, min_improvement: -1")
    )
    schema = Path("small.schema.yaml")
    schema.write_text(schema.read_text().replace("label: y", "label: a"))
    site.arrive(3, signal=-1)
    site.arrive(4, signal=-1)
    for _ in range(3):
        assert run().exit_code == 0
    log_week(0, 400, labelled=400, version=3, at=time.time(), change=lambda cells: {"y": [value > 0 for value in cells["a"]]})
    for metric in ("mae", "rmse"):
        found = compared("--metric", metric)
        assert (found["version"], found["rows"]) == (2, 400)
        assert found["difference"]["low"] > 0
        assert found["log_evidence"] == 0, "one day is no evidence"
