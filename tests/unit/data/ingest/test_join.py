"""Joined tables in a snapshot: its digests, what changes it, what is missing, and the same bytes with any number of threads."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data.ingest.joined_tables import join, joined

from helping import rounds
from taxiway.data.engine import connection
from taxiway.data.engine.read_rows import read_rows
from taxiway.data.ingest.ingest import ingest
from taxiway.data.ingest.join import JoinedTable
from taxiway.data.ingest.materialize import RowRules, materialize_rows
from taxiway.data.ingest.read_spec import read_spec_of
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.sources.files import find_spans
from taxiway.data.sources.join_inputs import JoinTable, find_join_tables, waiting
from taxiway.data.validation.checks import join_coverage
from taxiway.data.validation.inputs import CheckInput
from taxiway.data.validation.results import CheckResults
from taxiway.errors import DataError
from taxiway.records import Severity, Snapshot
from taxiway.spec.source import Source, read_source
from taxiway.store.store import Store

SCHEMA = Schema(features=(Feature(name="origin", type="string"),))


PUBLIC = Path(__file__).parents[5] / "shared" / "data"


def write(folder: Path, **tables: Any) -> None:
    folder.mkdir(exist_ok=True)
    for name, rows in tables.items():
        pq.write_table(
            pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False), folder / f"{name.replace('_', '-')}.parquet"
        )


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Three months of flights, of the last of which there is no weather; weather by the hour, planes in one file."""
    for month in (1, 2, 3):
        hours = pd.date_range(f"2013-{month:02}-01 05:30", periods=40, freq="h")
        origins = ["EWR", "JFK", "LGA", "XXX"] * 10
        write(
            tmp_path / "flights",
            **{f"2013_{month:02}": {"origin": origins, "t": hours, "tail": range(40), "late": [True, False] * 20}},
        )
        if month < 3:
            stations = pd.DataFrame({"station": ["72502", "74486", "14732"]})
            weather = pd.DataFrame({"at": pd.date_range(f"2013-{month:02}-01", periods=60, freq="h"), "temp": range(60)})
            write(tmp_path / "weather", **{f"2013_{month:02}": stations.merge(weather, how="cross")})
    write(tmp_path, planes={"tail": range(40), "seats": [100 + at for at in range(40)]})
    return read_source(
        {
            "spans": f"{tmp_path}/flights/{{YYYY}}-{{MM}}.parquet",
            "window": 1,
            "label": "late",
            "join": {
                "weather": {
                    "spans": f"{tmp_path}/weather/{{YYYY}}-{{MM}}.parquet",
                    True: {"origin": "station"},
                    "as_of": {"t": "at"},
                    "within": "3h",
                    "recode": {"origin": {"EWR": "72502", "JFK": "74486", "LGA": "14732"}},
                    "columns": ["temp"],
                    "min_match_rate": 0.7,
                },
                "plane": {
                    "file": f"{tmp_path}/planes.parquet",
                    "on": {"tail": "tail"},
                    "columns": ["seats"],
                    "min_match_rate": 1,
                },
            },
        }
    )


def taken(source: Source, store: Store, count: int = 2) -> Snapshot:
    found = find_spans(source.spans)[:count]
    return ingest(
        found, pipeline="t.p", source=source.spans, store=store, read_spec=read_spec_of(source, find_join_tables(source))
    )


def test_a_snapshot_holds_the_joined_rows_and_the_digests_of_all_files(source: Source, store: Store, tmp_path: Path) -> None:
    snapshot = taken(source, store)
    rows = read_rows(snapshot.training, store)
    assert list(rows.columns) == ["origin", "t", "tail", "late", "temp", "seats"]
    assert rows["temp"].tolist()[:3] == [5, 6, 7], "the hour that had begun when the flight departed"
    assert rows["temp"].isna().tolist() == [origin == "XXX" for origin in rows["origin"]]
    assert rows["seats"].tolist() == [100 + at for at in range(40)]
    assert [(m.name, m.span, m.table, m.matched) for m in snapshot.joins] == [
        ("weather", "2013-01", "2013-01", 30),
        ("plane", "2013-01", str(tmp_path / "planes.parquet"), 40),
        ("weather", "2013-02", "2013-02", 30),
        ("plane", "2013-02", str(tmp_path / "planes.parquet"), 40),
    ]
    (span,) = snapshot.training
    assert span.original is not None
    assert span.original.rows == span.rows == 40
    assert span.original.content == span.source_digest != span.content
    assert Snapshot.from_json(snapshot.to_json()) == snapshot


def test_a_joined_table_that_changed_gives_another_snapshot_and_one_that_was_touched_the_same(
    source: Source, store: Store
) -> None:
    first = taken(source, store)
    planes = Path(str(source.join["plane"].file))
    planes.touch()
    assert taken(source, store).digest == first.digest
    # A column that is not taken changes no row, but the lineage names another file.
    pq.write_table(pq.read_table(planes).append_column("more", pa.array(range(40))), planes)
    second = taken(source, store)
    assert second.digest != first.digest
    assert [span.content for span in second.spans] == [span.content for span in first.spans]


