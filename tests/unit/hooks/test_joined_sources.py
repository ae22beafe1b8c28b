"""Joins beside every kind of source, from the section of the pipeline file to rows that were validated, without Airflow's tasks."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import create_engine

from taxiway.data.engine.read_rows import read_rows
from taxiway.data.ingest.ingest import ingest
from taxiway.data.ingest.plan import WindowPlan, plan_window
from taxiway.data.ingest.read_spec import read_spec_of
from taxiway.data.schema.file import Feature, Schema
from taxiway.data.sources.find import reader_of, spans_of
from taxiway.data.sources.join_inputs import find_join_tables, waiting
from taxiway.data.validation.snapshot import validate_snapshot
from taxiway.errors import ConfigError, DataError
from taxiway.hooks import sources
from taxiway.hooks.sources import airflow_engine
from taxiway.records import Snapshot, Status
from taxiway.spec.source import Source, read_source
from taxiway.store.store import Store

NOW = datetime(2013, 3, 15, tzinfo=UTC)
ORDERS = {"1": ["007,10.5,true", "008,3,false", "007,7,false"], "2": ["008,1,true", "009,2,false"], "3": ["007,5,true"]}
CUSTOMERS = "code;segment\n007;shop\n008;home\n009;home\n"
SCHEMA = Schema(
    label="returned",
    features=(
        Feature(name="customer", type="string"),
        Feature(name="amount", type="number"),
        Feature(name="returned", type="boolean"),
        Feature(name="segment", type="string", domain=("home", "shop")),
        Feature(name="rate", type="integer", presence=0.0),
    ),
)


def planned(source: Source) -> WindowPlan:
    found = spans_of(source, processed=frozenset(), now=NOW)
    return plan_window(found, source, processed=frozenset(), not_ready=waiting(found, find_join_tables(source)))


def taken(source: Source, store: Store) -> Snapshot:
    return ingest(
        planned(source).spans,
        pipeline="t.p",
        source=source.text,
        store=store,
        read=reader_of(source, airflow_engine),
        read_spec=read_spec_of(source, find_join_tables(source)),
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def customers(path: Path, **keys: Any) -> dict[str, Any]:
    """The join of a table in CSV, with codes that begin with zeros."""
    path.write_text(CUSTOMERS)
    return {"file": str(path), "on": {"customer": "code"}, "columns": ["segment"], "min_match_rate": 1, **keys}


def test_spans_of_csv_are_joined_to_csv_and_json_lines(tmp_path: Path, store: Store) -> None:
    for month, rows in ORDERS.items():
        text = "\n".join(["customer,amount,returned", *rows])
        (tmp_path / f"2013-0{month}.csv.gz").write_bytes(gzip.compress(text.encode()))
    for month in ("1", "2"):
        (tmp_path / f"rates-2013-0{month}.jsonl").write_text(f'{{"of": "007", "rate": {month}}}\n')
    source = read_source(
        {
            "spans": f"{tmp_path}/{{YYYY}}-{{MM}}.csv.gz",
            "window": 1,
            "label": "returned",
            "join": {
                "customers": customers(tmp_path / "customers.table", format="csv"),
                "rates": {
                    "spans": f"{tmp_path}/rates-{{YYYY}}-{{MM}}.jsonl",
                    "on": {"customer": "of"},
                    "columns": ["rate"],
                    "min_match_rate": 0.5,
                },
            },
        }
    )
    assert [span.name for span in planned(source).spans] == ["2013-01", "2013-02"]
    snapshot = taken(source, store)
    rows = read_rows(snapshot.spans, store)
    assert rows["segment"].tolist() == ["shop", "home", "shop", "home", "home"]
    assert rows["rate"].fillna(0).tolist() == [1, 0, 1, 0, 0]
    assert rows["amount"].tolist() == [10.5, 3, 7, 1, 2]
    assert [(m.name, m.span, m.matched, m.rows) for m in snapshot.joins] == [
        ("customers", "2013-01", 3, 3),
        ("rates", "2013-01", 2, 3),
        ("customers", "2013-02", 2, 2),
        ("rates", "2013-02", 0, 2),
    ]
    report = validate_snapshot(snapshot, SCHEMA, store=store, today=date(2013, 3, 15))
    assert [(a.kind, a.span, a.column) for a in report.blocking] == [("join_match", "2013-02", "customer")]
    assert taken(source, store).digest == snapshot.digest


def test_a_joined_file_whose_name_does_not_tell_its_format_asks_for_it(tmp_path: Path, store: Store) -> None:
    for month, rows in ORDERS.items():
        (tmp_path / f"2013-0{month}.csv").write_text("\n".join(["customer,amount,returned", *rows]))
    keys = {"spans": f"{tmp_path}/{{YYYY}}-{{MM}}.csv", "window": 1, "label": "returned"}
    source = read_source({**keys, "join": {"customers": customers(tmp_path / "customers.table")}})
    with pytest.raises(ConfigError, match=r"the format of .*customers\.table is unknown.*by the key format"):
        taken(source, store)
    broken = tmp_path / "broken.csv"
    source = read_source({**keys, "join": {"customers": customers(broken)}})
    broken.write_text("code;segment\n007;shop;more\n")
    with pytest.raises(DataError, match=r"broken\.csv:2: 3 fields, but the header has 2"):
        taken(source, store)


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The keys of a source that asks a database of orders; a hook as providers have one gives its engine."""
    engine = create_engine(f"sqlite:///{tmp_path}/rows.db")
    rows = [
        (f"2013-0{month}-02", *row.replace("true", "1").replace("false", "0").split(","))
        for month, of in ORDERS.items()
        for row in of
    ]
    frame = pd.DataFrame(rows, columns=["at", "customer", "amount", "returned"])
    frame.astype({"amount": float, "returned": int}).to_sql("orders", engine, index=False)

    class Hook:
        def get_sqlalchemy_engine(self) -> Any:
            return engine

    monkeypatch.setattr(sources.BaseHook, "get_hook", lambda name: Hook())
    query = 'SELECT customer, amount, returned FROM orders WHERE "at" >= {begin} AND "at" < {end} ORDER BY rowid'
    return {"sql": query, "connection": "warehouse"}


