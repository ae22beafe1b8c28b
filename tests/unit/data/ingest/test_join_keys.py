"""Which rows of a joined table belong to which: by equal keys, by the last row before a time, and what is refused."""

import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from data.ingest.joined_tables import Rows, joined
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.errors import ConfigError, DataError

EPOCH = datetime(2013, 1, 1)


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
