"""Rows from a database and a function, through whole DAGs in a real Airflow; and what is said where they cannot come."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from conftest_airflow import REPOSITORY, Running
from sqlalchemy import Connection, create_engine

from taxiway.records import Outcome
from taxiway.spec.source.periods import Period, ended_periods

EXAMPLES = REPOSITORY / "docs" / "examples" / "sources"
WRONG = """
from pathlib import Path

from airflow.sdk import DAG

from taxiway.operators import IngestOperator
from taxiway.spec.files.pipeline_file import read_pipeline

GOOD = read_pipeline(Path(__file__).with_name("by_query.pipeline.yaml"))
PERIOD = "WHERE ordered_at >= {begin} AND ordered_at < {end}"
WAYS = {
    "no_connection": {"connection": "nowhere"},
    "no_database": {"connection": "mlflow_default"},
    "no_server": {"connection": "down"},
    "bad_sql": {"sql": f"SELEC * FROM orders {PERIOD}"},
    "no_rows": {"sql": f"SELECT * FROM orders {PERIOD} AND amount < 0"},
    "bad_column": {"sql": f"SELECT order_id, country::int AS amount FROM orders {PERIOD}"},
    "bad_version": {"version": f"SELECT max(country) FROM orders {PERIOD}"},
}
with DAG("sources.wrong", schedule=None):
    for name, keys in WAYS.items():
        source = GOOD.source.model_copy(update={"version": None, **keys})
        pipeline = GOOD.model_copy(update={"pipeline": name, "source": source})
        IngestOperator(task_id=name, pipeline=pipeline, retries=0)
