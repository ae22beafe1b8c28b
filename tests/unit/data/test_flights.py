"""The flights against the schema and the suite that their team keeps: good months pass, each corruption alone fails."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from taxiway.data.ingest.ingest import ingest
from taxiway.data.schema.file import Schema, load_schema
from taxiway.data.schema.infer import infer_schema
from taxiway.data.sources.files import find_spans
from taxiway.data.sources.reader import FoundSpan
from taxiway.data.validation.snapshot import validate_snapshot
from taxiway.demo.flights import Corruption, corrupt, write_span
from taxiway.demo.scenarios import SCENARIOS
from taxiway.records import DataReport, Severity, Status
from taxiway.store.store import Store

TEAM = Path(__file__).parents[3] / "dags" / "flights"
SUITE = TEAM / "late_arrivals.suite.json"
TODAY = date(2026, 3, 1)

Judge = Callable[..., DataReport]


@pytest.fixture(scope="module")
def schema() -> Schema:
    return load_schema(TEAM / "late_arrivals.schema.yaml")


@pytest.fixture(scope="module")
def flights_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(str(tmp_path_factory.mktemp("flights-store")))


@pytest.fixture(scope="module")
def judge(flights_folder: Path, flights_store: Store, schema: Schema) -> Judge:
    """Validate a month after the three before it, as it came or as another file."""

    def run(month: str, newest: Path | None = None, suite: Path | None = None) -> DataReport:
        found = find_spans(f"{flights_folder}/{{YYYY}}-{{MM}}.parquet")
        at = [span.name for span in found].index(month)
        plan = found[at - 3 : at + 1]
        if newest is not None:
            plan = (*plan[:-1], FoundSpan(month, 0, str(newest)))
        snapshot = ingest(plan, pipeline="flights.late_arrivals", source="flights", store=flights_store)
        return validate_snapshot(snapshot, schema, store=flights_store, today=TODAY, suite=suite)

    return run


@pytest.mark.parametrize("month", ["2013-04", "2013-05", "2013-06"])
def test_months_as_they_came_pass_schema_and_suite(month: str, judge: Judge) -> None:
    report = judge(month, suite=SUITE)
    assert report.status is Status.PASS, [anomaly.message for anomaly in report.blocking]
    assert report.checks > 400
    assert {(anomaly.kind, anomaly.severity) for anomaly in report.anomalies} <= {("drift", Severity.WARNING)}


def test_the_season_is_told_as_a_warning(judge: Judge) -> None:
    warnings = {anomaly.column: anomaly.message for anomaly in judge("2013-06").anomalies}
    assert "the median changed from 51.98 to 73.94 degrees Fahrenheit" in warnings["temp"]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("wind_unit", {("range", "wind_speed")}),
        ("carrier_missing", {("drift", "carrier"), ("drift", "origin")}),
        ("shifted_column", {("domain", "carrier"), ("domain", "origin")}),
        ("wind_dead", {("range", "wind_speed")}),
    ],
)
def test_each_corruption_alone_fails_for_its_own_reason(
    kind: Corruption, found: set[tuple[str, str]], judge: Judge, flights_folder: Path, tmp_path: Path
) -> None:
    june = pd.read_parquet(flights_folder / "2013-06.parquet")
    report = judge("2013-06", write_span(corrupt(june, kind), tmp_path, "2013-06"))
    assert report.status is Status.FAIL
    assert found <= {(anomaly.kind, anomaly.column) for anomaly in report.blocking}
    assert {anomaly.span for anomaly in report.blocking} == {"2013-06"}


def test_every_corruption_that_the_demonstration_knows_is_tested() -> None:
    played = {kind for scenario in SCENARIOS for kind in scenario.corruptions}
    assert played == {"wind_unit", "carrier_missing", "shifted_column", "wind_dead"}


def test_a_carrier_that_did_not_arrive_is_named(judge: Judge, flights_folder: Path, tmp_path: Path) -> None:
    june = pd.read_parquet(flights_folder / "2013-06.parquet")
    report = judge("2013-06", write_span(corrupt(june, "carrier_missing"), tmp_path, "2013-06"))
    (carrier,) = [anomaly for anomaly in report.blocking if anomaly.column == "carrier"]
    assert carrier.message == (
        'carrier: the share of "UA" changed from 17.7% in the training spans to 0.0% in span 2013-06: '
        "L-infinity distance 0.177 (allowed: at most 0.05; with 83,594 and 22,190 values, sampling alone exceeds 0.017 about once in "
        "1,000 comparisons or less often)."
    )


def test_a_shifted_column_fails_the_suite_too(judge: Judge, flights_folder: Path, tmp_path: Path) -> None:
    june = pd.read_parquet(flights_folder / "2013-06.parquet")
    report = judge("2013-06", write_span(corrupt(june, "shifted_column"), tmp_path, "2013-06"), SUITE)
    (origin,) = [anomaly for anomaly in report.blocking if anomaly.kind == "gx:expect_column_values_to_be_in_set"]
    assert (origin.column, origin.observed) == ("origin", "542 of 27,075 rows (2.0%) do not meet it")


def test_the_schema_covers_every_column_and_offers_the_model_its_features(flights_folder: Path, schema: Schema) -> None:
    columns = list(pd.read_parquet(flights_folder / "2013-01.parquet").columns)
    assert [feature.name for feature in schema.features] == columns
    offered = schema.numeric("late") + schema.categorical("late")
    assert sorted((*offered, "late", "flight_id")) == sorted(columns)
    assert schema.categorical("late") == ("carrier", "tailnum", "origin", "dest", "type", "manufacturer", "engine")


def test_the_first_draft_blames_a_new_maker_and_lets_a_wind_in_another_unit_through(
    flights_folder: Path, flights_store: Store, schema: Schema, tmp_path: Path
) -> None:
    # Why people edit what is inferred: a draft closes every short list, and has no ranges and no limits of drift.
    plan = find_spans(f"{flights_folder}/{{YYYY}}-{{MM}}.parquet")[:4]
    april = write_span(corrupt(pd.read_parquet(plan[-1].path), "wind_unit"), tmp_path, "2013-04")
    snapshot = ingest((*plan[:-1], FoundSpan("2013-04", 0, str(april))), pipeline="p", source="flights", store=flights_store)
    draft = infer_schema(snapshot, flights_store, "late")
    carrier, decided = draft.feature("carrier"), schema.feature("carrier")
    assert carrier is not None
    assert decided is not None
    assert carrier.domain == decided.domain
    blamed = validate_snapshot(snapshot, draft, store=flights_store, today=TODAY).blocking
    assert ("domain", "manufacturer") in {(anomaly.kind, anomaly.column) for anomaly in blamed}
    assert "wind_speed" not in {anomaly.column for anomaly in blamed}
