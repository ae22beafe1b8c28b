"""Profiles: every number agrees with a plain computation, whatever the columns and their values are called."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exact import assert_moments, moments
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.engine import ibis_exprs as expressions
from taxiway.data.engine.duckdb_table import open_table
from taxiway.data.profiling.compute import profile, profile_span
from taxiway.data.profiling.merge import merge_profiles
from taxiway.data.profiling.profile import Profile
from taxiway.data.profiling.profiler import profile_table
from taxiway.errors import DataError
from taxiway.records import Span
from taxiway.store.store import Store

ProfileOf = Callable[[pd.DataFrame], Profile]


def put(store: Store, path: Path, rows: int) -> Span:
    return Span(source="made", name="odd", rows=rows, content=store.put_file(path))


def test_statistics_of_a_column_agree_with_numpy(profile_of: ProfileOf) -> None:
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(3, 20, 5001), 1)
    series = pd.Series(values)
    series[::7] = None
    kept = series.dropna()
    column = profile_of(pd.DataFrame({"x": series})).column("x")
    assert column is not None
    assert (column.rows, column.missing, column.nan, column.present) == (5001, int(series.isna().sum()), 0, len(kept))
    assert (column.minimum, column.maximum) == (kept.min(), kept.max())
    assert column.mean == pytest.approx(kept.mean(), rel=1e-12)
    assert column.std == pytest.approx(kept.std(ddof=0), rel=1e-12)
    assert column.zeros == (kept == 0).sum()
    assert column.fractional == (kept % 1 != 0).sum()
    assert column.distinct == (kept.nunique(), 0)
    assert column.skewness == pytest.approx(((kept - kept.mean()) ** 3).mean() / kept.std(ddof=0) ** 3, rel=1e-9)
    assert column.kurtosis == pytest.approx(((kept - kept.mean()) ** 4).mean() / kept.std(ddof=0) ** 4 - 3, rel=1e-9)
    assert len(column.quantiles) == 101
    assert np.allclose(column.quantiles, np.quantile(kept, np.linspace(0, 1, 101), method="inverted_cdf"))


@pytest.mark.parametrize("label", ["y", "x0"])
def test_columns_of_the_same_types_have_each_their_own_moments_beside_the_label(tmp_path: Path, label: str) -> None:
    """The query of a table is used again for the next one of the same types; the last columns are read in a second scan."""
    for seed in range(2):
        rng = np.random.default_rng(seed)
        rows = pd.DataFrame({f"x{at}": 10.0**seed * at + rng.normal(size=40) * (at + 1) for at in range(60)})
        rows["y"] = rows["x3"] + rng.normal(size=40) * 10**seed
        rows.to_parquet(tmp_path / f"{seed}.parquet")
        other = rows[label]
        for column in profile(tmp_path / f"{seed}.parquet", label=label).columns:
            values = rows[column.name]
            assert (column.mean, column.std) == (pytest.approx(values.mean()), pytest.approx(values.std(ddof=0)))
            assert (column.with_label is None) == (column.name == label)
            if column.with_label is not None:
                assert column.with_label.mean_label == pytest.approx(other.mean())
                assert column.with_label.correlation == pytest.approx(values.corr(other))


def test_nan_infinities_and_huge_numbers_are_counted_and_kept_out_of_the_moments(store: Store, tmp_path: Path) -> None:
    values = [1.0, 3.0, float("nan"), float("inf"), float("-inf"), 1e300, -1e300, None]
    pq.write_table(pa.table({"x": pa.array(values, pa.float64(), from_pandas=False)}), tmp_path / "x.parquet")
    column = profile_span(put(store, tmp_path / "x.parquet", 8), store).column("x")
    assert column is not None
    assert (column.missing, column.nan, column.above, column.below, column.present, column.finite) == (1, 1, 2, 2, 6, 2)
    assert (column.mean, column.std, column.minimum, column.maximum) == (2, 1, 1, 3)


def test_text_and_booleans_are_counted_by_value(profile_of: ProfileOf) -> None:
    profile = profile_of(pd.DataFrame({"t": ["b", "a", "b", None], "f": [True, False, True, True]}))
    text, flag = profile.columns
    assert [(item.value, item.rows) for item in text.values] == [("b", 2), ("a", 1)]
    assert (text.type, text.missing, text.distinct.value, text.values_complete) == ("string", 1, 2, True)
    assert [(item.value, item.rows) for item in flag.values] == [("true", 3), ("false", 1)]


def test_of_many_values_only_those_that_repeat_are_kept(profile_of: ProfileOf) -> None:
    ids = [f"id-{at}" for at in range(3000)]
    column = profile_of(pd.DataFrame({"x": [*ids, "often", "often"]})).column("x")
    assert column is not None
    assert [(item.value, item.rows) for item in column.values] == [("often", 2)]
    assert not column.values_complete
    assert column.distinct.value == pytest.approx(3001, rel=0.1)
    assert column.uniqueness.value == pytest.approx(3000 / 3002, rel=0.01)


NASTY = [
    "with space",
    'double"quote',
    "single'quote",
    "semi;colon",
    "x'); DROP TABLE span; --",
    '"; SELECT 1; --',
    "select",
    "",
    "ünïcödé ✈",
    "c0",
    "c1",
    "Case",
    "case",
    "new\nline",
    "{brace} %s $1 ?",
    "rows",
    "row_number",
]


def test_no_column_name_or_value_gets_into_sql(profile_of: ProfileOf) -> None:
    rows = pd.DataFrame({name: [f"{name}-{at % 2}" for at in range(10)] for name in NASTY})
    rows["number; DROP"] = range(10)
    profile = profile_of(rows)
    assert [column.name for column in profile.columns] == [*NASTY, "number; DROP"]
    for column in profile.columns[:-1]:
        assert [(item.value, item.rows) for item in column.values] == [(f"{column.name}-0", 5), (f"{column.name}-1", 5)]
    assert profile.columns[-1].maximum == 9


def test_glob_signs_quotes_and_key_value_folders_in_a_path_add_and_hide_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "a[b]*?'q" / "year=2013"
    folder.mkdir(parents=True)
    pd.DataFrame({"x": [1, 2]}).to_parquet(folder / "f.parquet")
    with open_table(folder / "f.parquet", "it") as table:
        assert [column.name for column in table.columns] == ["x"]
        assert table.rows("SELECT sum(c0) FROM span") == [(3,)]


def test_dates_times_and_nested_columns_are_profiled_as_far_as_they_go(store: Store, tmp_path: Path) -> None:
    table = pa.table(
        {
            "day": pa.array([0, 1], pa.date32()),
            "at": pa.array([0, 2_000_000], pa.timestamp("us")),
            "zoned": pa.array([0, 2_000_000], pa.timestamp("us", tz="Europe/Berlin")),
            "list": pa.array([[1], None]),
            "bytes": pa.array([b"\xff", b""]),
            "money": pa.array(["1.50", "2.50"]).cast(pa.decimal128(10, 2)),
            "word": pa.array(["a", "a"]).dictionary_encode(),
            "nothing": pa.nulls(2),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    profile = profile_span(put(store, tmp_path / "x.parquet", 2), store)
    types = {column.name: column.type for column in profile.columns}
    assert types | {"nothing": ""} == {
        "day": "date",
        "at": "datetime",
        "zoned": "datetime",
        "list": "list",
        "bytes": "other",
        "money": "number",
        "word": "string",
        "nothing": "",
    }
    maxima = {column.name: column.maximum for column in profile.columns}
    assert (maxima["day"], maxima["at"], maxima["zoned"], maxima["money"]) == (86400, 2, 2, 2.5)
    assert {column.name: column.missing for column in profile.columns if column.missing} == {"list": 1, "nothing": 2}


def test_text_that_is_not_utf8_is_bad_data_that_names_the_span(store: Store, tmp_path: Path) -> None:
    broken = pa.array([b"\xff\xfe", b"ok"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"x": broken}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="span odd cannot be read"):
        profile_span(put(store, tmp_path / "x.parquet", 2), store)


def test_a_span_is_profiled_once_for_its_content_and_again_where_the_profile_was_altered(
    store: Store, span_of: Callable[..., Span]
) -> None:
    span = span_of(pd.DataFrame({"x": [1, 2, 3]}), "2020-01")
    first = profile_span(span, store)
    Path(store.url, "objects", span.content[:2], span.content).unlink()
    renamed = span.model_copy(update={"name": "2020-02"})
    assert profile_span(renamed, store) == first, "the rows are gone: only the kept profile can have answered"

    span_of(pd.DataFrame({"x": [1, 2, 3]}), "2020-01")
    (record,) = Path(store.url, "records", "Profile").iterdir()
    record.write_text(record.read_text().replace('"rows":3', '"rows":4'))
    assert profile_span(span, store) == first


def test_quantiles_of_very_many_rows_are_taken_of_an_even_part_of_them(
    profile_of: ProfileOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expressions, "ROWS_SAMPLED", 1000)
    values = np.random.default_rng(5).permutation(50_500).astype(float)
    column = profile_of(pd.DataFrame({"x": values})).column("x")
    assert column is not None
    assert (column.quantiles[0], column.quantiles[-1], column.rows) == (0, 50_499, 50_500)
    assert np.allclose(column.quantiles, np.linspace(0, 50_500, 101), atol=0.06 * 50_500)
    assert column.mean == pytest.approx(values.mean())


def test_a_profile_comes_back_from_json_as_it_was(profile_of: ProfileOf) -> None:
    profile = profile_of(
        pd.DataFrame({"x": [1.5, None, 3.1], "t": ["a", "b", None], "none": pd.Series([None] * 3, dtype=object)})
    )
    assert Profile.from_json(profile.to_json()) == profile


def profile_of_floats(path: Path, values: list[float | None]) -> Profile:
    pq.write_table(pa.table({"x": pa.array(values, pa.float64(), from_pandas=False)}), path)
    with open_table(path, "floats") as table:
        return profile_table(table)


floats = st.lists(
    st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -0.0, 1e19, -1e99, 1e-200, 3e-200, 1e-300])),
    min_size=1,
    max_size=30,
)


@examples(25)
@given(floats)
def test_any_floats_have_a_profile_that_counts_all_of_them(
    tmp_path_factory: pytest.TempPathFactory, values: list[float | None]
) -> None:
    (column,) = profile_of_floats(tmp_path_factory.mktemp("floats") / "x.parquet", values).columns
    kept = [value for value in values if value is not None and abs(value) <= 1e100]
    there = [value for value in values if value is not None and not np.isnan(value)]
    assert (column.rows, column.finite, column.present) == (len(values), len(kept), len(there))
    assert column.above + column.below == len(there) - len(kept)
    assert column.fractional == sum(value % 1 != 0 for value in kept)
    assert (column.minimum, column.maximum) == ((min(kept), max(kept)) if kept else (None, None))
    assert len(column.quantiles) == (101 if kept else 0)
    if kept:
        assert_moments(column, moments(kept))


@examples(25)
@given(floats, floats)
def test_a_merged_profile_has_the_moments_of_all_rows(
    tmp_path_factory: pytest.TempPathFactory, one: list[float | None], other: list[float | None]
) -> None:
    folder = tmp_path_factory.mktemp("floats")
    parts = [profile_of_floats(folder / "x.parquet", values) for values in (one, other)]
    (column,) = merge_profiles(parts).columns
    if kept := [value for value in one + other if value is not None and abs(value) <= 1e100]:
        assert_moments(column, moments(kept))


def test_moments_that_overflow_are_none_and_stay_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "ROWS_SAMPLED", 2000)
    for unit, known in ((1e-40, True), (1e-60, False)):  # powers of 1e140 and 1e160 times the spread that the sample shows
        values = [unit * (at % 7) for at in range(20_000)]
        values[777] = 1e100
        whole = profile_of_floats(tmp_path / "x.parquet", values)
        (column,) = whole.columns
        assert (column.finite, column.mean) == (20_000, pytest.approx(5e95))
        assert column.std == (pytest.approx(7.07e97, rel=1e-3) if known else None)
        assert (column.skewness, column.kurtosis) == (None, None)
        (together,) = merge_profiles([whole, profile_of_floats(tmp_path / "y.parquet", [1.0, 2.0])]).columns
        assert (together.std is not None, together.skewness, together.kurtosis) == (known, None, None)


def test_a_single_number_among_very_many_missing_ones_is_found(profile_of: ProfileOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "ROWS_SAMPLED", 1000)
    for place in (0, 777, 9_999):
        values = pd.Series([None] * 10_000, dtype="float64")
        values[place] = 999.0
        column = profile_of(pd.DataFrame({"x": values})).column("x")
        assert column is not None
        assert (column.minimum, column.maximum, column.mean, column.finite) == (999, 999, 999, 1)
