"""Joins: every row keeps its place and finds exactly the partner that a search by hand finds, never one from the future."""

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples, rounds
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
from taxiway.errors import ConfigError, DataError
from taxiway.records import JoinMatch, Severity, Snapshot
from taxiway.spec.source import Source, read_source
from taxiway.spec.source.join import Join
from taxiway.store.store import Store

SCHEMA = Schema(features=(Feature(name="origin", type="string"),))
PUBLIC = Path(__file__).parents[5] / "shared" / "data"
EPOCH = datetime(2013, 1, 1)
Rows = list[dict[str, Any]]


def join(**keys: Any) -> Join:
    return Join.model_validate({"file": "there", "on": {"k": "s"}, "columns": ["v"], "min_match_rate": 0.5, **keys})


def joined(folder: Path, left: pa.Table, right: pa.Table, **keys: Any) -> tuple[Rows, JoinMatch]:
    """The rows of `left` with the columns of `right`, and how many found a partner."""
    pq.write_table(left, folder / "left.parquet")
    pq.write_table(right, folder / "right.parquet")
    tables = [JoinedTable(JoinTable("w", join(**keys), {}), folder / "right.parquet", "there", "0" * 32)]
    made = materialize_rows(folder / "left.parquet", RowRules(tables), folder, label="span 2013-01")
    (part,), (match,) = made.files, made.matches
    return pq.read_table(part.path).to_pylist(), match


# Few values, so that ties, duplicates and gaps are the rule; the numbers are whole in a float column, as pandas writes gaps.
KEYS = {
    "text": (pa.string(), st.sampled_from(["", "a", "b", "B", None])),
    "whole": (pa.int32(), st.sampled_from([0, 1, 2, None])),
    "float": (pa.float64(), st.sampled_from([0.0, -0.0, 1.0, 2.0, 0.5, math.nan, math.inf, None])),
    "truth": (pa.bool_(), st.sampled_from([True, False, None])),
    "day": (pa.date32(), st.sampled_from([EPOCH.date(), (EPOCH + timedelta(days=1)).date(), None])),
}
MATCHING = [("text", "text"), ("whole", "whole"), ("whole", "float"), ("float", "float"), ("truth", "truth"), ("day", "day")]
MINUTES = st.one_of(st.none(), st.integers(0, 6))
UNITS = st.sampled_from(["s", "us", "ns"])


def key_of(value: Any) -> Any:
    """A value as a key; None where it is none."""
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    return value


def table_of(kind: str, rows: list[tuple[Any, Any, int]], names: tuple[str, str, str], unit: str) -> pa.Table:
    keys, moments, values = zip(*rows, strict=True) if rows else ((), (), ())
    times = [None if minute is None else EPOCH + timedelta(minutes=minute) for minute in moments]
    columns = [pa.array(keys, KEYS[kind][0]), pa.array(times, pa.timestamp(unit)), pa.array(values, pa.int64())]
    return pa.table(dict(zip(names, columns, strict=True)))


def rows_of(kind: str, least: int) -> st.SearchStrategy[list[tuple[Any, Any, int]]]:
    return st.lists(st.tuples(KEYS[kind][1], MINUTES, st.integers(0, 99)), min_size=least, max_size=12)


@st.composite
def two_tables(draw: Any) -> tuple[pa.Table, pa.Table]:
    left_kind, right_kind = draw(st.sampled_from(MATCHING))
    left = table_of(left_kind, draw(rows_of(left_kind, 1)), ("k", "t", "n"), draw(UNITS))
    return left, table_of(right_kind, draw(rows_of(right_kind, 0)), ("s", "at", "v"), draw(UNITS))


def searched(left: Rows, right: Rows, within: timedelta | None) -> list[Any]:
    """For each left row the value of the newest row of its key at or before it, by looking at all of them."""
    found = []
    for row in left:
        best = None
        for other in right:  # of the same moment, the later in the file
            same = key_of(row["k"]) is not None and key_of(row["k"]) == key_of(other["s"])
            if not same or row["t"] is None or other["at"] is None or other["at"] > row["t"]:
                continue
            if best is None or other["at"] >= best["at"]:
                best = other
        old = best is not None and within is not None and row["t"] - best["at"] > within
        found.append(None if best is None or old else best)
    return found


@examples(80)
@given(tables=two_tables(), within=st.sampled_from([None, "60s", "2m"]))
def test_as_of_finds_what_a_search_of_all_rows_finds_and_nothing_later(
    tmp_path: Path, tables: tuple[pa.Table, pa.Table], within: str | None
) -> None:
    left, right = tables
    found, match = joined(tmp_path, left, right, as_of={"t": "at"}, columns=["v", "at"], within=within)
    limit = {None: None, "60s": timedelta(seconds=60), "2m": timedelta(minutes=2)}[within]
    expected = searched(left.to_pylist(), right.to_pylist(), limit)
    assert [row["v"] for row in found] == [None if best is None else best["v"] for best in expected]
    assert all(row["at"] is None or row["at"] <= row["t"] for row in found)
    kept = [(repr(row["k"]), row["t"], row["n"]) for row in found]
    assert kept == [(repr(row["k"]), row["t"], row["n"]) for row in left.to_pylist()], "a left row was lost, moved or changed"
    assert (match.rows, match.matched) == (len(expected), sum(best is not None for best in expected))
    assert match.without_key == sum(key_of(row["k"]) is None or row["t"] is None for row in left.to_pylist())


