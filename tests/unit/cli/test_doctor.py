"""`taxiway doctor` on local runs: what is well, what is not, and its exit code."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from taxiway.cli.main import main
from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys
from taxiway.records import ShadowReport, Status, Verdict
from taxiway.registry.promote import push
from taxiway.stages.installation import DEFAULT_HOME, diagnosis, local_keys
from taxiway.tracking import tags
from taxiway.tracking.local import local_mlflow


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with local runs: a model with two versions, of which the first was promoted."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "TAXIWAY_LEDGER_KEYS"):
        monkeypatch.delenv(name, raising=False)
    with local_mlflow(DEFAULT_HOME) as client:
        client.create_registered_model("team.model")
        for version in (1, 2):
            client.create_model_version("team.model", f"file:///nowhere/{version}", tags={tags.NEWEST_SPAN: f"{version}"})
        promote(client, local_keys(DEFAULT_HOME))
    return tmp_path / DEFAULT_HOME


def promote(client: MlflowClient, keys: LedgerKeys) -> None:
    verdict = Verdict(model="team.model", version=1, snapshot="s", evaluation="e", status=Status.PASS, reasons=())
    shadow = ShadowReport(model="team.model", version=1, status=Status.NOT_APPLICABLE, reasons=())
    push(Ledger(client, keys), verdict, shadow, by="dag/run", at=datetime.now(UTC))


def doctor(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "250"}).invoke(main, ["doctor", *arguments])


def test_what_is_well_is_said_with_its_facts(home: Path) -> None:
    found = doctor()
    assert found.exit_code == 0, found.output
    assert "✓ versions: Python" in found.output
    assert f"✓ store: {home}/store can be written and read" in found.output
    assert "✓ ledger: 1 promotion, all signed" in found.output
    assert "✓ champions: 1 model in production, each according to the ledger" in found.output
    assert "! gateway: no gateway is known here" in found.output
    assert "only their owner can read them" in found.output
    assert list((home / "store").glob("index/doctor/*")) == []


def test_an_alias_moved_by_hand_is_an_error(home: Path) -> None:
    with local_mlflow(DEFAULT_HOME) as client:
        client.set_registered_model_alias("team.model", "champion", "2")
    found = doctor()
    assert found.exit_code == 1
    assert "✗ champions: team.model: the alias champion points to version 2, the ledger to version 1" in found.output


def test_secrets_that_others_can_read_are_an_error(home: Path) -> None:
    (home / "ledger.keys").chmod(0o644)
    found = doctor()
    assert found.exit_code == 1
    assert "mend it: chmod 600" in found.output


def test_other_keys_and_an_unknown_server_are_errors(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXIWAY_LEDGER_KEYS", "a" * 32)
    assert "1 of 1 promotion not signed with a key of this installation" in doctor().output
    away = doctor("--tracking-uri", "http://127.0.0.1:1", "--store", str(home / "store"))
    assert away.exit_code == 1
    assert "✓ store" in away.output, "what does not answer keeps nothing else from being looked at"
    assert "✗ MLflow and ledger: MLflow at http://127.0.0.1:1 does not answer" in away.output


def test_the_versions_of_the_servers_are_said(home: Path, mlflow_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = doctor("--tracking-uri", mlflow_url, "--store", str(home / "store"), "--airflow", mlflow_url)
    assert f"✓ MLflow: {mlflow_url} answers, version {version('mlflow-skinny')}" in found.output
    assert f"✗ Airflow: {mlflow_url} does not answer as Airflow does: HTTPStatusError" in found.output
    monkeypatch.setattr(diagnosis, "version", lambda _: "2.22.0")
    assert "and the client here is 2.22.0; use the same major version" in doctor("--tracking-uri", mlflow_url).output
