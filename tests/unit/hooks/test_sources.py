"""A pipeline's source as the installation knows it: which spans are there, and when a database is asked, and when it is not."""

import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine

from taxiway.data.ingest.plan import gap_notes, newest_window, plan_backfill, plan_window
from taxiway.data.sources.find import reader_of, spans_of, with_versions
from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import ConfigError
from taxiway.hooks import sources
from taxiway.hooks.sources import airflow_engine, source_of
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.source import Source, read_source, source_from_json

REPOSITORY = Path(__file__).parents[3]
NOW = datetime(2013, 6, 15, tzinfo=UTC)
QUERY: dict[str, Any] = {
    "sql": "SELECT a FROM f WHERE t >= {begin} AND t < {end}",
    "connection": "warehouse",
    "every": "month",
    "first": "2013-01",
    "label": "a",
}


def query(**keys: Any) -> Source:
    return read_source({**QUERY, **keys})


def found(source: Source, *decided: tuple[str, int], now: datetime = NOW) -> tuple[FoundSpan, ...]:
    return spans_of(source, processed=frozenset(decided), now=now)


def test_the_folder_of_data_is_filled_in_for_files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", "s3://bucket/")
    folder = REPOSITORY / "docs" / "examples" / "sources"
    assert source_of(read_pipeline(folder / "by_file.pipeline.yaml")).spans == "s3://bucket/orders/{YYYY}-{MM}.csv.gz"
    by_query = read_pipeline(folder / "by_query.pipeline.yaml")
    assert source_of(by_query) == by_query.source
    assert read_pipeline(folder / "by_function.pipeline.yaml").source.function == f"{folder}/rows.py:read"


def test_periods_are_there_once_they_have_ended_and_their_delay_is_over() -> None:
    assert [span.name for span in found(query())] == ["2013-01", "2013-02", "2013-03", "2013-04", "2013-05"]
    assert [span.name for span in found(query(delay="15d"), now=datetime(2013, 6, 15, 23, 59, tzinfo=UTC))][-1] == "2013-04"
    assert [span.name for span in found(query(delay="15d"), now=datetime(2013, 6, 16, tzinfo=UTC))][-1] == "2013-05"
    assert found(query(first="2013-06")) == ()
    assert found(query())[0].path == "warehouse, 2013-01"


@pytest.mark.parametrize("every", ["hour", "day", "week", "month", "year"])
def test_periods_are_planned_and_backfilled_as_files_are(every: str) -> None:
    first = {"hour": "2013-01-01T00", "day": "2013-01-01", "week": "2013-W01", "month": "2013-01", "year": "2003"}[every]
    source = query(every=every, first=first)
    spans = found(source)
    plan = plan_window(spans, source, processed=frozenset())
    assert (plan.spans, plan.notes) == (spans[:4], ())
    (gap,) = gap_notes((spans[0], spans[2]))
    assert gap.startswith(f"there is no span between {spans[0].name} and {spans[2].name}; ")
    assert spans[4].begins is not None
    past = plan_backfill(spans, query(every=every, first=first, window=2), as_of=spans[4].begins)
    assert past.spans == spans[1:4]


@pytest.mark.parametrize("every", ["hour", "day", "week", "month", "year"])
def test_windows_that_stay_and_denied_periods_go_by_the_names_of_periods(every: str) -> None:
    first = {"hour": "2013-01-01T00", "day": "2013-01-01", "week": "2013-W01", "month": "2013-01", "year": "2003"}[every]
    spans = found(query(every=every, first=first))
    names = [span.name for span in spans]
    stays = query(every=every, first=first, window={"from": names[0], "to": names[2]}, exclude=[names[1]])
    plan = plan_window(spans, stays, processed=frozenset())
    assert plan.spans == (spans[0], spans[2], spans[-1])
    assert plan.notes == (f"span {names[1]} is excluded by source.exclude",)
    kept = source_from_json(stays.model_dump_json(by_alias=True, exclude_defaults=True))
    assert kept == stays