@examples(80)
@given(tables=two_tables())
def test_equal_keys_find_each_other_and_two_partners_are_refused(tmp_path: Path, tables: tuple[pa.Table, pa.Table]) -> None:
    left, right = tables
    keys = [key_of(value) for value in right["s"].to_pylist()]
    if any(keys.count(key) > 1 for key in keys if key is not None):
        with pytest.raises(DataError, match=r"keys? of s in more than one row: .* in \d+ rows; allowed: each key once"):
            joined(tmp_path, left, right)
        return
    partners = dict(zip(keys, right["v"].to_pylist(), strict=True))
    partners.pop(None, None)
    found, match = joined(tmp_path, left, right)
    assert [row["v"] for row in found] == [partners.get(key_of(key)) for key in left["k"].to_pylist()]
    assert [row["n"] for row in found] == left["n"].to_pylist()
    assert match.matched == sum(key_of(key) in partners for key in left["k"].to_pylist())


def test_a_nanosecond_in_the_future_is_the_future(tmp_path: Path) -> None:
    left = pa.table({"k": ["a"], "t": pa.array([1_000], pa.timestamp("us"))})
    right = pa.table({"s": ["a", "a"], "at": pa.array([999_999, 1_000_001], pa.timestamp("ns")), "v": [1, 2]})
    assert joined(tmp_path, left, right, as_of={"t": "at"})[0][0]["v"] == 1


@pytest.mark.parametrize(
    ("values", "keys", "recode", "recode_right"),
    [
        (["EWR", "JFK"], ["72502", "74486"], {"EWR": "72502", "JFK": "74486"}, None),
        (["EWR", "JFK"], [72502, 74486], {"EWR": "72502", "JFK": "74486"}, ["text"]),
        ([42, 1234567], ["00042", "1234567"], [{"pad": 5}], None),
        ([" ewr\n", "Jfk"], ["KEWR", "KJFK"], ["strip", "upper"], [{"remove_prefix": "K"}]),
        (["Ä'%", "b"], ["ä'%", "B"], ["lower"], ["lower"]),
        (["it's", "no"], ["x'); DROP TABLE t; --", "47"], {"it's": "x'); DROP TABLE t; --", "no": "47"}, None),
    ],
)
def test_keys_that_are_encoded_differently_are_recoded(
    tmp_path: Path, values: list[Any], keys: list[Any], recode: Any, recode_right: Any
) -> None:
    left, right = pa.table({"k": values}), pa.table({"s": keys, "v": [10, 20]})
    rules = {"recode": {"k": recode}, **({"recode_right": {"s": recode_right}} if recode_right else {})}
    found, match = joined(tmp_path, left, right, **rules)
    assert found == [{"k": value, "v": number} for value, number in zip(values, (10, 20), strict=True)]
    assert match.matched == 2


@pytest.mark.parametrize(
    ("left", "right", "keys", "said"),
    [
        (
            [1],
            ["1"],
            {},
            r"k of span 2013-01 is whole number and s of .*, so they are never equal.*Add recode: \{k: \[text\]\}",
        ),
        (["1"], [1.0], {}, r"Add recode_right: \{s: \[text\]\}"),
        ([True], ["1"], {}, "Convert one of them in its source"),
        (["1"], ["1"], {"columns": ["w"]}, 'join w, there has no column "w"\n    allowed: s, v'),
        (["1"], ["1"], {"on": {"kk": "s"}}, r'span 2013-01 has no column "kk"\n    allowed: k   \(did you mean "k"\?\)'),
        (
            ["1"],
            ["1"],
            {"columns": ["s"], "prefix": "", "on": {"k": "s"}, "as_of": {"k": "s"}},
            "k is text; allowed in as_of: dates",
        ),
        ([[1]], ["1"], {}, r"k is BIGINT\[\] and cannot be a key"),
    ],
)
def test_keys_that_could_never_find_each_other_are_said(
    tmp_path: Path, left: list[Any], right: list[Any], keys: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        joined(tmp_path, pa.table({"k": left}), pa.table({"s": right, "v": [1]}), **keys)


def test_a_column_that_is_there_already_is_refused_by_name_and_a_prefix_helps(tmp_path: Path) -> None:
    left, right = pa.table({"k": ["a"], "v": [0]}), pa.table({"s": ["a"], "v": [1]})
    with pytest.raises(
        ConfigError, match=r'join w: span 2013-01 already has a column "v"; add a prefix to the join, such as prefix: w_'
    ):
        joined(tmp_path, left, right)
    assert joined(tmp_path, left, right, prefix="w_")[0] == [{"k": "a", "v": 0, "w_v": 1}]


def test_what_found_no_partner_is_named_the_most_frequent_first(tmp_path: Path) -> None:
    left = pa.table({"k": ["x", "y", "y", "a", None, "z"]})
    _, match = joined(tmp_path, left, pa.table({"s": ["a"], "v": [1]}))
    assert (match.rows, match.matched, match.without_key, match.unmatched_keys) == (6, 1, 1, 3)
    assert match.examples == ("y", "x", "z")


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
