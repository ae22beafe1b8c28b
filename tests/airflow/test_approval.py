"""A person answers Airflow's question whether a version may be pushed, and the answer is in the signed ledger."""

import httpx
from click.testing import CliRunner
from conftest_airflow import Running

from helping import PATIENCE_S
from taxiway.cli.main import main as taxiway
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import decisions
from taxiway.ledger.keys import LedgerKeys
from taxiway.ledger.verify import verify
from taxiway.lineage.outcomes import summaries
from taxiway.records import DecisionKind, Outcome
from taxiway.registry.aliases import CHAMPION, version_at

DAG = "faults.approved"


def begin_early(running: Running) -> None:
    for name in ("approved", "silent"):
        for span in (1, 2):
            running.write_small(name, span)
        running.begin(f"faults.{name}")


def ledger(running: Running) -> Ledger:
    return Ledger(running.mlflow, LedgerKeys.parse(running.stack.secrets.ledger_keys))


def question(running: Running, run: str) -> dict:
    """What Airflow asks, once it does."""
    running.wait_for_question(DAG, run)
    return dict(running.api._get(f"/dags/{DAG}/dagRuns/{run}/taskInstances/approval/-1/hitlDetails"))


def answer(running: Running, run: str, user: str, choice: str, reason: str) -> int:
    url = f"{running.stack.url('airflow')}/api/v2/dags/{DAG}/dagRuns/{run}/taskInstances/approval/-1/hitlDetails"
    body = {"chosen_options": [choice], "params_input": {"reason": reason}}
    headers = {"Authorization": f"Bearer {running.token(user)}"} if user else {}
    return httpx.patch(url, json=body, headers=headers, timeout=PATIENCE_S).status_code


def test_a_version_waits_in_no_worker_until_a_person_approves_it(running: Running) -> None:
    run = running.begun.pop(DAG)
    asked = question(running, run)
    assert asked["subject"] == f"Push {DAG} version 1 as the first champion?"
    assert "**Model gate: PASS**" in asked["body"]
    assert "above the threshold 0.6" in asked["body"]
    assert "[the run in MLflow](http" in asked["body"]
    assert f"APPROVAL 2: Push {DAG} version 1 as the first champion?" in (running.stack.home.data / "messages.txt").read_text()
    assert version_at(running.mlflow, DAG, CHAMPION) is None
    assert answer(running, run, "", "Approve", "x") == 401
    assert answer(running, run, "viewer", "Approve", "x") == 403
    assert answer(running, run, "admin", "Perhaps", "x") == 400
    assert answer(running, run, "admin", "Approve", "the numbers are good") == 200
    assert answer(running, run, "admin", "Reject", "no, wait") == 409
    running.wait_for_end(DAG, run)
    assert version_at(running.mlflow, DAG, CHAMPION) == 1
    (made,) = decisions(ledger(running), model=DAG)
    assert (made.kind, made.by, made.via, made.reason) == (DecisionKind.APPROVAL, "admin", "airflow", "the numbers are good")
    assert [s.outcome for s in summaries(running.store, DAG)] == [Outcome.FIRST_CHAMPION]
    assert verify(ledger(running)).problems == ()


def test_a_rejected_version_is_not_pushed(running: Running) -> None:
    running.write_small("approved", 3)
    run = running.api.trigger(DAG, {})
    question(running, run)
    assert answer(running, run, "admin", "Reject", "the label has changed its meaning") == 200
    running.wait_for_end(DAG, run)
    assert version_at(running.mlflow, DAG, CHAMPION) == 1
    newest = summaries(running.store, DAG)[-1]
    assert newest.outcome is Outcome.REJECTED
    assert newest.reasons == ("rejected by admin: the label has changed its meaning",)


def test_an_answer_on_the_command_line_lets_the_run_continue(running: Running) -> None:
    running.write_small("approved", 4, seed=4)
    run = running.api.trigger(DAG, {})
    question(running, run)
    secrets, version = (
        running.stack.secrets,
        max(int(found.version) for found in running.mlflow.search_model_versions(f"name = '{DAG}'")),
    )
    given = {
        "MLFLOW_TRACKING_URI": running.stack.url("mlflow"),
        "TAXIWAY_STORE": str(running.stack.home.store),
        "TAXIWAY_LEDGER_KEYS": secrets.ledger_keys,
        "TAXIWAY_AIRFLOW": running.stack.url("airflow"),
        "TAXIWAY_AIRFLOW_TOKEN": running.token("viewer"),
    }
    arguments = ["reject", f"{DAG}/{version}", "--reason", "not before the holidays"]
    refused = CliRunner().invoke(taxiway, arguments, env=given)
    assert refused.exit_code == 0, refused.output
    assert "did not accept the answer" in refused.output
    assert (
        f"answer it in Airflow, too, which changes nothing but lets it continue: {running.stack.url('airflow')}/dags/"
        in refused.output
    )
    done = CliRunner().invoke(taxiway, arguments, env={**given, "TAXIWAY_AIRFLOW_TOKEN": running.token("admin")})
    assert "the run in Airflow continues" in done.output, done.output
    running.wait_for_end(DAG, run)
    made = [made for made in decisions(ledger(running), model=DAG) if made.version == version]
    assert [(each.kind, each.via) for each in made] == [(DecisionKind.REJECTION, "command line")]
    newest = summaries(running.store, DAG)[-1]
    assert (newest.outcome, newest.attempt) == (Outcome.REJECTED, 1)
    assert newest.reasons[0].endswith("not before the holidays")


def test_silence_means_what_the_pipeline_file_says(running: Running) -> None:
    _, tasks = running.run("faults.silent")
    assert (tasks["approval"].state, tasks["push"].state) == ("failed", "upstream_failed")
    (made,) = decisions(ledger(running), model="faults.silent")
    assert (made.kind, made.by) == (DecisionKind.REJECTION, "nobody (no answer in time)")
    assert made.reason == "no answer within approval.timeout; approval.on_timeout decides"
