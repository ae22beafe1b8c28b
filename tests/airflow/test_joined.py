"""A pipeline whose rows are joined, sampled and split by customer, from files to champion, and what it does on bad days."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest_airflow import Running

from taxiway.cli import main
from taxiway.data.rows import read_rows
from taxiway.lineage.outcomes import summaries
from taxiway.records import DataReport, Outcome, Snapshot
from taxiway.registry.questions import data_uses

DAG = "joined.returns"
CUSTOMERS = 900


def put(rows: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    rows.to_parquet(path.with_suffix(".beside"), index=False)
    path.with_suffix(".beside").replace(path)


def discount(customer: np.ndarray) -> np.ndarray:
    return customer % 7 / 7


def write_customers(data: Path) -> None:
    numbers = np.arange(CUSTOMERS)
    rows = {
        "number": [f" c-{n:06}" for n in numbers],
        "segment": np.where(numbers % 2, "shop", "home"),
        "discount": discount(numbers),
    }
    put(pd.DataFrame(rows), data / "customers.parquet")


def write_orders(data: Path, month: int, first_customer: int = 0) -> None:
    rng = np.random.default_rng(month)
    customer = rng.integers(0, CUSTOMERS, 3000) + first_customer
    rows = {
        "order": np.arange(3000) + 10_000 * month,
        "customer": customer,
        "currency": rng.choice(["euro", "dollar"], 3000),
        "placed_at": pd.Timestamp(2013, month, 1, 12) + pd.to_timedelta(np.sort(rng.integers(0, 27 * 86_400, 3000)), unit="s"),
        "amount": rng.uniform(5, 500, 3000),
        "returned": discount(customer) + rng.normal(scale=0.4, size=3000) > 0.5,
    }
    put(pd.DataFrame(rows), data / "orders" / f"2013-{month:02}.parquet")


def write_rates(data: Path, month: int) -> None:
    days = pd.date_range(f"2013-{month:02}-01", periods=28)
    rows = pd.concat(
        [
            pd.DataFrame({"code": code, "valid_from": days, "rate": np.arange(28) + start})
            for code, start in (("EUR", 1), ("USD", 101))
        ]
    )
    put(rows, data / "rates" / f"2013-{month:02}.parquet")


@pytest.fixture(scope="module")
def data(running: Running) -> Path:
    folder = running.stack.home.data
    write_customers(folder)
    for month in (1, 2, 3):
        write_orders(folder, month)
    write_rates(folder, 2)
    return folder


def test_a_month_whose_rates_are_not_there_is_not_read_and_the_log_says_so(running: Running, data: Path) -> None:
    run, tasks = running.run(DAG)
    assert tasks["ingest"].state == "skipped"
    log = str(running.api._get(f"/dags/{DAG}/dagRuns/{run}/taskInstances/ingest/logs/1?full_content=true"))
    assert (
        "window: 2 needs 2 spans, 1 of them is missing; there: 2013-02; 2013-01 is denied by source.deny; 2013-03 waits: join rates"
        in log
    )


def test_joined_sampled_and_split_rows_make_a_champion_that_knows_none_of_the_evaluated_customers(
    running: Running, data: Path
) -> None:
    write_rates(data, 3)
    run, tasks = running.run(DAG)
    assert {name: task.state for name, task in tasks.items()} == dict.fromkeys(tasks, "success")
    (summary,) = summaries(running.store, DAG)
    assert (summary.outcome, summary.span.label, summary.span.rows) == (Outcome.FIRST_CHAMPION, "2013-03", 3000)
    snapshot = running.store.get(Snapshot, running.mlflow_run(DAG, run).data.tags["taxiway.record.Snapshot"])
    assert [s.label for s in snapshot.evaluation] == ["2013-02 (evaluation)", "2013-03 (evaluation)"]
    training, evaluation = (read_rows(spans, running.store) for spans in (snapshot.training, snapshot.evaluation))
    assert not set(training["customer"]) & set(evaluation["customer"])
    assert 0.8 < (len(training) + len(evaluation)) / 6000 < 1
    rows = pd.concat([training, evaluation])
    np.testing.assert_allclose(rows["discount"], discount(rows["customer"]))
    expected = rows["placed_at"].dt.day + np.where(rows["currency"] == "euro", 0, 100)
    assert (rows["rate"] == expected).all(), "the rate of the order's own day"
    assert [(m.name, m.span, m.share) for m in snapshot.joins] == [
        (name, month, 1.0) for month in ("2013-02", "2013-03") for name in ("customers", "rates")
    ]
    (use,) = data_uses(running.mlflow, snapshot.joins[0].content)
    assert (use.context, use.span, use.version) == ("joined", "customers", 1)
    assert "2013-01" not in {span.name for span in snapshot.spans}
    told = CliRunner().invoke(main, ["lineage", "model", DAG, "--tracking-uri", running.stack.url("mlflow")])
    assert f"trained on 2013-02 (training): {snapshot.training[0].rows:,} rows of 3,000 in the file" in told.output.replace(
        "\n", " "
    )
    assert "joined customers to 2013-02: a partner for 3,000 of 3,000 rows" in told.output


def test_too_few_partners_block_and_no_model_is_trained(running: Running, data: Path) -> None:
    """April's shop numbers half of its customers anew."""
    write_orders(data, 4, first_customer=CUSTOMERS // 2)
    write_rates(data, 4)
    run, tasks = running.run(DAG)
    assert (tasks["validate_data"].state, tasks["train"].state) == ("failed", "upstream_failed")
    report = running.store.get(DataReport, running.mlflow_run(DAG, run).data.tags["taxiway.record.DataReport"])
    (anomaly,) = [found for found in report.anomalies if found.kind == "join_match"]
    assert (anomaly.span, anomaly.column, anomaly.expected) == ("2013-04", "customer", "at least 95.0 %")
    assert anomaly.sentence.startswith("customers (")
    assert len(anomaly.examples) == 3
    assert summaries(running.store, DAG)[-1].outcome is Outcome.BLOCKED
