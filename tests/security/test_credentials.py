"""Users and passwords of URLs are in no message, log or answer."""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import ADMIN, start_gateway

from helping import until
from taxiway.cli.main import main
from taxiway.credentials import without_credentials
from taxiway.errors import RequestError, TransientError
from taxiway.hooks.mlflow import MlflowHook

PASSWORD = "S3CRET/p@ss"
QUOTED = quote(PASSWORD, safe="")
MLFLOW = f"http://mlflowuser:{QUOTED}@127.0.0.1:1"


@given(user=st.text(max_size=8), password=st.text(max_size=8), before=st.sampled_from(["", "see ", '("', "a@b: "]))
def test_the_credentials_of_a_url_are_removed_and_nothing_else(user: str, password: str, before: str) -> None:
    url = f"https://{quote(user, safe='')}:{quote(password, safe='')}@host:80/a@b?c=d@e"
    assert (
        without_credentials(f"{before}{url} and {url}.") == f"{before}https://host:80/a@b?c=d@e and https://host:80/a@b?c=d@e."
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no URL",
        "http://host:8500/models/a@b.c",
        "http://host:80?to=a@b.c",
        "ann@example.com",
        "https://host/~ann@example.com",
        "https://host?to=ann@b",
        "a://",
    ],
)
def test_a_text_without_credentials_stays(text: str) -> None:
    assert without_credentials(text) == text


def test_a_password_with_an_at_sign_that_was_not_quoted_is_removed_too() -> None:
    assert without_credentials("mysql://ann:p@ss@db:3306/x is down") == "mysql://db:3306/x is down"


@pytest.mark.parametrize("password", ["se/cret", "a?b", "a#b", "it's", "ab/cd+ef", 'quo"te', "a:b"])
def test_a_password_that_sqlalchemy_accepts_unquoted_is_removed(password: str) -> None:
    text = f"postgresql://ann:{password}@db:5432/x (and s3://key:{password}@bucket) failed"
    assert without_credentials(text) == "postgresql://db:5432/x (and s3://bucket) failed"


@pytest.mark.parametrize(
    "name", ["sig", "X-Amz-Signature", "X-Amz-Credential", "X-Goog-Signature", "token", "access_key", "password"]
)
def test_the_secret_parameters_of_a_url_are_masked_and_no_others(name: str) -> None:
    text = f"https://host/a.csv?versionId=3&{name}=S3CRET%2F+x&se=2026#rows is away; see http://host?a=b"
    assert without_credentials(text) == f"https://host/a.csv?versionId=3&{name}=***&se=2026#rows is away; see http://host?a=b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("jdbc:sqlserver://host:1;user=ann;password=S3CRET;x=1", "jdbc:sqlserver://host:1;user=ann;password=***;x=1"),
        ("https://host/#access_token=S3CRET&x=1", "https://host/#access_token=***&x=1"),
        ("404 of GET /f.csv?se=1&sig=S3CRET: not found", "404 of GET /f.csv?se=1&sig=*** not found"),
        ("what? key=3, and why? token = 4", "what? key=3, and why? token = 4"),
    ],
)
def test_secrets_are_masked_wherever_a_query_is(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


def test_masking_takes_linear_time() -> None:
    for sign in "?&;#=@:/":
        text = f"https://x?{sign * 200_000}"
        assert len(without_credentials(text)) <= len(text)


def test_the_gateways_errors_have_none() -> None:
    error = RequestError(404, f"no model at {MLFLOW}")
    assert error.message == str(error) == "no model at http://127.0.0.1:1"


def test_errors_and_logs_have_none() -> None:
    assert str(TransientError(f"{MLFLOW} is down")) == "http://127.0.0.1:1 is down"
    code = f"""
import logging
from taxiway.credentials import log_to_stderr
log_to_stderr()
try: raise ValueError({MLFLOW!r})
except ValueError: logging.getLogger("other").exception("failed at %s", {MLFLOW!r})
"""
    logged = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    assert "failed at http://127.0.0.1:1" in logged
    assert "ValueError: http://127.0.0.1:1" in logged
    assert QUOTED not in logged


def test_a_gateway_whose_mlflow_is_away_tells_nobody_the_password(tmp_path: Path) -> None:
    running = start_gateway(MLFLOW, tmp_path / "state", models=["team.model"], load_timeout_s=5)
    try:
        told = [running.post("team.model", {"dataframe_records": [{"x": 1}]}).text]
        headers = {"Authorization": f"Bearer {ADMIN}"}
        until(lambda: running.http.get(f"{running.url}/models", headers=headers).json()[0]["problem"], "the problem is shown")
        told += [running.http.get(f"{running.url}{page}", headers=headers).text for page in ("/models", "/models/team.model")]
        told.append(running.http.post(f"{running.url}/models/team.model/refresh", headers=headers).text)
        challenger = {"version": 1, "owner": "o", "lease_s": 60}
        told.append(running.http.put(f"{running.url}/models/team.model/challenger", headers=headers, json=challenger).text)
    finally:
        running.stop()
    told.append((running.state / "output").read_text())
    assert any("127.0.0.1:1" in text for text in told)
    assert [text for text in told if "S3CRET" in text or "mlflowuser" in text] == []


@pytest.mark.parametrize(
    "command", [["history", "a.b"], ["lineage", "model", "a.b"], ["--debug", "lineage", "data", "2024-01"]]
)
def test_the_command_line_does_not_print_it(command: list[str]) -> None:
    from click.testing import CliRunner

    shown = CliRunner().invoke(main, [*command, "--tracking-uri", MLFLOW])
    assert "127.0.0.1:1" in shown.output
    assert "S3CRET" not in shown.output


def test_airflow_masks_it_in_the_form_that_urls_have(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.log import redact

    connection = {"conn_type": "mlflow", "host": "127.0.0.1", "port": 1, "schema": "http", "login": "u", "password": PASSWORD}
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(connection))
    assert QUOTED not in redact(f"API request to {MlflowHook().tracking_uri()}/api failed")
