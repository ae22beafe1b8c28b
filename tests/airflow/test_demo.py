"""The demonstration on a real stack, and everything that must be true after it."""

import getpass
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest_airflow import Played, Running
from rich.console import Console

from taxiway.cli import main
from taxiway.cli.main import run_command
from taxiway.demo import run as demo
from taxiway.demo.people import LABELLED
from taxiway.demo.people import problem_of as people_problem
from taxiway.demo.report import print_table, write_report
from taxiway.demo.run import DemoRun
from taxiway.demo.scenarios import PIPELINE, UNGUARDED
from taxiway.evaluation import pictures
from taxiway.ledger.entry import State
from taxiway.ledger.promotions import entries
from taxiway.lineage.labels_due import labels_due
from taxiway.lineage.outcomes import earlier_attempts, summaries
from taxiway.lineage.queries import model_lineage
from taxiway.lineage.run_records import run_records
from taxiway.records import Evaluation, Outcome
from taxiway.registry.aliases import CHALLENGER, CHAMPION, PREVIOUS, version_at
from taxiway.serving.answer_check import AnswerCheck
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.stages.installation import Installation, open_installation
from taxiway.stages.runner import run_in
from taxiway.tracking.run import refs_of

README = Path(__file__).parents[2] / "README.md"
FLIGHTS = read_pipeline(Path(__file__).parents[2] / "dags/flights/late_arrivals.pipeline.yaml")


def test_three_months_come_to_their_outcomes(running: Running, played: Played) -> None:
    found = summaries(running.store, PIPELINE)
    assert [(s.span.name, s.outcome, s.version) for s in found] == [
        ("2013-04", Outcome.FIRST_CHAMPION, 1),
        ("2013-05", Outcome.PROMOTED, 2),
        ("2013-06", Outcome.BLOCKED, None),
    ]
    first, second, third = found
    assert any("no champion" in reason for reason in first.reasons)
    assert any("champion (version 1)" in reason for reason in second.reasons)
    for words in ("wind_speed", "carrier", '"UA"'):
        assert any(words in reason for reason in third.reasons)
    champion = demo.current_champion(running.stack.url("mlflow"))
    assert demo._problem(demo.decisions(running.stack), champion, played.run.traffic, played.run.checked) == ""


def test_people_label_approve_and_roll_back(running: Running, played: Played) -> None:
    first, second = summaries(running.store, LABELLED)
    assert (first.span.name, first.outcome, first.version) == ("2013-02", Outcome.FIRST_CHAMPION, 1)
    assert (second.span.name, second.outcome, second.attempt) == ("2013-03", Outcome.PROMOTED, 2)
    assert second.again == "imported 300 labels of Ada for span 2013-03"
    (undecided,) = earlier_attempts(running.store, second)
    assert undecided.outcome is Outcome.UNDECIDED
    assert people_problem(running.stack) == ""
    assert labels_due(running.store, LABELLED) is None
    assert version_at(running.mlflow, LABELLED, CHAMPION) == 1, "rolled back"
    for words in ("waits for 4,000 of 4,000 labels", "only 250 evaluation rows", "imported 300 labels", "serves version 1"):
        assert words in played.shown


def readme_reasons() -> list[tuple[str, str]]:
    """The table that the README shows: the span, and each part of a reason between its omissions."""
    (table,) = re.findall(r"^What the pipelines decided \(shortened\)\n\n(.*?)\n\nChampion of", README.read_text(), re.M | re.S)
    found = []
    for row in table.split("\n\n"):
        text = "\n".join(line[17:].strip() for line in row.splitlines() if line[16:17] == " ")
        reasons = (reason.replace("\n", " ") for reason in re.split(r"^- ", text, flags=re.M))
        found += [(row[:7], part.strip(" (;,)")) for reason in reasons for part in reason.split("...")]
    return [(span, part) for span, part in found if part]


