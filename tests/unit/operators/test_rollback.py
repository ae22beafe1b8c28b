"""The policy `monitor.rollback` on a real MLflow: when the version before becomes champion again, once, and when it does not.

Version 3 was trained and evaluated on rows whose relation of features and label is turned around; in production it is as in version 1.
"""

import json
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowSkipException
from cli.local_runs import NAME, done
from cli.logged_weeks import log_labels, log_week
from cli.turned_champion import FIRST, TURNED, log_days, promote_turned, run_days_ago
from mlflow.artifacts import load_dict
from operators.monitored import TEAM, monitored, recorded
from stages.conftest import Site

from taxiway.errors import TerminalError
from taxiway.hooks.config import ledger_keys, open_store
from taxiway.hooks.mlflow import MlflowHook
from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import State
from taxiway.operators import MonitorOperator
from taxiway.records import Promotion
from taxiway.records.served import ServedPerformance
from taxiway.registry import alias_moves, demote, promote
from taxiway.registry.alias_moves import champion_now
from taxiway.registry.aliases import CHAMPION, point, version_at
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.stages.installation import DEFAULT_HOME, open_installation
from taxiway.stages.monitor import run
from taxiway.stages.monitor.champion import monitor_champion
from taxiway.stages.monitor.monitored import Monitored
from taxiway.stages.monitor.rollback import POLICY
from taxiway.stages.runner.whole_run import run_in
from taxiway.tracking.run import refs_of


@pytest.fixture
def team(turned_team: Path) -> Path:
    """A team whose champion, version 3, was promoted eight days ago."""
    return with_policy(turned_team)


def with_policy(small_team: Path) -> Path:
    path = small_team / "small.pipeline.yaml"
    path.write_text(path.read_text() + "monitor: {log: log, rollback: {}}\n")
    (small_team / "team.yaml").write_text(TEAM)
    (small_team / "log").mkdir()
    assert champion() == TURNED
    return small_team


def ledger() -> Ledger:
    return Ledger(MlflowHook().get_conn(), ledger_keys())


def champion() -> int | None:
    return champion_now(ledger(), NAME)


def newest() -> Promotion:
    return promotions.entries(ledger().client, NAME)[0].promotion


def notices(team: Path) -> list[dict[str, Any]]:
    path = team / "told"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_champion_that_is_worse_on_the_same_rows_is_rolled_back_once(team: Path) -> None:
    log_days(0, 80)
    found, events = monitored("worse")
    assert found["rollback"].startswith("rollback: roc_auc of 560 rows with a label since ")
    assert found["rollback"].endswith("; champion: version 1, before: version 3")
    made = newest()
    assert (made.from_version, made.to_version, made.by, made.verdict) == (TURNED, FIRST, POLICY, None)
    assert "the evidence of a larger Brier score " in made.reason
    assert "(required: 100)" in made.reason
    assert "runner.small.monitor/worse" in made.reason
    assert version_at(ledger().client, NAME, CHAMPION) == FIRST
    ((_, told),) = events[f"{NAME}.alerts"]
    assert [(each["kind"], each["version"]) for each in told["alerts"]] == [("realised", TURNED), ("rollback", TURNED)]
    assert [each["event"] for each in notices(team)] == ["ALERT", "ROLLBACK"]
    assert notices(team)[1]["reasons"] == [made.reason]
    record = recorded("worse")
    assert record.data.tags["taxiway.rollback"] == found["rollback"]

    log_week(1, 400, labelled=400, at=time.time())
    found, events = monitored("after")
    assert found["version"] == FIRST
    assert (
        found["rollback"] == f"no rollback: version 1 is champion by a rollback of {POLICY}, which the policy leaves as it is"
    )
    assert events == {}
    assert len(notices(team)) == 2


def test_a_later_promotion_is_judged_by_its_own_rows(team: Path) -> None:
    log_days(0, 80)
    monitored("first")
    Site(team, "small").arrive(5, signal=-1)
    run_days_ago(7)
    assert champion() == 4
    log_days(1, 80, flipped=True, version=4)
    found, _ = monitored("good")
    assert found["rollback"].startswith("no rollback: roc_auc of ")
    log_days(2, 400, version=4)
    assert monitored("bad")[0]["rollback"].endswith("; champion: version 1, before: version 4")
    done("rollback", NAME, "--to", "4", "--reason", "the labels are wrong again")
    assert "version 4 is champion by a rollback of " in monitored("by hand")[0]["rollback"]
    assert champion() == 4


