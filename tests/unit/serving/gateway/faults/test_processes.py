"""Processes of a gateway that are killed, stopped, or cannot be started, while callers go on asking."""

import fcntl
import time
from pathlib import Path
from typing import Any

import duckdb
import psutil
from mlflow import MlflowClient
from running import ADMIN, Running, add_version, start_gateway
from traffic import CONNECTIONS, Traffic

from helping import until


def test_killed_workers_cost_no_request(gateway: Running, model: str) -> None:
    with Traffic(gateway, model) as traffic:
        for _ in range(3):
            for worker in gateway.workers():
                worker.kill()
            traffic.more(20)
    traffic.check()
    traffic.check_log(gateway.state)


def test_workers_that_are_killed_while_they_load_lose_no_request(gateway: Running, model: str) -> None:
    killed: set[int] = set()

    def kill_next() -> bool:
        new = [worker for worker in gateway.workers() if worker.pid not in killed]
        for worker in new:
            worker.kill()
        killed.update(worker.pid for worker in new)
        return bool(new)

    with Traffic(gateway, model) as traffic:
        for _ in range(6):
            until(kill_next, "there is another worker", every_s=0.001)
        traffic.more(20)
    # On a busy machine a worker may have loaded before it is seen, and the request that it has got may have lost one worker before.
    traffic.check(refused=None, died=None)
    traffic.check_log(gateway.state)


def test_stopped_workers_are_replaced(serve: Any) -> None:
    gateway, model = serve(workers=2, predict_timeout_s=1)
    with Traffic(gateway, model) as traffic:
        stopped = gateway.workers()
        for worker in stopped:
            worker.suspend()
        traffic.more(1, "refused")
        traffic.more(20)
    assert {worker.pid for worker in stopped}.isdisjoint(worker.pid for worker in gateway.workers())
    assert "the model did not answer in time; its worker was restarted" in traffic.refusals
    traffic.check(refused=None)
    traffic.check_log(gateway.state)


def test_what_a_killed_gateway_has_answered_is_in_its_log(serve: Any, mlflow_url: str) -> None:
    gateway, model = serve()
    first = gateway
    with Traffic(gateway, model) as traffic:
        for _ in range(2):
            workers = gateway.workers()
            gateway.process.kill()
            gateway.process.wait()
            gateway = start_gateway(mlflow_url, gateway.state, models=[model], port=int(gateway.url.rpartition(":")[2]))
            traffic.more(20)
            until(lambda ended=workers: not any(worker.is_running() for worker in ended), "no worker of the first is left")
    gateway.stop()
    # A process that is killed may take connections until it has ended, and then closes them.
    traffic.check(lost=None, refused=None)
    traffic.check_log(first.state)


def test_a_gateway_that_stands_still_goes_on_with_the_same_workers(gateway: Running, model: str) -> None:
    process = psutil.Process(gateway.process.pid)
    with Traffic(gateway, model) as traffic:
        process.suspend()
        until(lambda: traffic.waiting() == CONNECTIONS, "every connection waits")
        time.sleep(2)  # more than the second after which workers look whether the gateway has ended
        process.resume()
        traffic.more(20)
    # Those of other models may still be replaced after the tests before.
    metrics = gateway.http.get(f"{gateway.url}/metrics", headers={"Authorization": f"Bearer {ADMIN}"}).text
    assert f'taxiway_worker_restarts_total{{model="{model}"}} 0.0' in metrics
    traffic.check()
    traffic.check_log(gateway.state)


def test_requests_are_in_the_parquet_files_once_though_their_writer_is_killed(serve: Any) -> None:
    gateway, model = serve(roll_every_s=0.1)

    def kill_while_it_writes() -> bool:
        if not _is_locked(gateway.state / "roll.lock"):
            return False
        writers = gateway.in_background()
        for process in writers:
            process.kill()
        return bool(writers)

    with Traffic(gateway, model) as traffic:
        for _ in range(3):
            until(kill_while_it_writes, "the log is being written to files", every_s=0.001)
            traffic.more(10)
    traffic.check()
    traffic.check_log(gateway.state)

    def written() -> list[str]:
        if not list(gateway.state.glob("log/requests/*/*/*.parquet")):
            return []
        files = f"{gateway.state}/log/requests/*/*/*.parquet"
        return [request_id for (request_id,) in duckdb.sql(f"SELECT request_id FROM '{files}'").fetchall()]

    until(lambda: set(traffic.answered.values()) <= set(written()), "all is written")
    assert len(written()) == len(set(written()))
    assert "has died" in (gateway.state / "output").read_text()
    until(lambda: not gateway.admin.status(model).problem, "the problem is over")


def _is_locked(path: Path) -> bool:
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def test_a_champion_that_cannot_be_loaded_again_answers_as_long_as_one_of_its_workers_lives(
    serve: Any, registry: MlflowClient
) -> None:
    gateway, model = serve(workers=2, poll_s=0.1)
    run = registry.get_model_version(model, "1").run_id
    registry.log_text(run, "Unloadable", "model/behaviour")
    (copy,) = gateway.state.glob("models/*/files/model/behaviour")
    copy.write_text("Unloadable")
    with Traffic(gateway, model) as traffic:
        one, other = gateway.workers()
        one.kill()
        until(lambda: "cannot be started" in gateway.admin.status(model).problem, "the problem is told")
        traffic.more(100)
        traffic.check()
        other.kill()
        traffic.more(1, "refused")
        assert all(f"{model} cannot answer now; try again" in message for message in traffic.refusals)
        assert "could not be loaded" in gateway.ask(model, 0.5, token=ADMIN).text
        registry.set_registered_model_alias(model, "champion", str(add_version(registry, model, "Healthy")))
        traffic.more(20)
    until(lambda: not gateway.admin.status(model).problem, "the problem is over")
    traffic.check(refused=None)
    traffic.check_log(gateway.state)