def test_the_readme_shows_what_the_pipelines_decide(running: Running, played: Played) -> None:
    decided = demo.decisions(running.stack)
    shown = readme_reasons()
    assert len(shown) == 16
    for span, part in shown:
        # Which live requests are compared differs from run to run, and with them the share of equal answers.
        if not part.startswith(("both versions predicted the same label for", "the challenger returned an error for 0 of")):
            told = [reason for s in decided if s.span.name == span for reason in (*s.reasons, f"decided again: {s.again}")]
            assert any(part in reason for reason in told), (span, part)


@pytest.fixture
def local(running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """For runs that are compared by their records: the pictures of an evaluation are not among them."""
    monkeypatch.setattr(pictures, "_draw", lambda *_: {})
    with open_installation(str(running.stack.home.data), None, None, tmp_path / "home") as installation:
        yield installation


def test_the_runner_makes_the_records_that_airflow_made(running: Running, played: Played, local: Installation) -> None:
    """Byte by byte, but for the transform and the model, which skops never writes twice alike, and for what was answered live."""
    for by_airflow in summaries(running.store, PIPELINE)[:2]:
        ours = run_in(local, FLIGHTS)
        theirs = run_records(running.store, refs_of(running.mlflow_run(PIPELINE, by_airflow.run).data.tags))
        for kind in ("snapshot", "report"):
            assert getattr(ours, kind).digest == getattr(theirs, kind).digest, kind
        assert theirs.verdict is not None
        assert theirs.verdict.files is not None
        assert ours.features is not None
        assert theirs.features is not None
        assert ours.features.model_copy(update={"transform": theirs.features.transform}) == theirs.features
        assert ours.candidate is not None
        assert theirs.candidate is not None
        theirs_alone = {"features": theirs.features.digest, "files": theirs.candidate.files}
        assert ours.candidate.model_copy(update=theirs_alone) == theirs.candidate
        assert ours.summary is not None
        assert ours.summary.outcome is by_airflow.outcome
        assert ours.verdict is not None
        assert ours.verdict.model_copy(update={"files": theirs.verdict.files}) == theirs.verdict
        assert local.store.get(Evaluation, ours.verdict.evaluation) == theirs.evaluation


def test_no_live_request_is_lost_while_the_challenger_runs_and_the_champion_changes(played: Played) -> None:
    assert played.run.traffic is not None
    assert (played.run.traffic.sent, played.run.traffic.answered, played.run.traffic.lost) == (2500, 2500, 0)


def test_every_logged_answer_equals_the_models_own(running: Running, played: Played) -> None:
    """Among them are requests with missing categories, which were predicted in one call with those of others."""
    checked = played.run.checked
    assert checked is not None
    assert (checked.champion.answers, checked.champion.equal) == (2500, 2500)
    assert checked.challenger.equal == checked.challenger.answers > 1000
    assert "2,500 of 2,500 champion answers and " in played.shown
    shadow = model_lineage(running.mlflow, PIPELINE, 2).records.shadow
    assert shadow is not None
    assert any("equal what the models compute" in reason.message for reason in shadow.reasons)
    wrong = replace(checked, champion=AnswerCheck(2500, 2221, "version 1 answered request r1 with [[0.4, 0.6]]"))
    champion = demo.current_champion(running.stack.url("mlflow"))
    message = demo._problem(demo.decisions(running.stack), champion, played.run.traffic, wrong)
    assert message.startswith(
        "279 of 2,500 logged answers of the champion differ from what the model computes; the first: version 1"
    )


def test_the_blocked_run_is_red_at_data_validation_and_trains_nothing(running: Running, played: Played) -> None:
    states = {task.task: task.state for task in played.run.tasks[PIPELINE, "2013-06"]}
    assert states["ingest"] == "success"
    assert states["validate_data"] == "failed"
    assert {states[t] for t in ("transform", "train", "validate_model", "shadow", "push")} == {"upstream_failed"}
    assert len(running.mlflow.search_model_versions(f"name='{PIPELINE}'")) == 2


def test_a_model_of_poisoned_data_fails_the_gate_though_its_metrics_are_fine(running: Running, played: Played) -> None:
    """The same fault in training and evaluation data: no metric can see it, the DataReport does."""
    states = {task.task: task.state for task in played.run.tasks[UNGUARDED, "2013-04"]}
    assert (states["validate_data"], states["train"]) == ("success", "success")
    assert (states["validate_model"], states["shadow"], states["push"]) == ("failed", "upstream_failed", "upstream_failed")
    (found,) = summaries(running.store, UNGUARDED)
    assert found.outcome is Outcome.REJECTED
    assert len(found.reasons) == 1, found.reasons
    assert (
        "the data did not pass validation: 4 blocking anomalies; the first: wind_speed in span 2013-01 is outside 0 to 75 mph"
        in found.reasons[0]
    )
    first = summaries(running.store, PIPELINE)[0]
    poisoned, whole = (running.mlflow.get_run(s.mlflow_run).data.metrics["evaluation.roc_auc"] for s in (found, first))
    assert poisoned == pytest.approx(whole, abs=0.02)
    assert version_at(running.mlflow, UNGUARDED, CHAMPION) is None
    assert "✓ roc_auc 0.6" in played.shown
    assert "✗ the data did not pass validation" in played.shown


def test_mlflow_holds_one_run_a_dag_run_with_inputs_versions_and_records(running: Running, played: Played) -> None:
    client = running.mlflow
    experiment = client.get_experiment_by_name("flights/late_arrivals")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])
    assert [r.info.status for r in runs] == ["FINISHED", "FINISHED", "FAILED"]
    assert [r.data.tags["taxiway.outcome"] for r in runs] == ["FIRST_CHAMPION", "PROMOTED", "BLOCKED"]
    by_context = {
        (i.dataset.name, next(t.value for t in i.tags if t.key == "mlflow.data.context")): i.dataset.digest
        for i in runs[1].inputs.dataset_inputs
    }
    assert [name for name, context in sorted(by_context) if context == "training"] == ["2013-02", "2013-03", "2013-04"]
    assert [name for name, context in by_context if context == "evaluation"] == ["2013-05"]
    spans = {s.span.name: s.span.content for s in summaries(running.store, PIPELINE)}
    assert by_context["2013-05", "evaluation"] == spans["2013-05"]
    assert len(runs[1].outputs.model_outputs) == 1
    version = client.get_model_version(PIPELINE, "2")
    assert version.run_id == runs[1].info.run_id
    assert version.tags["taxiway.newest_span"] == "2013-05"
    records = {a.path for a in client.list_artifacts(runs[1].info.run_id, "records")}
    expected = (
        "Snapshot",
        "DataReport",
        "FeatureSet",
        "Candidate",
        "Evaluation",
        "Verdict",
        "ShadowReport",
        "Promotion",
        "RunSummary",
    )
    assert records == {f"records/{kind}.json" for kind in expected}


