"""Splits without a key: at random, stratified and by time, the same whatever the order of the rows and the format of the file."""

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.engine.read_rows import read_rows
from taxiway.data.formats.convert import RawFile, ReadOptions, as_parquet
from taxiway.data.ingest.ingest import ingest
from taxiway.data.ingest.materialize import RowRules, materialize_rows
from taxiway.data.ingest.read_spec import ReadSpec
from taxiway.data.ingest.sampling import Subset
from taxiway.data.sources.files import find_spans
from taxiway.errors import ConfigError, DataError
from taxiway.records import SampleRule, SplitRule
from taxiway.store.store import Store
from taxiway.tuning.trials import tuning_snapshot

RANDOM, BY_LABEL, BY_TIME = (
    SplitRule(evaluation=0.2),
    SplitRule(evaluation=0.2, stratify="label"),
    SplitRule(evaluation=0.2, by_time="x"),
)
Row = tuple[Any, ...]
Sides = dict[Subset, Counter[Row]]


@pytest.fixture
def sides(tmp_path: Path) -> Callable[..., Sides]:
    """A function that splits a table: its rows on each side, with how often each is there."""

    def split(rows: pd.DataFrame | pa.Table, rule: SplitRule, **rules: Any) -> Sides:
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
        pq.write_table(table, tmp_path / "rows.parquet")
        made = materialize_rows(tmp_path / "rows.parquet", RowRules(split=rule, **rules), tmp_path, label="span 1")
        found: Sides = {Subset.TRAINING: Counter(), Subset.EVALUATION: Counter()}
        for part in made.files:
            found[part.subset] = Counter(tuple(row.values()) for row in pq.read_table(part.path).to_pylist())
        return found

    return split


VALUES = st.tuples(
    st.none() | st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.sampled_from([0.5, -0.25, 1.0, 1e30, -0.0]) | st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.sampled_from(["a", "b", "ä, '", "\x1f", "é"]),
    st.none() | st.booleans(),
    st.none() | st.dates(date(1700, 1, 1), date(2200, 1, 1)),
)
ROWS = st.lists(st.tuples(st.sampled_from("abc"), VALUES).map(lambda row: (row[0], *row[1])), min_size=1, max_size=40)
SCHEMA = pa.schema(
    [("label", pa.string()), ("n", pa.int64()), ("x", pa.float64()), ("s", pa.string()), ("b", pa.bool_()), ("d", pa.date32())]
)


def table(rows: list[Row]) -> pa.Table:
    return pa.Table.from_arrays(
        [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)], schema=SCHEMA
    )


@examples(25)
@given(rows=ROWS, order=st.randoms(use_true_random=False), rule=st.sampled_from([RANDOM, BY_LABEL, BY_TIME]))
def test_any_rows_in_any_order_are_split_the_same_way_and_none_is_lost_or_on_both_sides(
    rows: list[Row], order: Any, rule: SplitRule, sides: Callable[..., Sides]
) -> None:
    if rule is BY_TIME:
        rows = [(*row[:2], row[2] or 0.0, *row[3:]) for row in rows]
    found = sides(table(rows), rule)
    assert found[Subset.TRAINING] + found[Subset.EVALUATION] == Counter(rows)
    assert not found[Subset.TRAINING].keys() & found[Subset.EVALUATION].keys(), "equal rows are on both sides"
    mixed, columns = list(rows), list(SCHEMA.names)
    order.shuffle(mixed)
    order.shuffle(columns)
    other = sides(table(mixed).select(columns), rule)
    places = [columns.index(name) for name in SCHEMA.names]
    for side, there in other.items():
        assert Counter({tuple(row[at] for at in places): count for row, count in there.items()}) == found[side]