def test_a_champion_that_was_replaced_while_its_windows_were_compared_is_not_judged(
    team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_days(0, 80)

    def meanwhile_replaced(*arguments: Any) -> Monitored:
        found = monitor_champion(*arguments)
        done("rollback", NAME, "--to", str(FIRST), "--reason", "seen by a person first")
        return found

    monkeypatch.setattr(run, "monitor_champion", meanwhile_replaced)
    found, _ = monitored("late")
    assert found["rollback"] == f"no rollback: version {TURNED} is not the champion any more"
    assert newest().reason == "rollback: seen by a person first"


def test_the_first_days_are_not_enough_however_large_the_loss_is(team: Path) -> None:
    log_days(0, 400, days=6)
    assert monitored("six days")[0]["rollback"].startswith("no rollback: roc_auc of ")
    assert champion() == TURNED


def test_without_labels_or_without_a_loss_the_champion_stays(team: Path) -> None:
    log_days(0, 80, labelled=0)
    assert "version 3 has 0 rows with a label since " in monitored("no labels")[0]["rollback"]
    log_days(1, 80, flipped=True)  # as version 3 expects them
    kept = monitored("better")[0]["rollback"]
    assert kept.startswith("no rollback: roc_auc of ")
    assert "(required: 100)" in kept
    assert champion() == TURNED


def test_a_loss_that_the_pipeline_file_allows_is_no_reason(team: Path) -> None:
    path = team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("rollback: {}", "rollback: {max_drop: 0.9}"))
    log_days(0, 80)
    assert monitored("allowed")[0]["rollback"].endswith("(required: 100); allowed drop: 0.9")
    assert champion() == TURNED


def test_rows_from_before_the_promotion_do_not_count(team: Path) -> None:
    log_days(0, 80, at=time.time() - 9 * 86_400)
    log_days(1, 80, labelled=0)
    assert "version 3 has 0 rows with a label since " in monitored("earlier")[0]["rollback"]


def test_a_champion_that_is_older_than_the_windows_is_not_judged(small_team: Path) -> None:
    promote_turned(Site(small_team, "small"), days=15)
    path = with_policy(small_team) / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("rollback: {}", "window: day, windows: 14, rollback: {}"))
    log_days(0, 80)
    assert f"was promoted on {newest().at:%Y-%m-%d}, before the first compared window" in monitored("old")[0]["rollback"]
    assert champion() == TURNED


def test_labels_that_were_corrected_count_as_they_are_now(team: Path) -> None:
    log_days(0, 80)
    for path in sorted(Path("log").glob("labels/*/*/*.parquet")):
        rows = pq.read_table(path).to_pylist()
        turned = [(row["row"], str(row["label"] == "False")) for row in rows]
        log_labels(rows[0]["request_id"], turned, rows[0]["labelled_at"].timestamp() + 1)
    assert monitored("corrected")[0]["rollback"].startswith("no rollback: roc_auc of ")


def test_an_alias_that_somebody_has_moved_is_left_alone(team: Path) -> None:
    log_days(0, 80)
    point(ledger().client, NAME, CHAMPION, 2)
    found, _ = monitored("moved")
    assert found["rollback"].startswith("no rollback: the alias champion was moved outside of Taxiway: it points to version 2")
    assert (champion(), version_at(ledger().client, NAME, CHAMPION)) == (TURNED, 2)


def test_a_promotion_in_progress_is_not_overtaken(team: Path) -> None:
    log_days(0, 80)
    at = datetime.now(UTC)
    other = Promotion(model=NAME, alias=CHAMPION, from_version=TURNED, to_version=2, by="ann", at=at, verdict="v", reason="r")
    known = promotions.entries(ledger().client, NAME)
    promotions.open_entry(ledger(), promotions.promotion_key(NAME, 2, "v"), other, known)
    found, _ = monitored("busy")
    assert found["rollback"].startswith("no rollback: the promotion of runner.small version 2 is in progress since ")
    assert champion() == TURNED