def test_aliases_and_the_ledger_agree(running: Running, played: Played) -> None:
    client = running.mlflow
    assert [version_at(client, PIPELINE, alias) for alias in (CHAMPION, PREVIOUS, CHALLENGER)] == [2, 1, None]
    assert [(e.state, e.promotion.from_version, e.promotion.to_version) for e in entries(client, PIPELINE)] == [
        (State.DONE, 1, 2),
        (State.DONE, None, 1),
    ]


def test_links_lead_both_ways(running: Running, played: Played) -> None:
    run = summaries(running.store, PIPELINE)[1]
    tags = running.mlflow.get_run(run.mlflow_run).data.tags
    assert tags["airflow.url"] == f"{running.stack.url('airflow')}/dags/{PIPELINE}/runs/{run.run}"
    for task in ("ingest", "train", "shadow", "push", "close_run"):
        links = running.api._get(f"/dags/{PIPELINE}/dagRuns/{run.run}/taskInstances/{task}/links")["extra_links"]
        assert links["MLflow run"].endswith(f"/runs/{run.mlflow_run}"), task
    links = running.api._get(f"/dags/{PIPELINE}/dagRuns/{run.run}/taskInstances/validate_model/links")["extra_links"]
    assert links["Gate report"] == f"{links['MLflow run']}/artifacts/report/gate.html"
    assert [file.path for file in running.mlflow.list_artifacts(run.mlflow_run, "report")] == ["report/gate.html"]