@examples(8)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.none() | st.integers(-5, 5),
            st.none() | st.sampled_from([0.5, 2.0, -1.25, 1e-7]),
            st.none() | st.sampled_from(["p", "q r", "ä"]),
            st.booleans(),
            st.none() | st.dates(date(2013, 1, 1), date(2013, 1, 9)),
        ),
        min_size=2,
        max_size=30,
    )
)
def test_csv_json_lines_and_parquet_of_any_type_hold_out_the_same_rows(
    rows: list[Row], sides: Callable[..., Sides], tmp_path: Path
) -> None:
    rows = [("a", 1, 0.5, "p", True, date(2013, 1, 1)), *rows]  # so that each column has a type
    numbered = table(rows)
    frame = numbered.to_pandas()
    frame["n"] = frame["n"].astype("Int64")
    frame["d"] = pd.to_datetime(frame["d"]).dt.strftime("%Y-%m-%d")
    frame.to_csv(tmp_path / "all.csv", index=False)
    frame.to_json(tmp_path / "all.jsonl", orient="records", lines=True)
    wide = pa.schema(
        [
            ("label", pa.string()),
            ("n", pa.float64()),
            ("x", pa.float32()),
            ("s", pa.string()),
            ("b", pa.bool_()),
            ("d", pa.timestamp("ns")),
        ]
    )
    held = sides(numbered, RANDOM)[Subset.EVALUATION]
    for kind in ("csv", "jsonl"):
        files = [RawFile(tmp_path / f"all.{kind}", tmp_path, kind, "all")]
        (path,) = as_parquet(files, ReadOptions(kind)).files
        assert times_as_dates(sides(pq.read_table(path), RANDOM)[Subset.EVALUATION]) == held, kind
    others = sides(numbered.cast(wide), RANDOM)[Subset.EVALUATION]
    assert {(row[0], row[3], row[4]) for row in others} == {(row[0], row[3], row[4]) for row in held}
    assert others.total() == held.total()


@pytest.mark.parametrize("rule", [RANDOM, SplitRule(evaluation=0.2, by="x")])
def test_a_number_of_any_type_is_on_the_same_side_and_nan_is_no_value(rule: SplitRule, sides: Callable[..., Sides]) -> None:
    numbers = [None if at % 50 == 0 else at / 4 for at in range(500)]
    held = [
        {row[1] for row in sides(pa.table({"x": column, "n": range(500)}), rule)[Subset.EVALUATION]}
        for column in (
            pa.array(numbers),
            pa.array(numbers, pa.float32()),
            pa.array(numbers).cast(pa.decimal128(12, 5)),
            pa.array([math.nan if number is None else number for number in numbers]),
        )
    ]
    assert held[1:] == held[:1] * 3


def times_as_dates(rows: Counter[Row]) -> Counter[Row]:
    """The rows with dates for texts of dates, which JSON has."""
    return Counter(
        {(*row[:5], date.fromisoformat(row[5]) if isinstance(row[5], str) else row[5]): n for row, n in rows.items()}
    )


@examples(25)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5), evaluation=st.floats(0.01, 0.99))
def test_each_stratum_of_different_rows_keeps_its_share_within_one_row(
    sizes: list[int], evaluation: float, sides: Callable[..., Sides]
) -> None:
    rows = pd.DataFrame({"label": np.repeat([f"class {at}" for at in range(len(sizes))], sizes), "n": range(sum(sizes))})
    rows.loc[rows.label == "class 0", "label"] = None
    held = sides(rows, SplitRule(evaluation=evaluation, stratify="label"))[Subset.EVALUATION]
    counts = Counter(row[0] for row in held)
    for at, size in enumerate(sizes):
        count = counts[f"class {at}" if at else None]
        assert abs(count - evaluation * size) <= 1
        assert (count == 0) if size == 1 else (1 <= count <= size - 1), "a class of two rows is on both sides"


@examples(25)
@given(copies=st.lists(st.integers(1, 30), min_size=1, max_size=8), evaluation=st.floats(0.05, 0.95))
def test_equal_rows_of_a_stratum_stay_together_and_both_sides_have_rows_of_it(
    copies: list[int], evaluation: float, sides: Callable[..., Sides]
) -> None:
    rows = pd.DataFrame({"label": "one", "n": np.repeat(range(len(copies)), copies)})
    held = sides(rows, SplitRule(evaluation=evaluation, stratify="label"))[Subset.EVALUATION]
    assert all(count == copies[n] for (_, n), count in held.items())
    assert bool(held) == (len(copies) > 1)
    assert len(held) < len(copies)
    assert abs(held.total() - evaluation * sum(copies)) <= max(copies) + 1


