"""`?explain=true`: the same predictions, with what each column contributes to them, from a process that other requests do not wait for."""

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from real_models import serve, some_rows
from running import ADMIN, CALLER, Running, register, start_gateway

from helping import PATIENCE_S, until
from taxiway.cli.main import main
from taxiway.serving.gateway.models.explainer import MAX_ROWS


@pytest.fixture(scope="module")
def served(
    mlflow_url: str, registry: MlflowClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Running, str, str]]:
    gateway, typed, plain = serve(mlflow_url, registry, tmp_path_factory.mktemp("explained"))
    yield gateway, typed, plain
    gateway.stop()


def body(count: int) -> dict[str, Any]:
    return {"dataframe_records": json.loads(some_rows(count).to_json(orient="records"))}


def ask(
    gateway: Running, model: str, content: dict[str, Any], option: str = "explain=true", token: str = ADMIN
) -> httpx.Response:
    url = f"{gateway.url}/models/{model}/invocations{'?' if option else ''}{option}"
    return gateway.http.post(url, json=content, headers={"Authorization": f"Bearer {token}"})


def test_predictions_are_explained_and_do_not_change(served: tuple[Running, str, str]) -> None:
    gateway, model, _ = served
    plain = ask(gateway, model, body(7), "").json()
    assert ask(gateway, model, body(7), "explain=false").json() == plain
    until(lambda: (len(gateway.workers()), gateway.in_background()) == (2, []), "no process is started before it is needed")
    with ThreadPoolExecutor(4) as callers:  # the first ones come at once, and start one process
        explained, *others = [answer.json() for answer in callers.map(lambda _: ask(gateway, model, body(7)), range(4))]
    assert others == [explained] * 3
    found = explained.pop("explanations")
    assert explained == plain
    assert (found["unit"], found["method"]) == ("log_odds", "exact")
    for row, (_, probability) in zip(found["rows"], plain["predictions"], strict=True):
        assert row["of"] == "True"
        assert set(row["contributions"]) == set(some_rows(1))
        assert 1 / (1 + math.exp(-row["base"] - sum(row["contributions"].values()))) == pytest.approx(probability)
    until(
        lambda: (len(gateway.workers()), len(gateway.in_background())) == (2, 1),
        "one process explains, and none writes the log",
    )


def test_a_model_of_any_kind_is_explained_by_sampling(gateway: Running, registry: MlflowClient) -> None:
    model = register(registry, "HasExample")
    gateway.admin.refresh(model)
    found = ask(gateway, model, {"dataframe_records": [{"x": 0.75}]}).json()["explanations"]
    assert found == {
        "unit": "probability",
        "rows": [{"of": "1", "base": 0.25, "contributions": {"x": 0.5}, "standard_errors": {"x": 0.0}}],
        "method": "sampling",
        "sampling": {"orders": 20, "background_rows": 2},
    }


def test_the_example_of_the_guide_has_the_format_of_an_answer(served: tuple[Running, str, str]) -> None:
    gateway, model, _ = served
    example = json.loads((Path(__file__).parents[4] / "docs/examples/explanation.json").read_text())
    answer = ask(gateway, model, body(1)).json()
    assert {*example} == {*answer} - {"threshold"}
    assert {*example["explanations"]} == {*answer["explanations"]}
    ((row,), (answered,)) = example["explanations"]["rows"], answer["explanations"]["rows"]
    assert {*row} == {*answered}
    log_odds = row["base"] + sum(row["contributions"].values())
    assert 1 / (1 + math.exp(-log_odds)) == pytest.approx(example["predictions"][0][1], abs=1e-3)


def test_what_cannot_be_explained_is_refused_with_the_reason(served: tuple[Running, str, str]) -> None:
    gateway, model, plain = served
    for answer, status, message in (
        (ask(gateway, plain, body(1)), 422, "cannot be explained: it is not a transform and an estimator"),
        (ask(gateway, model, body(MAX_ROWS + 1)), 413, "101 rows to explain; allowed: 100"),
        (ask(gateway, model, body(1), token=CALLER), 403, "needs the scope explain"),
        (ask(gateway, model, body(1), "explain=maybe"), 400, "explain"),
        (ask(gateway, model, {"dataframe_records": [{"distance": 1}]}), 400, "missing columns"),
    ):
        assert answer.status_code == status, answer.text
        assert message in answer.json()["message"]
    assert ask(gateway, model, body(MAX_ROWS)).status_code == 200


def test_a_caller_with_rounded_scores_gets_rounded_contributions(served: tuple[Running, str, str]) -> None:
    gateway, model, _ = served
    add = [
        "caller",
        "add",
        "analyst",
        "--state",
        str(gateway.state),
        "--scope",
        "predict",
        "--scope",
        "explain",
        "--decimals",
        "2",
    ]
    token = CliRunner().invoke(main, add).stdout.strip()
    until(lambda: ask(gateway, model, body(1), token=token).status_code == 200, "the caller is known")
    (row,) = ask(gateway, model, body(1), token=token).json()["explanations"]["rows"]
    assert all(round(value, 2) == value for value in (row["base"], *row["contributions"].values()))


def test_a_killed_process_is_replaced(served: tuple[Running, str, str]) -> None:
    gateway, model, _ = served
    assert ask(gateway, model, body(1)).status_code == 200
    for explainer in gateway.in_background():
        explainer.kill()
        explainer.wait(PATIENCE_S)
    assert [ask(gateway, model, body(1)).status_code for _ in range(2)] == [200, 200]


def test_an_explanation_that_takes_too_long_is_given_up_and_only_it(
    mlflow_url: str, registry: MlflowClient, tmp_path: Any
) -> None:
    model = register(registry, "SlowToExplain")
    gateway = start_gateway(mlflow_url, tmp_path, models=[model], predict_timeout_s=3)
    until(lambda: gateway.admin.status(model).champion == 1, "the champion is loaded")
    with ThreadPoolExecutor(1) as other:
        slow = other.submit(ask, gateway, model, {"dataframe_records": [{"x": 0.5}]})
        assert ask(gateway, model, {"dataframe_records": [{"x": 0.5}]}, "").json() == {"predictions": [[0.5, 0.5]]}
        assert slow.result().status_code == 504
        assert slow.result().headers["X-Taxiway-Request-Id"], "the prediction was made, and is in the log"
    assert "more than 3 s" in slow.result().json()["message"]
    gateway.stop()
