"""Models whose worker processes end again and again, beside another model of the same gateway."""

import asyncio
from typing import Any

import httpx
from mlflow import MlflowClient
from running import ADMIN, Running, register
from worlds import ROWS, FakeWorker, soon

from helping import until
from taxiway.errors import RestartDelayedError
from taxiway.serving.gateway.pending_request import Batch, PendingRequest
from taxiway.serving.gateway.version_server import VersionServer


def ended_by_request(gateway: Running, model: str) -> httpx.Response:
    """The first refusal with 503 of requests that end the worker."""
    while (answer := gateway.ask(model, 2)).status_code == 500:
        assert "the worker process died twice" in answer.text
    return answer


def restart_delay(gateway: Running, model: str) -> float:
    text = gateway.http.get(f"{gateway.url}/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
    (line,) = [one for one in text.splitlines() if one.startswith(f'taxiway_worker_restart_delay_seconds{{model="{model}"}}')]
    return float(line.split()[1])


def test_a_model_that_ends_its_worker_at_each_request_is_restarted_later_and_another_one_answers(
    serve: Any, registry: MlflowClient
) -> None:
    gateway, healthy = serve(poll_s=0.1)
    model = register(registry, "DiesOnTwo")
    gateway.admin.refresh(model)
    refused = ended_by_request(gateway, model)
    assert refused.status_code == 503
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    assert f"{model} cannot answer now; try again in " in refused.text
    assert "of its worker processes in a row have ended within 10 s of their start" in gateway.ask(model, 2, token=ADMIN).text
    assert gateway.ask(healthy, 0.25).json() == {"predictions": [[0.75, 0.25]]}
    assert not gateway.admin.status(healthy).problem
    assert restart_delay(gateway, healthy) == 0

    def reported() -> bool:
        ended_by_request(gateway, model)  # the delay grows until it is seen
        return "have ended within" in gateway.admin.status(model).problem and restart_delay(gateway, model) > 0

    until(reported, "status and metrics report the delay")
    until(lambda: gateway.ask(model, 0.5).status_code == 200, "the model answers again")
    until(lambda: not gateway.admin.status(model).problem, "the problem is over")


def test_a_request_that_ends_the_worker_fails_alone(serve: Any, registry: MlflowClient) -> None:
    gateway, _ = serve()
    model = register(registry, "DiesOnTwo")
    gateway.admin.refresh(model)
    for _ in range(2):
        assert gateway.ask(model, 2).status_code == 500
        assert gateway.ask(model, 0.5).json() == {"predictions": [[0.5, 0.5]]}


def test_a_second_worker_answers_while_the_restart_of_the_first_is_delayed() -> None:
    async def answered() -> None:
        workers = [FakeWorker(1), FakeWorker(1)]
        found: list[Batch] = []
        server = VersionServer("flights.late", 1, workers, limit=10, batching=True, on_answered=found.append)
        await server.start()
        workers[0].load_error = workers[0].predict_error = RestartDelayedError("later", retry_after_s=4)
        assert await server.restart_dead() == ""
        assert server.restart_delay is workers[0].load_error
        for _ in range(4):
            server.try_submit([PendingRequest("{}", ROWS, asyncio.get_running_loop().create_future())])
        await soon(lambda: sum(map(len, found)) == 4)
        assert {outcome.status for batch in found for _, outcome in batch} == {200}
        workers[1].predict_error = workers[0].predict_error
        server.try_submit([PendingRequest("{}", ROWS, asyncio.get_running_loop().create_future())])
        await soon(lambda: sum(map(len, found)) == 5)
        ((_, refused),) = found[-1]
        assert (refused.status, refused.retry_after_s) == (503, 4)
        server.kill()

    asyncio.run(answered())