def test_a_large_group_of_equal_rows_is_not_held_out_for_want_of_others(sides: Callable[..., Sides]) -> None:
    for seed in range(8):
        rows = pd.DataFrame({"label": "one", "n": [seed] * 20 + [seed + 100]})
        assert sides(rows, BY_LABEL)[Subset.EVALUATION] == Counter({("one", seed + 100): 1})


@pytest.mark.parametrize("evaluation", [0.05, 0.2, 0.7])
def test_a_random_split_holds_out_its_fraction_and_is_independent_of_others(
    evaluation: float, sides: Callable[..., Sides]
) -> None:
    count = 20_000
    rows = pd.DataFrame({"n": range(count), "c": np.arange(count) % 2})
    rule = SplitRule(evaluation=evaluation)
    held = sides(rows, rule)[Subset.EVALUATION]
    noise = math.sqrt(count * evaluation * (1 - evaluation))
    assert abs(held.total() - count * evaluation) < 4 * noise
    assert abs(sum(row[1] for row in held) - held.total() / 2) < 2 * math.sqrt(held.total())
    again = sides(rows, rule, salt="tuning")[Subset.EVALUATION]
    assert abs((held & again).total() - count * evaluation**2) < 4 * noise


def test_rows_keep_their_side_as_rows_are_added_and_as_columns_without_values_are(sides: Callable[..., Sides]) -> None:
    rows = pd.DataFrame({"n": range(500), "s": ["x", ""] * 250})
    held = {row[0] for row in sides(rows, RANDOM)[Subset.EVALUATION]}
    more = pd.concat([rows.assign(empty=None), pd.DataFrame({"n": [2.5, 3.5], "s": ["x", None], "empty": ["here", None]})])
    more.loc[more.s == "", "s"] = None
    now = {row[0] for row in sides(more, RANDOM)[Subset.EVALUATION]}
    assert now & set(range(500)) == held


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1.5, None], [], None, [2.0]]),
        pa.array([{"a": 1}, {"a": None}, None, {"a": 2}]),
        pa.array([b"\x00a", b"", None, b"'"]),
        pa.array([0.5, math.nan, math.inf, -math.inf]),
        pa.array(
            [datetime(2013, 1, 1, 5, tzinfo=UTC), None, datetime(1960, 1, 1, tzinfo=UTC), None], pa.timestamp("ns", "UTC")
        ),
        pa.array([2**31 - 1, -(2**31) + 2, 10**9, 0], pa.int32()).cast(pa.date32()),
        pa.array([-(2**63) + 1, 2**63 - 1, 0, None], pa.timestamp("ms")),
        pa.array([2**64 - 1, 0, None, 1], pa.uint64()),
        pa.array(["a", "b", None, "a"]).dictionary_encode(),
        pa.array([date(2013, 1, 1)] * 4).cast(pa.date32()).cast(pa.timestamp("ms")),
    ],
    ids=lambda values: str(values.type),
)
def test_values_of_any_type_have_a_hash(values: pa.Array, tmp_path: Path) -> None:
    pq.write_table(pa.table({"v": pa.chunked_array([values] * 50), "n": range(200)}), tmp_path / "rows.parquet")
    rules = RowRules(split=SplitRule(evaluation=0.5))
    files = materialize_rows(tmp_path / "rows.parquet", rules, tmp_path, label="span 1").files
    assert [part.rows for part in files] != [200], "all rows are on one side"
    assert sum(part.rows for part in files) == 200


@examples(25)
@given(moments=st.lists(st.integers(0, 30), min_size=1, max_size=60), evaluation=st.floats(0.05, 0.95), kind=st.integers(0, 3))
def test_by_time_all_rows_held_out_are_newer_than_the_others(
    moments: list[int], evaluation: float, kind: int, sides: Callable[..., Sides]
) -> None:
    kinds = [pa.int64(), pa.float64(), pa.date32(), pa.timestamp("ns")]
    when = pa.array(moments, pa.int32() if kind == 2 else pa.int64()).cast(kinds[kind])
    found = sides(pa.table({"t": when, "n": range(len(moments))}), SplitRule(evaluation=evaluation, by_time="t"))
    older, newer = ([row[0] for row in found[side]] for side in (Subset.TRAINING, Subset.EVALUATION))
    assert len(older) + len(newer) == len(moments)
    assert bool(newer) == (len(set(moments)) > 1)
    assert not newer or max(older) < min(newer)
    assert abs(len(newer) - evaluation * len(moments)) <= max(Counter(moments).values()) + 1