def test_a_challenger_that_was_compared_with_the_replaced_champion_is_not_pushed(team: Path) -> None:
    Site(team, "small").arrive(5, signal=-1)
    with open_installation("data", None, None, DEFAULT_HOME) as installation:
        made = run_in(installation, read_pipeline(Path("small.pipeline.yaml")), until="shadow")
    assert made.verdict is not None
    assert made.shadow is not None
    log_days(0, 80)
    assert monitored("meanwhile")[0]["rollback"].endswith("; champion: version 1, before: version 3")
    with pytest.raises(
        TerminalError, match="compared with champion version 3, but the champion is now 1; decide its span again"
    ):
        promote.push(ledger(), made.verdict, made.shadow, by="airflow", at=datetime.now(UTC))


def test_a_champion_that_came_meanwhile_is_not_rolled_back(team: Path) -> None:
    log_days(0, 80)
    done("rollback", NAME, "--reason", "complaints")
    with pytest.raises(TerminalError, match="version 3 is not rolled back: the champion has changed to version 1"):
        demote.rollback(ledger(), NAME, by=POLICY, reason="r", at=datetime.now(UTC), from_version=TURNED, to_version=FIRST)


def test_a_run_that_is_killed_before_the_alias_moves_is_completed_and_told(team: Path) -> None:
    log_days(0, 80)
    with pytest.MonkeyPatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(alias_moves, "_move_aliases", killed)
        monitored("killed")
    assert promotions.entries(ledger().client, NAME)[0].state is State.MOVING
    assert version_at(ledger().client, NAME, CHAMPION) == TURNED
    assert notices(team) == []
    found, events = monitored("killed")
    assert (found["version"], found["rollback"].endswith("; champion: version 1, before: version 3")) == (TURNED, True)
    assert version_at(ledger().client, NAME, CHAMPION) == FIRST
    ((_, told),) = events[f"{NAME}.alerts"]
    assert [each["kind"] for each in told["alerts"]] == ["realised", "rollback"]
    assert [each["event"] for each in notices(team)] == ["ALERT", "ROLLBACK"]
    assert len(promotions.entries(ledger().client, NAME)) == 3


def test_a_rollback_that_was_not_told_is_told_before_the_new_champion_has_requests(team: Path) -> None:
    log_days(0, 80)
    with pytest.MonkeyPatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(MonitorOperator, "_tell", killed)
        monitored("killed")
    first = recorded("killed").data.tags
    assert (champion(), notices(team)) == (FIRST, [])
    found, events = monitored("next")
    ((_, told),) = events[f"{NAME}.alerts"]
    assert [(each["kind"], each["version"]) for each in told["alerts"]] == [("realised", TURNED), ("rollback", TURNED)]
    assert [each["event"] for each in notices(team)] == ["ALERT", "ROLLBACK"]
    assert found["rollback"] == first["taxiway.rollback"] == recorded("next").data.tags["taxiway.rollback"]
    again, events = monitored("next")
    assert (again["version"], again["rollback"]) == (TURNED, found["rollback"]), "a retry repeats the run that it retries"
    assert (len(events[f"{NAME}.alerts"]), len(notices(team))) == (1, 2)
    with pytest.raises(AirflowSkipException, match=r"has no rows that runner\.small version 1 has predicted"):
        monitored("without requests")
    assert recorded("without requests") is None
    shutil.rmtree("log/requests")
    with pytest.raises(AirflowSkipException):
        monitored("next")
    assert recorded("next").info.status == "FINISHED", "a run that has records is not deleted"


def killed(*_: Any, **__: Any) -> None:
    """The end of the process."""
    raise KeyboardInterrupt


def test_the_comparison_is_recorded(team: Path) -> None:
    path = team / "small.pipeline.yaml"
    path.write_text(path.read_text().replace("rollback: {}", "previous: true"))
    log_days(0, 80)
    found, _ = monitored("compared")
    assert found["rollback"] is None
    assert champion() == TURNED
    digest = next(ref.digest for ref in refs_of(recorded("compared").data.tags) if ref.record == ServedPerformance.__name__)
    previous = open_store().get(ServedPerformance, digest).previous
    assert previous is not None
    assert (previous.version, previous.rows) == (FIRST, 560)
    assert previous.served is not None and previous.previous is not None and previous.difference is not None
    assert previous.difference.high < 0
    assert previous.difference.value == pytest.approx(previous.served.value - previous.previous.value)
    content = load_dict(f"{recorded('compared').info.artifact_uri}/monitor/monitor.json")
    assert content["previous"]["difference"]["value"] == previous.difference.value
