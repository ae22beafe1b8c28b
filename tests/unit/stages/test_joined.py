"""A pipeline whose rows are joined, sampled and split by customer, from files to champion, and how it fails."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from taxiway.cli import main
from taxiway.data.engine.read_rows import read_rows
from taxiway.lineage.queries import data_uses
from taxiway.records import Outcome
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.stages.context import Services
from taxiway.stages.installation import Installation
from taxiway.stages.runner import Watcher, run_in
from taxiway.store import Store
from taxiway.tracking.local import local_mlflow

RETURNS = read_pipeline(Path(__file__).parent / "joined/returns.pipeline.yaml")
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


class Reasons(Watcher):
    """Remembers why runs stopped."""

    def __init__(self) -> None:
        self.stops: list[str] = []

    def stopped(self, reason: str) -> None:
        self.stops.append(reason)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_customers(folder)
    for month in (1, 2, 3):
        write_orders(folder, month)
    write_rates(folder, 2)
    return folder


@pytest.fixture(scope="module")
def installation(data: Path, mlflow_home: Path) -> Iterator[Installation]:
    with local_mlflow(mlflow_home) as client:
        yield Installation(Store(str(data / "store")), client, Services(data=str(data)))


def test_a_month_whose_rates_are_not_there_is_not_read_and_the_reason_is_said(installation: Installation) -> None:
    reasons = Reasons()
    assert run_in(installation, RETURNS, watcher=reasons).snapshot is None
    assert (
        "window: 2 needs 2 spans, but 1 is missing; spans that can be read: 2013-02; span 2013-01 is excluded by source.exclude; span 2013-03 cannot be read yet: join rates"
        in reasons.stops[0]
    )


def test_joined_sampled_and_split_rows_make_a_champion_that_knows_none_of_the_evaluated_customers(
    installation: Installation, data: Path
) -> None:
    write_rates(data, 3)
    made = run_in(installation, RETURNS)
    summary, snapshot = made.summary, made.snapshot
    assert summary is not None
    assert snapshot is not None
    assert (summary.outcome, summary.span.label, summary.span.rows) == (Outcome.FIRST_CHAMPION, "2013-03", 3000)
    assert [s.label for s in snapshot.evaluation] == ["2013-02 (evaluation)", "2013-03 (evaluation)"]
    training, evaluation = (read_rows(spans, installation.store) for spans in (snapshot.training, snapshot.evaluation))
    assert not set(training["customer"]) & set(evaluation["customer"])
    assert 0.8 < (len(training) + len(evaluation)) / 6000 < 1
    rows = pd.concat([training, evaluation])
    np.testing.assert_allclose(rows["discount"], discount(rows["customer"]))
    expected = rows["placed_at"].dt.day + np.where(rows["currency"] == "euro", 0, 100)
    assert (rows["rate"] == expected).all(), "the rate of the order's own day"
    assert [(m.name, m.span, m.match_rate) for m in snapshot.joins] == [
        (name, month, 1.0) for month in ("2013-02", "2013-03") for name in ("customers", "rates")
    ]
    (use,) = data_uses(installation.client, snapshot.joins[0].content)
    assert (use.context, use.span, use.version) == ("joined", "customers", 1)
    assert "2013-01" not in {span.name for span in snapshot.spans}
    shown = CliRunner().invoke(main, ["lineage", "model", RETURNS.name, "--tracking-uri", installation.client.tracking_uri])
    assert f"trained on 2013-02 (training): {snapshot.training[0].rows:,} rows of 3,000 in the file" in shown.output.replace(
        "\n", " "
    )
    assert "joined customers to 2013-02: a match for 3,000 of 3,000 rows" in shown.output


def test_too_few_partners_block_and_no_model_is_trained(installation: Installation, data: Path) -> None:
    """April's shop numbers half of its customers anew."""
    write_orders(data, 4, first_customer=CUSTOMERS // 2)
    write_rates(data, 4)
    made = run_in(installation, RETURNS)
    assert made.summary is not None
    assert made.report is not None
    assert (made.summary.outcome, made.candidate) == (Outcome.BLOCKED, None)
    (anomaly,) = [found for found in made.report.anomalies if found.kind == "join_match"]
    assert (anomaly.span, anomaly.column, anomaly.expected) == ("2013-04", "customer", "at least 95.0%")
    assert anomaly.message.startswith("customers (")
    assert len(anomaly.examples) == 3