def test_by_time_says_which_columns_are_allowed_and_how_many_rows_have_no_time(sides: Callable[..., Sides]) -> None:
    rows = pd.DataFrame({"s": list("ab"), "x": [1.0, math.nan], "id": [1, 2], "y": [True, None]})
    with pytest.raises(
        ConfigError, match=r"by_time is s, which is string; allowed: a column of type date, datetime, integer, number"
    ):
        sides(rows, SplitRule(evaluation=0.5, by_time="s"))
    with pytest.raises(
        DataError, match=r"by_time is x, which is missing in 1 of 2 rows of span 1.*leave them out with source\.rows"
    ):
        sides(rows, BY_TIME)
    assert sides(pd.concat([rows, rows.assign(x=2.0, y=True)]), BY_TIME, label="y"), "a row that is left out needs no time"


def test_by_time_rows_of_the_newest_time_are_held_out_even_if_they_are_most(sides: Callable[..., Sides]) -> None:
    rows = pd.DataFrame({"x": [1, 2, *[3] * 18], "n": range(20)})
    held = sides(rows, BY_TIME)[Subset.EVALUATION]
    assert {row[0] for row in held} == {3}
    assert held.total() == 18


@pytest.mark.parametrize("salt", ["split", "tuning", "other"])
def test_strata_and_times_count_only_the_rows_that_are_read(salt: str, sides: Callable[..., Sides]) -> None:
    rows = pd.DataFrame({"n": range(4000), "label": ["a", "b"] * 2000, "y": [1.0, 1.0, None, None] * 1000})
    read: dict[str, Any] = {"label": "y", "sample": SampleRule(fraction=0.5, by="n"), "salt": salt}
    for rule in (BY_LABEL, SplitRule(evaluation=0.2, by_time="n")):
        trained, held = sides(rows, rule, **read).values()
        assert 800 < trained.total() + held.total() < 1200
        for classes in ("a", "b") if rule is BY_LABEL else ("ab",):
            counts = [sum(row[1] in classes for row in side) for side in (trained, held)]
            assert abs(counts[1] - 0.2 * sum(counts)) <= 1


@pytest.mark.parametrize("rule", [RANDOM, BY_LABEL, SplitRule(evaluation=0.2, by_time="n")], ids=["random", "strata", "time"])
def test_a_sweep_is_scored_on_training_rows_that_no_trial_learned(rule: SplitRule, store: Store, tmp_path: Path) -> None:
    pd.DataFrame({"n": range(1000), "label": ["a", "b", "b", "b"] * 250}).to_parquet(tmp_path / "all.parquet")
    found = find_spans(f"{tmp_path}/all.parquet")
    snapshot = ingest(found, pipeline="t.p", source="there", store=store, read_spec=ReadSpec(split=rule))
    tuning = tuning_snapshot(snapshot, store)
    learned, scored, gate = (
        set(read_rows(spans, store)["n"]) for spans in (tuning.training, tuning.evaluation, snapshot.evaluation)
    )
    assert (len(learned | scored | gate), len(learned) + len(scored) + len(gate)) == (1000, 1000)
    assert 120 < len(scored) < 200
    assert rule.by_time is None or max(learned) < min(scored) <= max(scored) < min(gate)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            SplitRule(evaluation=0.2, by_time="c"),
            "source.split with by_time: c and evaluation: 0.2 leaves no rows of span 1 to evaluate on",
        ),
        (SplitRule(evaluation=0.2, stratify="n"), "stratify by a column of which each value has several different rows"),
        (
            SplitRule(evaluation=1e-9),
            "source.split with evaluation: 1e-09 leaves no rows of span 1 to evaluate on; raise evaluation, or read",
        ),
    ],
)
def test_a_split_that_holds_out_nothing_says_what_to_change(rule: SplitRule, said: str, store: Store, tmp_path: Path) -> None:
    pd.DataFrame({"n": range(50), "c": 1}).to_parquet(tmp_path / "all.parquet")
    with pytest.raises(DataError, match=said):
        ingest(
            find_spans(f"{tmp_path}/all.parquet"), pipeline="t.p", source="there", store=store, read_spec=ReadSpec(split=rule)
        )