def test_only_references_go_through_xcom(running: Running, played: Played) -> None:
    run = summaries(running.store, PIPELINE)[1].run
    found = running.api._get(f"/dags/{PIPELINE}/dagRuns/{run}/taskInstances/~/xcomEntries?limit=100")["xcom_entries"]
    assert len(found) >= 8
    for entry in found:
        path = f"/dags/{PIPELINE}/dagRuns/{run}/taskInstances/{entry['task_id']}/xcomEntries/{entry['key']}"
        value = json.dumps(running.api._get(path)["value"])
        assert len(value) < 300, (entry["task_id"], entry["key"], value)
        assert running.stack.secrets.gateway_admin_token not in value


def test_no_token_is_in_a_log(running: Running, played: Played) -> None:
    keys = running.stack.secrets
    secrets = (keys.gateway_admin_token, keys.gateway_caller_token, keys.airflow_password, keys.airflow_jwt_secret)
    logs = [p for p in running.stack.home.logs.rglob("*") if p.is_file()]
    assert len(logs) > 20
    for path in logs:
        text = path.read_text(errors="replace")
        assert not [s for s in secrets if s in text], path


def test_every_request_is_in_the_gateways_log_with_both_answers(running: Running, played: Played) -> None:
    import sqlite3

    with sqlite3.connect(running.stack.home.gateway / "requests.sqlite") as log:
        assert log.execute("SELECT count(*) FROM requests").fetchone()[0] >= 2500


def test_the_viewer_is_told_what_happens(played: Played, running: Running, tmp_path: Path) -> None:
    shown = played.shown
    for words in ("1. April arrives", "✓ ingest", "sent 2,500, answered 2,500", "✗ validate_data", "upstream failed"):
        assert words in shown
    out = io.StringIO()
    found, champion = demo.decisions(running.stack), demo.current_champion(running.stack.url("mlflow"))
    print_table(Console(file=out, width=120), found, champion, played.run.traffic)
    for words in ("FIRST CHAMPION", "PROMOTED", "BLOCKED", "REJECTED", "version 2, since", "lost 0"):
        assert words in out.getvalue()
    run = played.run
    write_report(tmp_path / "report.json", found, champion, run.tasks, run.traffic, run.checked, run.seconds)
    report = json.loads((tmp_path / "report.json").read_text())
    assert [run["outcome"] for run in report["runs"]] == [
        *("FIRST CHAMPION", "PROMOTED", "BLOCKED", "REJECTED"),
        *("FIRST CHAMPION", "PROMOTED"),
    ]
    assert all(run["tasks"] for run in report["runs"][:4])
    assert report["champion"]["version"] == 2
    assert report["traffic"]["lost"] == 0
    assert report["answers"]["champion"] == {"answers": 2500, "equal": 2500, "difference": None}


def test_a_second_demonstration_does_nothing_twice(running: Running, played: Played) -> None:
    shown, again = io.StringIO(), DemoRun()
    demo._run_scenarios(Console(file=shown, width=120), running.stack, again, Path(), run_command)
    assert shown.getvalue().count("decided in an earlier demonstration") == 5
    assert again.tasks == {}


