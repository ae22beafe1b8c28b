"""Named callers of a running gateway: their tokens, scopes, models and limits."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from running import ADMIN, CALLER, Running, register

from helping import until
from taxiway.cli.main import main
from taxiway.errors import ConfigError, LimitError, RequestError
from taxiway.serving.callers import Caller, Scope, add_caller, digest_of_token, read_callers, revoke_caller, rotate_token
from taxiway.serving.gateway.http.known_callers import KnownCallers
from taxiway.serving.gateway.http.limits import CallerLimits, rounded
from taxiway.serving.gateway.settings import GatewaySettings


@pytest.fixture(scope="module")
def model(gateway: Running, registry: MlflowClient) -> str:
    name = register(registry, "Healthy")
    assert gateway.admin.refresh(name).champion == 1
    return name


def added(gateway: Running, name: str, *options: str) -> str:
    """A caller, by the command; returns its token once the gateway knows it."""
    result = CliRunner().invoke(main, ["caller", "add", name, "--state", str(gateway.state), *options])
    assert result.exit_code == 0, result.output
    token = result.stdout.strip()
    until(lambda: gateway.http.get(f"{gateway.url}/models", headers=bearer(token)).status_code == 200, "the token is known")
    return token


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_caller_is_added_logged_and_revoked_without_a_restart(gateway: Running, model: str) -> None:
    token = added(gateway, "shop")
    answer = gateway.ask(model, 0.25, token=token)
    assert answer.json() == {"predictions": [[0.75, 0.25]]}
    with closing(sqlite3.connect(gateway.state / "requests.sqlite")) as log:
        found = log.execute("SELECT caller FROM requests WHERE request_id = ?", (answer.headers["X-Taxiway-Request-Id"],))
        assert found.fetchall() == [("shop",)]
    stored = (gateway.state / "callers.json").read_text()
    assert token not in stored
    assert digest_of_token(token.encode()) in stored
    assert (gateway.state / "callers.json").stat().st_mode & 0o777 == 0o600
    assert CliRunner().invoke(main, ["caller", "revoke", "shop", "--state", str(gateway.state)]).exit_code == 0
    until(lambda: gateway.ask(model, 0.25, token=token).status_code == 401, "the token is refused")


def test_scopes_and_models(gateway: Running, registry: MlflowClient, model: str) -> None:
    other = register(registry, "Healthy")
    assert gateway.admin.refresh(other).champion == 1
    one = added(gateway, "one-model", "--model", model)
    scraper = added(gateway, "prometheus", "--scope", "metrics")
    assert gateway.ask(model, 0.5, token=one).status_code == 200
    refused = gateway.ask(other, 0.5, token=one)
    assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert f'may not use the model "{other}"' in refused.json()["message"]
    assert gateway.ask("never.registered", 0.5, token=one).status_code == 403  # says nothing about which models exist
    assert [found["model"] for found in gateway.http.get(f"{gateway.url}/models", headers=bearer(one)).json()] == [model]
    assert gateway.http.get(f"{gateway.url}/models/{other}", headers=bearer(one)).status_code == 403
    assert gateway.http.get(f"{gateway.url}/metrics", headers=bearer(one)).status_code == 403
    assert gateway.http.get(f"{gateway.url}/metrics", headers=bearer(scraper)).status_code == 200
    assert gateway.ask(model, 0.5, token=scraper).status_code == 403
    assert gateway.http.post(f"{gateway.url}/models/{model}/refresh", headers=bearer(one)).status_code == 403
    only = gateway.http.post(f"{gateway.url}/invocations", json={"instances": [{"x": 0.5}]}, headers=bearer(one))
    assert only.json() == {"predictions": [[0.5, 0.5]]}
    absent = added(gateway, "absent-model", "--model", "not.served")
    for path in ("/invocations", "/models/not.served/invocations"):
        answer = gateway.http.post(gateway.url + path, json={"instances": [{"x": 0.5}]}, headers=bearer(absent))
        assert answer.status_code == 404
        assert "served: none" in answer.json()["message"]


def test_a_rotated_token_ends_and_the_new_one_works(gateway: Running, model: str) -> None:
    old = added(gateway, "rotating")
    rotate = ["caller", "rotate", "rotating", "--state", str(gateway.state)]
    second = CliRunner().invoke(main, rotate).stdout.strip()
    until(lambda: gateway.ask(model, 0.5, token=second).status_code == 200, "the new token works")
    assert gateway.ask(model, 0.5, token=old).status_code == 200
    third = CliRunner().invoke(main, [*rotate, "--keep-old", "0s"]).stdout.strip()
    until(lambda: gateway.ask(model, 0.5, token=second).status_code == 401, "the second token has ended")
    assert gateway.ask(model, 0.5, token=old).status_code == 401
    assert gateway.ask(model, 0.5, token=third).status_code == 200


def test_limits_and_rounding_through_http(gateway: Running, model: str) -> None:
    limited = added(gateway, "limited", "--rows-per-day", "3", "--decimals", "1")
    answer = gateway.ask(model, 0.25, 0.5, token=limited)
    assert answer.json() == {"predictions": [[0.8, 0.2], [0.5, 0.5]]}
    over = gateway.ask(model, 0.25, 0.5, token=limited)
    assert (over.status_code, over.json()["error_code"]) == (429, "REQUEST_LIMIT_EXCEEDED")
    assert "3 rows per day (UTC) and has sent 2; this request has 2" in over.json()["message"]
    assert 1 <= int(over.headers["Retry-After"]) <= 86_400
    assert gateway.ask(model, 0.25, token=limited).status_code == 200
    slow = added(gateway, "slow", "--rate", "0.001")
    assert [gateway.ask(model, 0.5, token=slow).status_code for _ in range(3)] == [200, 429, 429]
    assert gateway.ask(model, 0.5).status_code == 200
    metrics = gateway.http.get(f"{gateway.url}/metrics", headers=bearer(ADMIN)).text
    assert f'taxiway_requests_over_limit_total{{caller="slow",model="{model}"}} 2.0' in metrics
    assert f'taxiway_requests_total{{caller="limited",model="{model}",status="200"}} 2.0' in metrics
    assert f'taxiway_champion_version{{model="{model}"}} 1.0' in metrics
    assert f'taxiway_request_seconds_count{{model="{model}"}}' in metrics


def test_unknown_options_are_errors(gateway: Running, model: str) -> None:
    url = f"{gateway.url}/models/{model}/invocations?explian=true"
    answer = gateway.http.post(url, json={"dataframe_records": [{"x": 1}]}, headers=bearer(CALLER))
    assert answer.status_code == 400
    assert 'unknown option "explian"' in answer.json()["message"]
    answer = gateway.http.get(f"{gateway.url}/models/{model}/pairs?version=1&owner=me&limt=3", headers=bearer(ADMIN))
    assert "allowed here:" in answer.json()["message"]
    for options, message in {
        "explain=maybe": 'explain is "maybe"; allowed: true or false',
        "explain=false&explain=true": 'the option "explain" is repeated in the URL; give it once',
    }.items():
        url = f"{gateway.url}/models/{model}/invocations?{options}"
        answer = gateway.http.post(url, json={"dataframe_records": [{"x": 1}]}, headers=bearer(CALLER))
        assert (answer.status_code, answer.json()["message"]) == (400, message)


def test_a_gateway_is_alive_before_it_is_ready(gateway: Running, registry: MlflowClient, model: str) -> None:
    assert gateway.http.get(f"{gateway.url}/ready").status_code == 200
    waiting = register(registry, "Healthy", champion=0)
    assert gateway.admin.refresh(waiting).champion == 0
    refused = gateway.ask(waiting, 0.5)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    answer = gateway.http.get(f"{gateway.url}/ready")
    assert (answer.status_code, gateway.http.get(f"{gateway.url}/ping").status_code) == (503, 200)
    assert waiting not in answer.text
    registry.set_registered_model_alias(waiting, "champion", "1")
    assert gateway.admin.refresh(waiting).champion == 1
    assert gateway.http.get(f"{gateway.url}/ready").status_code == 200


def settings(folder: Path) -> GatewaySettings:
    tokens = {"caller_token": CALLER, "admin_token": ADMIN}
    return GatewaySettings.model_validate({"tracking_uri": "http://127.0.0.1:1", "state_folder": folder, **tokens})


def test_a_damaged_file_keeps_the_known_callers(tmp_path: Path) -> None:
    token = add_caller(tmp_path, Caller(name="shop")).encode()
    known = KnownCallers(settings(tmp_path))
    (tmp_path / "callers.json").write_text("{")
    known.reload()
    assert known.of(token) is not None
    assert "callers.json cannot be read" in known.problem
    assert known.of(ADMIN.encode()).scopes == (Scope.ADMIN,)  # type: ignore[union-attr]
    (tmp_path / "callers.json").unlink()
    known.reload()
    assert (known.of(token), known.problem) == (None, "")
    assert known.of(b"") is None


@pytest.mark.parametrize("name", ["", "admin", "caller", "a b", "../x", "-x", "x" * 65, "x\n"])
def test_names_that_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="is not a name for a caller"):
        add_caller(tmp_path, Caller(name=name))
    assert read_callers(tmp_path) == ()


def test_mistakes_about_callers(tmp_path: Path) -> None:
    add_caller(tmp_path, Caller(name="shop"))
    with pytest.raises(ConfigError, match="exists already; for a new token: taxiway caller rotate shop"):
        add_caller(tmp_path, Caller(name="shop"))
    with pytest.raises(ConfigError, match='no caller "web"; known: "shop"'):
        revoke_caller(tmp_path, "web")
    with pytest.raises(ConfigError, match="is not a folder"):
        rotate_token(tmp_path / "none", "shop", datetime.now(UTC), datetime.now(UTC))


def test_the_rows_of_a_day_outlive_a_restart_and_end_with_the_day(tmp_path: Path) -> None:
    now = datetime(2026, 11, 27, 23, 59, 30, tzinfo=UTC)
    caller = Caller(name="shop", rows_per_day=10)
    limits = CallerLimits(tmp_path, now=lambda: now)
    limits.take_rows(caller, 8)
    limits.store()
    limits = CallerLimits(tmp_path, now=lambda: now)
    with pytest.raises(LimitError) as refused:
        limits.take_rows(caller, 3)
    assert refused.value.retry_after_s == 30
    limits.take_rows(caller, 2)
    limits.return_rows(caller, 2)
    limits.take_rows(caller, 2)
    now += timedelta(minutes=1)
    with pytest.raises(RequestError, match="this request has 11 rows, and the caller shop may send 10 per day"):
        limits.take_rows(caller, 11)
    limits.take_rows(caller, 10)
    limits.store()
    now += timedelta(days=1)
    limits.take_rows(caller, 10)  # the same number, on another day
    limits.store()
    with pytest.raises(LimitError):
        CallerLimits(tmp_path, now=lambda: now).take_rows(caller, 1)


def test_a_rate_is_an_average_over_a_second(tmp_path: Path) -> None:
    now = 0.0
    caller = Caller(name="shop", requests_per_s=4)
    limits = CallerLimits(tmp_path, clock=lambda: now)
    for _ in range(4):
        limits.take_request(caller)
    with pytest.raises(LimitError) as refused:
        limits.take_request(caller)
    assert refused.value.retry_after_s == 0.25
    now = 0.25
    limits.take_request(caller)
    with pytest.raises(LimitError):
        limits.take_request(caller)


def test_rounding_keeps_what_is_no_score() -> None:
    assert (
        rounded('[{"label": "1.26", "n": 3, "score": 1.26}, [0.14, null]]', 1)
        == '[{"label": "1.26", "n": 3, "score": 1.3}, [0.1, null]]'
    )