@pytest.fixture
def function(tmp_path: Path) -> dict[str, str]:
    """The keys of a source that calls a function."""
    (tmp_path / "orders.py").write_text(
        f"import io\nimport pandas as pd\n\nORDERS = {ORDERS!r}\n\n\ndef read(begin, end):\n"
        "    text = '\\n'.join(['customer,amount,returned', *ORDERS[str(begin.month)]])\n"
        "    return pd.read_csv(io.StringIO(text), dtype={'customer': str})\n"
    )
    return {"function": f"{tmp_path}/orders.py:read"}


@pytest.mark.parametrize("kind", ["database", "function"])
def test_periods_of_a_query_and_of_a_function_are_joined_to_files(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, store: Store
) -> None:
    rates = tmp_path / "rates"
    rates.mkdir()
    pd.DataFrame({"of": ["007", "008", "009"], "rate": [1, 2, 3]}).to_parquet(rates / "2013-01.parquet")
    by_month = {
        "spans": f"{rates}/{{YYYY}}-{{MM}}.parquet",
        "on": {"customer": "of"},
        "columns": ["rate"],
        "min_match_rate": 1,
    }
    source = read_source(
        {
            **request.getfixturevalue(kind),
            "every": "month",
            "first": "2013-01",
            "window": 1,
            "label": "returned",
            "join": {"customers": customers(tmp_path / "customers.csv"), "rates": by_month},
        }
    )
    assert planned(source).skip_reason.startswith(
        "window: 1 needs 2 spans (1 to train on, 1 to evaluate on), but 1 is missing; spans that can be read: 2013-01; span 2013-02 cannot be read yet: join rates"
    )
    (rates / "2013-02.parquet").write_bytes((rates / "2013-01.parquet").read_bytes())
    snapshot = taken(source, store)
    assert [span.label for span in snapshot.spans] == ["2013-01", "2013-02"]
    rows = read_rows(snapshot.spans, store)
    assert rows["customer"].tolist() == ["007", "008", "007", "008", "009"]
    assert rows["segment"].tolist() == ["shop", "home", "shop", "home", "home"]
    assert rows["rate"].tolist() == [1, 2, 1, 2, 3]
    schema = SCHEMA.model_copy(
        update={
            "features": tuple(
                feature.model_copy(update={"type": "integer"}) if kind == "database" and feature.name == "returned" else feature
                for feature in SCHEMA.features
            )
        }
    )
    assert validate_snapshot(snapshot, schema, store=store, today=date(2013, 3, 15)).status is Status.PASS


def test_of_many_periods_that_wait_the_log_tells_a_few(tmp_path: Path) -> None:
    join = {"spans": f"{tmp_path}/{{YYYY}}-{{MM}}-{{DD}}.parquet", "on": {"a": "b"}, "columns": ["c"], "min_match_rate": 1}
    keys = {"function": "rows.py:read", "every": "day", "first": "2003-04-01", "label": "y"}
    reason = planned(read_source({**keys, "join": {"other": join}})).skip_reason
    assert (
        "; 3,624 older spans are also excluded or cannot be read yet; span 2013-03-03 cannot be read yet: join other has no file for it"
        in reason
    )
    assert reason.count("cannot be read yet:") == 12


@pytest.mark.parametrize(
    ("every", "first", "pattern", "said"),
    [
        (
            "day",
            "2013-04-01",
            "{YYYY}-{MM}",
            r"periods of one day, such as 2013-04-01; allowed: \{YYYY\}, \{MM\}, \{DD\} in it, or file",
        ),
        (
            "month",
            "2013-04",
            "{SPAN}",
            r"periods of one month, such as 2013-04; allowed: \{YYYY\}, \{MM\} in it, or file: one table",
        ),
        (
            "week",
            "2013-W14",
            "{YYYY}-{MM}",
            r"periods of one week, such as 2013-W14; allowed: {YYYY}, {WW} in it, or file: one table for all spans",
        ),
        (
            "hour",
            "2013-04-01T05",
            "{YYYY}-{MM}-{DD}",
            r"periods of one hour, such as 2013-04-01T05; allowed: {YYYY}, {MM}, {DD}, {HH} in it, or file: one table for all spans",
        ),
    ],
)
def test_a_pattern_that_cannot_name_the_periods_of_a_query_is_refused(every: str, first: str, pattern: str, said: str) -> None:
    join = {"spans": f"/there/{pattern}.parquet", "on": {"a": "b"}, "columns": ["c"], "min_match_rate": 1}
    keys = {"function": "rows.py:read", "every": every, "first": first, "label": "y"}
    with pytest.raises(ValueError, match=said):
        read_source({**keys, "join": {"other": join}})
    with pytest.raises(
        ValueError, match=rf'exclude has the span "x"; allowed: the name of a period of one {every}, such as {NAMES_OF[every]}'
    ):
        read_source({**keys, "exclude": ["x"]})


NAMES_OF = {"day": "2013-04-01", "month": "2013-04", "week": "2013-W14", "hour": "2013-04-01T05"}