def test_a_span_whose_joined_span_is_not_there_waits(source: Source) -> None:
    found, join_tables = find_spans(source.spans), find_join_tables(source)
    assert waiting(found, join_tables) == {
        "2013-03": f"join weather has no file for it, 2013-03 of {source.join['weather'].spans} does not exist"
    }
    Path(str(source.join["plane"].file)).unlink()
    assert set(waiting(found, find_join_tables(source))) == {"2013-01", "2013-02", "2013-03"}


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:-20]), lambda path: path.write_bytes(b"")])
def test_a_joined_file_that_is_broken_is_refused_by_name(damage: Any, source: Source, store: Store) -> None:
    damage(Path(str(source.join["plane"].file)))
    with pytest.raises(DataError, match=r"planes\.parquet .*is (truncated|empty).*write it again at the source"):
        taken(source, store)


def test_a_match_below_what_is_asked_blocks_with_evidence(source: Source, store: Store) -> None:
    results = CheckResults()
    join_coverage.check(CheckInput(SCHEMA, (), joins=taken(source, store).joins), results)
    assert (results.checks, results.anomalies) == (4, [])
    strict = source.model_copy(update={"join": {"weather": source.join["weather"].model_copy(update={"min_match_rate": 0.76})}})
    join_coverage.check(CheckInput(SCHEMA, (), joins=taken(strict, store).joins), results)
    first, second = results.anomalies
    assert (first.kind, first.span, first.column, first.severity) == ("join_match", "2013-01", "origin", Severity.ERROR)
    assert (first.observed, first.expected) == ("30 of 40 rows (75.0%)", "at least 76.0%")
    assert first.message == (
        "weather (2013-01) matches 30 of 40 rows (75.0%) of 2013-01; required: at least 76.0%. No match for 1 key of "
        'origin, such as "XXX, first at 2013-01-01 08:30:00".'
    )
    assert "source.join.weather: recode origin" in first.proposal
    assert second.span == "2013-02"


@pytest.mark.deep
def test_the_same_inputs_give_the_same_bytes_with_one_thread_and_with_many(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows enough for many row groups in DuckDB's eyes and several in ours; both joins, a sample and a split at once."""
    count = 150_000
    ids = pa.array([f"id {at * 7919 % count}" for at in range(count)])
    left = pa.table(
        {
            "k": ids,
            "t": pa.array(range(count), pa.timestamp("s")),
            "kind": pa.array(["a", "b", None] * (count // 3)).dictionary_encode(),
        }
    )
    right = pa.table({"s": ids, "at": pa.array([at // 2 for at in range(count)], pa.timestamp("s")), "v": pa.array(ids)})
    pq.write_table(left, tmp_path / "left.parquet", row_group_size=10_000)
    pq.write_table(right, tmp_path / "right.parquet", row_group_size=7_000)
    reading = read_spec_of(source.model_copy(update={"join": {}}), ())
    assert reading.is_plain
    contents = []
    for threads in (1, 4, 3)[: rounds(2, 3)]:
        monkeypatch.setitem(connection._SETTINGS, "threads", threads)
        folder = tmp_path / str(threads)
        folder.mkdir()
        tables = [
            JoinedTable(JoinTable("a", join(as_of={"t": "at"}), {}), tmp_path / "right.parquet", "r", "0"),
            JoinedTable(JoinTable("b", join(prefix="b_"), {}), tmp_path / "right.parquet", "r", "0"),
        ]
        both = read_source(
            {
                **source.model_dump(by_alias=True, exclude={"join"}),
                "sample": {"fraction": 0.9, "by": "k", "stratify": "kind"},
                "split": {"by": "b_v", "evaluation": 0.3},
            }
        )
        rules = RowRules(tables, read_spec_of(both, ()).sample, read_spec_of(both, ()).split)
        made = materialize_rows(tmp_path / "left.parquet", rules, folder, label="span")
        assert len(made.files) == 2
        contents.append(([part.path.read_bytes() for part in made.files], made.matches))
    assert all(each == contents[0] for each in contents)


@pytest.mark.skipif(not (PUBLIC / "patients.csv").exists(), reason="the public data are not on this machine")
def test_patients_find_their_histories(tmp_path: Path) -> None:
    patients, histories = (pd.read_csv(PUBLIC / f"{name}.csv") for name in ("patients", "histories"))
    tables = [
        pa.Table.from_pandas(rows, preserve_index=False) for rows in (patients, histories.sample(frac=0.9, random_state=1))
    ]
    found, match = joined(tmp_path, *tables, on={"ssn": "ssn"}, columns=["smoker", "complications"])
    expected = patients.merge(tables[1].to_pandas(), on="ssn", how="left")
    assert found == pa.Table.from_pandas(expected, preserve_index=False).to_pylist()
    assert match.matched == expected["complications"].notna().sum() < match.rows
