"""The connection types in Airflow: their forms, and the test button against servers that are there, wrong, or not there."""

import pytest
from conftest_airflow import Running

from helping import free_port


def tried(running: Running, kind: str, **fields: object) -> tuple[bool, str]:
    answer = running.api._http.post("/connections/test", json={"connection_id": "tried", "conn_type": kind, **fields})
    answer.raise_for_status()
    return answer.json()["status"], answer.json()["message"]


def test_the_forms_show_what_means_something(running: Running) -> None:
    answer = running.api._http.get(f"{running.stack.url('airflow')}/ui/connections/hook_meta")
    forms = {each["connection_type"]: each for each in answer.raise_for_status().json()}
    assert forms["mlflow"]["hook_name"] == "MLflow"
    host = forms["mlflow"]["standard_fields"]["host"]
    assert (host["title"], host["placeholder"], host["hidden"]) == ("Address", "https://mlflow.example.com", False)
    assert forms["mlflow"]["extra_fields"]["public_url"]["schema"]["title"] == "Public address, if it differs"
    gateway = forms["taxiway_gateway"]["standard_fields"]
    assert gateway["password"]["title"] == "Admin token"
    assert gateway["login"]["hidden"] is True


def test_a_right_connection_passes_its_test(running: Running) -> None:
    url, gateway = running.stack.url("mlflow"), running.stack.url("gateway")
    assert tried(running, "mlflow", host=url) == (True, f"MLflow answers at {url}")
    works, message = tried(running, "taxiway_gateway", host=gateway, password=running.stack.secrets.gateway_admin_token)
    assert (works, message) == (True, f"the gateway at {gateway} answers and accepts the admin token")


@pytest.mark.parametrize("kind", ["mlflow", "taxiway_gateway"])
def test_a_wrong_connection_says_what_is_wrong(running: Running, kind: str) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    works, message = tried(running, kind, host=nobody, password="some token")
    assert not works
    assert nobody in message
    assert tried(running, kind)[1].endswith("has no host; set it to an address such as http://127.0.0.1:5000")
    works, message = tried(
        running, kind, host=running.stack.url("airflow"), password="some token"
    )  # another server than the one that is meant
    assert not works
    assert "is not a" in message or "HTTP 40" in message, message


def test_the_callers_token_does_not_do_for_the_gateway(running: Running) -> None:
    gateway, keys = running.stack.url("gateway"), running.stack.secrets
    works, message = tried(running, "taxiway_gateway", host=gateway, password=keys.gateway_caller_token)
    assert not works
    assert f"the password is the caller token of the gateway at {gateway}; pipelines need its admin token" == message
    assert tried(running, "taxiway_gateway", host=gateway)[1].endswith("has no password; set it to the gateway's admin token")
    works, message = tried(running, "taxiway_gateway", host=gateway, password="wrong")
    assert not works
    assert "HTTP 401" in message
    assert keys.gateway_admin_token not in message
