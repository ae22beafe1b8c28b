"""One table is divided into the periods of a column: every row is in one span, and only spans whose rows change are due again."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from helping import examples
from taxiway.data.sources.find import reader_of, source_state, spans_of
from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import ConfigError
from taxiway.spec.source import read_source, source_from_json
from taxiway.spec.source.periods import Every, period_at

NOW = datetime(2026, 11, 26, tzinfo=UTC)
OFFSETS = {"year": "Y", "quarter": "Q", "month": "M", "week": "W-SUN", "day": "D", "hour": "h"}


def spans(path: Path, every: Every = "month", **keys: object) -> tuple[FoundSpan, ...]:
    source = read_source({"file": str(path), "time": "at", "every": every, "label": "y", "window": 1, **keys})
    return spans_of(source, processed=(), now=NOW)


def rows_of(path: Path, folder: Path, every: Every = "month", notes: list[str] | None = None) -> dict[str, pd.DataFrame]:
    source = read_source({"file": str(path), "time": "at", "every": every, "label": "y", "window": 1})
    read = reader_of(source, no_database, note=(notes if notes is not None else []).append)
    found = {}
    for span in spans(path, every):
        (folder / span.name).mkdir(parents=True)
        found[span.name] = pq.read_table(read(span, folder / span.name)).to_pandas()
    return found


def no_database(name: str) -> None:
    raise AssertionError(name)


def written(path: Path, rows: pd.DataFrame, time: float = 1e9) -> Path:
    if path.suffix == ".csv":
        rows.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        rows.to_json(path, orient="records", lines=True)
    else:
        rows.to_parquet(path)
    os.utime(path, (time, time))
    return path


def orders(*days: str) -> pd.DataFrame:
    return pd.DataFrame({"at": pd.to_datetime(list(days)), "y": range(len(days))})


@examples(20)
@given(
    moments=st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2026, 11, 25)), min_size=1, max_size=12),
    every=st.sampled_from([*OFFSETS]),
    zoned=st.booleans(),
    unit=st.sampled_from(["us", "ns"]),
)
def test_every_row_is_in_the_span_of_its_period(
    tmp_path_factory: pytest.TempPathFactory, moments: list[datetime], every: Every, zoned: bool, unit: str
) -> None:
    folder = tmp_path_factory.mktemp("table")
    rows = pd.DataFrame({"at": pd.Series(moments, dtype=f"datetime64[{unit}]"), "y": range(len(moments))})
    if zoned:
        rows["at"] = rows["at"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    found = rows_of(written(folder / "rows.parquet", rows), folder, every)
    oracle: dict[str, list[int]] = {}
    for moment, y in zip(moments, rows["y"], strict=True):
        period = period_at(moment.replace(tzinfo=UTC), every)
        assert period.begins <= moment.replace(tzinfo=UTC) < period.ends
        if period.ends <= NOW:
            oracle.setdefault(period.name, []).append(y)
    assert {name: sorted(span["y"]) for name, span in found.items()} == oracle
    assert all(span["at"].is_monotonic_increasing for span in found.values())
    assert [*found] == sorted(oracle)
    # Pandas groups the rows alike.
    grouped = rows["y"].groupby(pd.Series(moments, dtype="datetime64[us]").dt.to_period(OFFSETS[every])).agg(list)
    assert {tuple(group) for group in grouped} >= {tuple(group) for group in oracle.values()}


def test_a_span_is_due_again_only_if_its_own_rows_change(tmp_path: Path) -> None:
    first = orders("2026-01-05", "2026-01-31", "2026-02-01", "2026-02-28")
    before = {span.name: span.version for span in spans(written(tmp_path / "all.csv", first))}
    appended = pd.concat([first[::-1], orders("2026-03-09")])
    after = {span.name: span.version for span in spans(written(tmp_path / "all.csv", appended, 2e9))}
    assert after == {**before, "2026-03": after["2026-03"]}
    # An integer becomes a fraction in another span, so that the column has another type.
    changed = appended.assign(y=appended["y"].astype(float).where(appended["at"] < "2026-03-01", 0.5))
    again = {span.name: span.version for span in spans(written(tmp_path / "all.csv", changed, 3e9))}
    assert {name for name in again if again[name] != after[name]} == {"2026-03"}
    assert min(before.values()) > 0


CELLS = {
    "number": [
        "7",
        "1.50",
        "-0.25",
        "123456789012",
        "0.1",
        " 6",
        "1e5",
        ".5",
        "NA",
        "12345678901234567",
        "0.1234567890123456789",
    ],
    "local": ["7", "1,5", "-0,25"],
    "missing": ["NA", ""],
    "flag": ["true", "False"],
    "day": ["2026-01-02", "2026-01-03"],
    "moment": ["2026-01-02", "2026-01-02T05:00", "2026-01-02 05:00:00.500", "2026-01-02T05:00:00.1234567"],
    "instant": ["2026-01-02T05:00:00Z", "2026-01-02 05:00:00+02:00"],
    "text": ["a", "007", "x,y"],
}
ODD = {
    "number": "none", "local": "none", "missing": "5", "flag": "maybe", "day": "2026-01-02 10:30:00", "moment": "soon",
    "instant": "now", "text": "7",
}  # fmt: skip


@examples(25)
@given(
    rows=st.lists(
        st.fixed_dictionaries({name: st.sampled_from(cells) for name, cells in CELLS.items()}), min_size=1, max_size=6
    ),
    decimal=st.sampled_from([".", ","]),
    suffix=st.sampled_from(["csv", "jsonl"]),
    data=st.data(),
)
def test_no_row_of_another_period_changes_the_version_of_a_span(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]], decimal: str, suffix: str, data: st.DataObject
) -> None:
    """Whatever types it gives the columns, and whatever columns it adds."""
    folder = tmp_path_factory.mktemp("table")
    before = pd.DataFrame(rows).assign(at="2026-01-05")
    odd = {name: data.draw(st.sampled_from([*CELLS[name], ODD[name]])) for name in CELLS}
    after = pd.concat([before, pd.DataFrame([{**odd, "at": "2026-02-01", "more": "1"}])])
    first, second = (
        spans(written(folder / f"{at}.{suffix}", table), csv={"decimal": decimal})[0]
        for at, table in enumerate((before, after))
    )
    assert (first.name, first.version) == (second.name, second.version)


def version_of(path: Path, cell: object) -> int:
    """The version of a table with one row."""
    (span,) = spans(written(path, pd.DataFrame({"at": ["2026-01-05"], "x": [cell]})))
    return span.version


@pytest.mark.parametrize("value", [7, 1.5, 7.0, -0.0, 1e5, 1e-7, 1e15, 2.0**53, 1e16, True, [1, {"a": 2.0}]])
def test_no_text_in_another_row_changes_the_version_of_a_json_value(tmp_path: Path, value: object) -> None:
    table = tmp_path / "all.jsonl"
    versions = []
    for other in (value, "none"):
        rows = [{"at": "2026-01-05", "x": value}, {"at": "2026-02-05", "x": other}]
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
        os.utime(table, (1e9 + len(versions),) * 2)
        versions.append(spans(table)[0].version)
    assert versions[0] == versions[1]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("7", "7.0", True),
        ("1.5", "1.50", True),
        ("True", "true", True),
        ("2026-01-02", "2026-01-02 00:00:00.000000", True),
        ("2026-01-02T05:00Z", "2026-01-02 05:00:00.000000000+00:00", True),
        ("9007199254740992.0", "9007199254740993.0", False),
        ("0.1234567890123456", "0.1234567890123457", False),
        ("2026-01-02T05:00+01:00", "2026-01-02T05:00+02:00", False),
        ("2026-01-02T05:00:00.1234567", "2026-01-02T05:00:00.1234568", False),
        ("7", " 7", False),
        ("NA", "", False),
        ("7,0", "7", False),
    ],
)
def test_the_same_value_in_another_form_is_no_correction(tmp_path: Path, one: str, other: str, same: bool) -> None:
    assert (version_of(tmp_path / "1.csv", one) == version_of(tmp_path / "2.csv", other)) == same


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_a_correction_of_a_nanosecond_is_one(tmp_path: Path, zone: str | None) -> None:
    moments = [pd.Series(pd.to_datetime([f"2026-01-05 05:00:00.12345678{at}"])).dt.tz_localize(zone) for at in (0, 1)]
    for column in ("at", "x"):
        tables = [pd.DataFrame({"at": pd.to_datetime(["2026-01-05"]), "x": 1}).assign(**{column: moment}) for moment in moments]
        versions = [spans(written(tmp_path / f"{column}{at}.parquet", table))[0].version for at, table in enumerate(tables)]
        assert versions[0] != versions[1]


def test_times_with_nanoseconds_are_in_their_periods_and_in_order(tmp_path: Path) -> None:
    table = tmp_path / "all.csv"
    table.write_text("at,y\n1970-01-01 00:00:00.0000001,2\n1970-01-01,1\n1969-12-31 23:59:59.9999999,0\n")
    found = rows_of(table, tmp_path / "read", "day")
    assert {name: [*span["y"]] for name, span in found.items()} == {"1969-12-31": [0], "1970-01-01": [1, 2]}


def test_a_date_beyond_all_times_in_another_column_is_read(tmp_path: Path) -> None:
    days = pa.array([2**30, 0], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"at": pa.array([0, 0], pa.timestamp("us")), "far": days, "y": [0, 1]}), tmp_path / "all.parquet")
    assert [span.name for span in spans(tmp_path / "all.parquet")] == ["1970-01"]
    assert len(spans(tmp_path / "all.parquet", time="far")) == 1


def test_the_order_of_rows_does_not_change_a_span(tmp_path: Path) -> None:
    rows = orders("2026-01-05", "2026-01-31", "2026-01-05", "2026-01-09")
    contents = []
    for at, table in enumerate((rows, rows[::-1])):
        (found,) = rows_of(written(tmp_path / f"{at}.csv", table), tmp_path / str(at)).values()
        contents.append(found.to_dict("list"))
    assert contents[0] == contents[1]


def test_a_correction_of_the_last_digit_is_one(tmp_path: Path) -> None:
    table = orders("2026-01-05").assign(y=2**53 + 1)
    versions = [spans(written(tmp_path / f"{at}.csv", table.assign(y=2**53 + at)))[0].version for at in range(2)]
    assert versions[0] != versions[1]


def test_a_period_is_a_span_once_it_has_ended(tmp_path: Path) -> None:
    table = written(tmp_path / "all.parquet", orders("2026-10-01", "2026-11-01", "2026-11-25"))
    assert [span.name for span in spans(table)] == ["2026-10"]
    assert [span.name for span in spans(table, "day")] == ["2026-10-01", "2026-11-01", "2026-11-25"]
    assert [span.name for span in spans(table, "day", delay="1d")] == ["2026-10-01", "2026-11-01"]


def test_rows_without_a_time_are_in_no_span_and_that_is_said(tmp_path: Path) -> None:
    table = written(tmp_path / "all.csv", pd.concat([orders("2026-01-05"), pd.DataFrame({"at": [None, None], "y": [1, 2]})]))
    notes: list[str] = []
    assert [len(rows) for rows in rows_of(table, tmp_path / "read", notes=notes).values()] == [1]
    assert notes == [f"{table}: 2 rows in no span, without at, or beyond the years 1 to 9998"]


def test_no_file_is_no_span_and_a_new_one_changes_the_state(tmp_path: Path) -> None:
    source = read_source({"file": str(tmp_path / "all.csv"), "time": "at", "every": "day", "label": "y", "window": 1})
    assert source_from_json(source.model_dump_json(by_alias=True, exclude_defaults=True)) == source  # as the trigger gets it
    assert spans_of(source, processed=(), now=NOW) == ()
    states = [source_state(source, now=NOW)]
    written(tmp_path / "all.csv", orders("2026-01-05"))
    states.append(source_state(source, now=NOW))
    written(tmp_path / "all.csv", orders("2026-01-06"), 2e9)
    states.append(source_state(source, now=NOW))
    states.append(source_state(source, now=NOW + timedelta(days=1)))
    assert len(set(states)) == len(states)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("when", 'source.time is "when", which is not a column of .*all.csv; allowed: at, y'),
        ("y", 'source.time is "y", which has the type BIGINT in .*all.csv; allowed: a column of dates or times'),
    ],
)
def test_a_column_that_is_no_time_is_named(tmp_path: Path, time: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        spans(written(tmp_path / "all.csv", orders("2026-01-05")), time=time)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"file": "all_{YYYY}.csv"}, "file is all_{YYYY}.csv, which has placeholders; allowed: the path of one table"),
        ({"file": "all.csv", "time": None}, "time"),
        ({"file": "all.csv", "first": "2026-01"}, "first is for a source with sql or function, but this source has file"),
        ({"file": "all.csv", "exclude": ["1"]}, 'exclude has the span "1"; allowed: the name of a period of one month'),
    ],
)
def test_keys_that_do_not_fit_are_named(keys: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        read_source({"time": "at", "every": "month", "label": "y", **keys})