def test_years_of_hours_and_a_window_of_months_are_planned_in_bounded_memory() -> None:
    source = query(every="hour", first="2012-01-01T00", window=2_000)
    spans = found(source)
    assert len(spans) > 10_000
    tracemalloc.start()
    plan = plan_window(spans, source, processed=frozenset({(span.name, 0) for span in spans[:-1]}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (plan.spans, plan.notes) == (spans[-2_001:], ())
    assert peak < 16 << 20


def test_too_many_periods_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"source.first is 1900-01-01T00; since then more than 200,000 periods of one hour"):
        found(query(every="hour", first="1900-01-01T00"))


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A database of orders, with a hook as providers have one, and how often it was opened."""
    engine = create_engine(f"sqlite:///{tmp_path}/rows.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE f (t TEXT, a INTEGER)")
        connection.exec_driver_sql("INSERT INTO f VALUES ('2013-04-02', 1), ('2013-04-03', 2), ('2013-05-02', 3)")
    opened = []

    class Hook:
        def get_sqlalchemy_engine(self) -> Any:
            opened.append(1)
            return engine

    monkeypatch.setattr(sources.BaseHook, "get_hook", lambda name: Hook())
    return opened


def test_a_period_is_decided_again_when_its_version_is_another_and_no_database_is_asked_before(database: list[int]) -> None:
    source = query(version="SELECT count(*) FROM f WHERE t >= {begin} AND t < {end}")
    decided = frozenset({("2013-04", 1), ("2013-04", 2), ("2013-05", 0)})
    spans = spans_of(source, processed=decided, now=NOW)
    # Without a question nothing is due: each period is there as it was decided last.
    assert [(span.name, span.version) for span in spans[3:]] == [("2013-04", 2), ("2013-05", 0)]
    assert plan_window(spans, source, processed=decided).spans == ()
    assert database == []
    asked = (*spans[:3], *with_versions(source, spans[3:], airflow_engine))
    assert [(span.name, span.version) for span in asked[3:]] == [("2013-04", 2), ("2013-05", 1)]
    plan = plan_window(asked, source, processed=decided)
    assert (plan.spans[-1].name, plan.spans[-1].version) == ("2013-05", 1)
    assert len(database) == 1


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        ({"window": 2}, ["2013-03", "2013-04", "2013-05"]),
        ({"window": 2, "exclude": ["2013-04"]}, ["2013-02", "2013-03", "2013-05"]),
        ({"window": 2, "split": {"by": "a", "evaluation": 0.5}}, ["2013-04", "2013-05"]),
        ({"window": {"from": "2013-01", "to": "2013-02"}}, ["2013-01", "2013-02", "2013-05"]),
        ({"window": {"from": "2013-01", "to": "2013-02"}, "split": {"by": "a", "evaluation": 0.5}}, ["2013-01", "2013-02"]),
        ({"window": 9}, []),
    ],
)
def test_versions_are_asked_of_what_the_run_of_the_newest_span_reads(keys: dict[str, Any], asked: list[str]) -> None:
    source = query(**keys)
    assert [span.name for span in newest_window(found(source), source)] == asked


def test_a_source_without_a_version_is_never_asked_for_one(database: list[int]) -> None:
    spans = found(query())
    assert with_versions(query(), spans, airflow_engine) == spans
    assert database == []


def test_the_reader_of_a_query_makes_parquet_of_one_period(database: list[int], tmp_path: Path) -> None:
    span = found(query())[3]
    assert pq.read_table(reader_of(query(), airflow_engine)(span, tmp_path)).to_pydict() == {"a": [1, 2]}


def test_a_connection_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "mlflow", "host": "http://there"}))
    for name in ("warehouse", "nowhere"):
        source = query(connection=name)
        with pytest.raises(
            ConfigError, match=rf"source.connection {name} cannot be used .*allowed: an Airflow connection to a database"
        ):
            reader_of(source, airflow_engine)(found(source)[0], tmp_path)