"""


def orders(period: Period, rows: int, *, seed: int = 0) -> pd.DataFrame:
    """Orders of a period, of which the dear ones are sent back more often."""
    rng = np.random.default_rng([period.begins.year, period.begins.month, seed])
    amount = rng.uniform(1, 100, rows).round(2)
    return pd.DataFrame(
        {
            "order_id": np.arange(rows) + (period.begins.year * 12 + period.begins.month) * 1_000_000 + seed * 100_000,
            "amount": amount,
            "country": rng.choice(["AT", "DE", "NA"], rows),
            "returned": rng.random(rows) < amount / 110,
            "ordered_at": period.begins + pd.to_timedelta(rng.uniform(0, 27 * 86_400, rows), unit="s"),
        }
    )


@contextmanager
def warehouse(running: Running) -> Iterator[Connection]:
    engine = create_engine(f"postgresql+psycopg://postgres:@/warehouse?host={sockets(running)}")
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def sockets(running: Running) -> str:
    return (running.stack.home.postgres.resolve() / "postmaster.pid").read_text().splitlines()[4]


def insert(running: Running, rows: pd.DataFrame) -> None:
    with warehouse(running) as connection:
        rows.to_sql("orders", connection, if_exists="append", index=False)


def connect(running: Running, **connection: Any) -> None:
    running.api._http.post("/connections", json=connection).raise_for_status()


@cache
def months() -> tuple[Period, ...]:
    """The three months before this one."""
    now = datetime.now(UTC) - timedelta(hours=2)
    return tuple(ended_periods("2020-01", "month", now))[-3:]


@pytest.fixture(scope="module")
def periods() -> tuple[Period, ...]:
    return months()


def begin_early(running: Running) -> None:
    """The examples of the guide, on orders of the last three months in a database, in files, and beside the pipeline file."""
    admin = create_engine(f"postgresql+psycopg://postgres:@/postgres?host={sockets(running)}", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE warehouse")
    admin.dispose()
    with warehouse(running) as connection:
        connection.exec_driver_sql(
            "CREATE TABLE orders (order_id bigint PRIMARY KEY, amount numeric(10, 2), country text, returned boolean, "
            "ordered_at timestamptz)"
        )
    connect(
        running, connection_id="warehouse", conn_type="postgres", host=sockets(running), login="postgres", schema="warehouse"
    )
    connect(running, connection_id="down", conn_type="postgres", host="127.0.0.1", port=1, login="me", password="secret")
    dags = Path(running.environment["AIRFLOW__CORE__DAGS_FOLDER"])
    beside = dags / "beside-sources"
    (beside / "shops").mkdir(parents=True)
    for period in months():
        rows = orders(period, 2000)
        insert(running, rows)
        for shop in range(2):
            with (beside / "shops" / f"{shop}.jsonl").open("a") as stream:
                rows[rows.order_id % 2 == shop].to_json(stream, orient="records", lines=True, date_format="iso")
    for path in EXAMPLES.iterdir():
        if path.is_file():
            first = months()[path.stem == "by_query.pipeline"].name
            (beside / path.name).write_text(path.read_text().replace("first: 2026-01", f"first: {first}"))
    (beside / "wrong.py").write_text(WRONG)
    shutil.move(beside, dags / "sources")
    for dag in ("by_query", "by_function", "by_file", "wrong"):
        running.api.wait_for_dag(f"sources.{dag}")
    # Airflow starts the watcher of a DAG when it reads its file anew.
    token = running.api._get("/dags/sources.by_query")["file_token"]
    assert running.api._http.put(f"/parseDagFile/{token}").is_success
    for dag in ("by_function", "wrong"):
        running.begin(f"sources.{dag}")


def test_rows_of_a_database_are_decided_once_their_months_have_ended_and_again_where_they_were_corrected(
    running: Running, periods: tuple[Period, ...]
) -> None:
    dag = "sources.by_query"
    found = running.wait_for_outcomes(dag, 1)
    assert [(summary.span.label, summary.outcome) for summary in found] == [
        (f"{periods[2].name} v2000", Outcome.FIRST_CHAMPION)
    ]
    assert found[0].span.source.startswith("warehouse: SELECT order_id, amount, country, returned FROM orders")
    with running.store.local_file(found[0].span.content) as path:
        table = pq.read_table(path)
    wanted = orders(periods[2], 2000)
    assert table.to_pandas().country.tolist() == wanted.country.tolist()
    assert np.allclose(table.column("amount").to_numpy(), wanted.amount)
    # A hundred orders of the newest month come late: the run of the next hour, here one by hand, decides it again.
    insert(running, orders(periods[2], 100, seed=1))
    running.run(dag)
    found = running.wait_for_outcomes(dag, 2)
    assert [summary.span.label for summary in found] == [f"{periods[2].name} v2000", f"{periods[2].name} v2100"]
    assert found[-1].span.rows == 2100
    # Nothing more is to be done now.
    _, tasks = running.run(dag)
    assert tasks["ingest"].state == "skipped"


def test_rows_of_a_function_become_a_champion(running: Running, periods: tuple[Period, ...]) -> None:
    dag = "sources.by_function"
    _, tasks = running.run(dag)
    assert {task.state for task in tasks.values()} <= {"success", "skipped"}, tasks
    (summary,) = running.wait_for_outcomes(dag, 1)
    assert (summary.span.name, summary.span.rows, summary.outcome) == (periods[1].name, 2000, Outcome.FIRST_CHAMPION)
    assert summary.span.source == "rows.py:read"


def test_what_is_wrong_with_a_query_is_said_in_the_tasks_log(running: Running, periods: tuple[Period, ...]) -> None:
    dag = "sources.wrong"
    run, tasks = running.run(dag)
    first = periods[1].name
    said = {
        "no_connection": "source.connection nowhere cannot be used",
        "no_database": "source.connection mlflow_default cannot be used",
        "no_server": f"source.sql of down, {first}: cannot connect to the database",
        "bad_sql": f"source.sql of warehouse, {first}: the database rejects the query: syntax error at or near",
        "no_rows": f"source.sql of warehouse, {first} has",
        "bad_column": f"source.sql of warehouse, {first}: a value cannot be read: invalid input syntax for type integer",
        "bad_version": "returned 'NA'; allowed: one whole number",
    }
    assert {name: task.state for name, task in tasks.items()} == dict.fromkeys(said, "failed")
    for name, message in said.items():
        log = running.api._get(f"/dags/{dag}/dagRuns/{run}/taskInstances/{name}/logs/1?full_content=true")
        assert message in json.dumps(log), (name, log)
        assert "secret" not in json.dumps(log)