def test_status_shows_what_runs_what_is_in_production_and_what_was_decided(
    running: Running, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = running.stack.home.root
    shown = CliRunner().invoke(main, ["status", "--home", str(home)], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    addresses = [f"http://127.0.0.1:{port}" for port in running.stack.ports.values()]
    for words in (*addresses, f"{PIPELINE} version 2", "serves version 2", "2013-06", "BLOCKED"):
        assert words in " ".join(shown.output.split()), words
    # Commands that need MLflow find that of the stack in this folder.
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("taxiway.cli.options.DEFAULT_STACK_HOME", home)
    assert CliRunner().invoke(main, ["history", PIPELINE]).exit_code == 0


def ask(running: Running, *arguments: str) -> str:
    shown = CliRunner().invoke(main, [*arguments, "--tracking-uri", running.stack.url("mlflow")], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    return shown.stdout


def test_lineage_tells_what_made_the_champion(running: Running, played: Played) -> None:
    spans = {s.span.name: s.span.content for s in summaries(running.store, PIPELINE)}
    shown = ask(running, "lineage", "model", PIPELINE)
    for words in (
        f"{PIPELINE} version 2",
        "trained on 2013-02",
        f"evaluated on 2013-05: 28,128 rows, content {spans['2013-05']}",
        "DataReport: PASS",
        "HistGradientBoostingClassifier",
        "environment: python 3.",
        "Verdict: PASS",
        "ShadowReport: PASS",
        "champion from version 1 to 2",
    ):
        assert words in shown, words
    assert ask(running, "lineage", "model", f"{PIPELINE}@champion") == shown
    first = json.loads(ask(running, "lineage", "model", f"{PIPELINE}/1", "--json"))
    assert first["version"] == 1
    assert [s["name"] for s in first["records"]["snapshot"]["training"]] == ["2013-01", "2013-02", "2013-03"]
    assert first["records"]["shadow"]["status"] == "NOT_APPLICABLE"


def test_lineage_tells_what_a_span_touched(running: Running, played: Played) -> None:
    spans = {s.span.name: s.span.content for s in summaries(running.store, PIPELINE)}
    by_name, by_digest = (ask(running, "lineage", "data", data) for data in ("2013-04", spans["2013-04"]))
    # One of them read the poisoned rows of that name; other teams have spans of that name, too.
    assert len(re.findall(r"─ flights\.\w+: \w+ on 2013-04", by_name)) == 4
    assert f"{spans['2013-04']} was read by 3 runs" in by_digest
    for words in (
        "evaluation on 2013-04, FIRST CHAMPION, version 1",
        "training on 2013-04, PROMOTED, version 2",
        "BLOCKED, no model",
    ):
        assert words in by_name
        assert words in by_digest
    assert json.loads(ask(running, "lineage", "data", "2099-01", "--json")) == []


def test_history_lists_every_promotion(running: Running, played: Played) -> None:
    shown = ask(running, "history", PIPELINE)
    assert shown.index("passed the model gate and the shadow gate") < shown.index("first champion")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lineage", "model", f"{PIPELINE}/9"), "has no version 9; it has the versions 1, 2"),
        (("lineage", "model", f"{PIPELINE}@challenger"), 'has no alias "challenger"'),
        (("lineage", "model", "no.such"), "MLflow has no version of this model"),
        (("lineage", "model", "a@b@c"), "is not the name of a model"),
        (("lineage", "data", "x' OR '1'='1"), "is not a valid name"),
        (("history", "no.such"), "has no promotion of no.such"),
    ],
)
def test_a_query_about_something_unknown_is_answered_with_a_message(
    running: Running, played: Played, arguments: tuple[str, ...], words: str
) -> None:
    shown = CliRunner().invoke(main, [*arguments, "--tracking-uri", running.stack.url("mlflow")])
    assert shown.exit_code == 1
    assert words in shown.output


def test_rollback_puts_the_first_champion_back_and_the_gateway_follows(running: Running, played: Played) -> None:
    """Runs last here: it changes the champion."""
    stack = running.stack
    arguments = [
        "rollback",
        PIPELINE,
        "--tracking-uri",
        stack.url("mlflow"),
        "--gateway",
        stack.url("gateway"),
        "--reason",
        "tried",
    ]
    environment = {"TAXIWAY_LEDGER_KEYS": stack.secrets.ledger_keys, "TAXIWAY_ADMIN_TOKEN": stack.secrets.gateway_admin_token}
    done = CliRunner(env=environment).invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert f"champion of {PIPELINE}: version 1 (was 2)" in done.output
    assert "the gateway serves version 1" in done.output
    assert entries(running.mlflow, PIPELINE)[0].promotion.by.startswith(f"{getpass.getuser()}@")
    again = CliRunner(env=environment).invoke(main, arguments)
    assert again.exit_code == 0, again.output
    assert "so it was not done again" in again.output
    further = CliRunner(env=environment).invoke(main, [*arguments[:-1], "tried again"])
    assert further.exit_code == 1
    assert "the first champion cannot be rolled back" in further.output
    without_keys = CliRunner().invoke(main, arguments)
    assert without_keys.exit_code == 1
