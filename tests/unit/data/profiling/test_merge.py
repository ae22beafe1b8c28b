"""Merging profiles: the whole is what the rows together would give, in any order and grouping."""

from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from exact import assert_moments, moments
from hypothesis import given
from hypothesis import strategies as st

from taxiway.data.profiling.compute import profile
from taxiway.data.profiling.distinct_sketch import HASHES, KEPT, DistinctSample, merge_samples, sample
from taxiway.data.profiling.merge import merge_profiles
from taxiway.data.profiling.profile import FREQUENT_KEPT, ColumnProfile, Profile, ValueCount, WithLabel, kept_values

EMPTY = Profile(rows=0, columns=())
# Of one magnitude each, from numbers whose squares underflow to those whose cubes overflow, and of several together.
magnitudes = st.sampled_from([1e-310, 1e-200, 1e-100, 1.0, 1e6, 1e50, 1e99])
small = st.integers(-5, 5).map(float) | st.floats(-10, 10)
numbers = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(-1e6, 1e6)), max_size=40),
    magnitudes.flatmap(lambda unit: st.lists(st.none() | small.map(lambda value: value * unit), max_size=40)),
    st.lists(st.none() | st.builds(lambda value, unit: value * unit, small, magnitudes), max_size=10),
)
words = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c", 'q"x'])), max_size=40)


def number_column(values: list[float | None], name: str = "x") -> ColumnProfile:
    """The profile of a list, by numpy and exact arithmetic."""
    kept = np.array([value for value in values if value is not None])
    common = {"name": name, "type": "number", "storage": "DOUBLE", "rows": len(values), "missing": len(values) - len(kept)}
    if not len(kept):
        return ColumnProfile.model_validate(common)
    mean, std, skewness, kurtosis = moments(kept.tolist())
    return ColumnProfile.model_validate(
        common
        | {
            "minimum": kept.min(),
            "maximum": kept.max(),
            "mean": mean,
            "std": std,
            "zeros": int((kept == 0).sum()),
            "fractional": int((kept != np.floor(kept)).sum()),
            "skewness": skewness,
            "kurtosis": kurtosis,
            "distinct_sample": distinct_sample(Counter(kept.tolist())),
            "values_complete": False,
            "quantiles": tuple(np.quantile(kept, np.linspace(0, 1, 101), method="inverted_cdf")),
        }
    )


def distinct_sample(counts: "Counter[float] | Counter[str]") -> DistinctSample:
    """The distinct sample of counted values, with a hash of Python's."""
    return sample(
        [hash(("salt", repr(value + 0.0) if isinstance(value, float) else value)) % HASHES for value in counts],
        list(counts.values()),
        HASHES,
    )


def word_column(values: list[str | None], name: str = "t") -> ColumnProfile:
    counts = Counter(value for value in values if value is not None)
    kept, complete = kept_values(dict(counts), complete=True)
    rows, missing = len(values), len(values) - counts.total()
    return ColumnProfile(
        name=name,
        type="string",
        storage="VARCHAR",
        rows=rows,
        missing=missing,
        distinct_sample=distinct_sample(counts),
        values=kept,
        values_complete=complete,
    )


@st.composite
def made(draw: st.DrawFn) -> tuple[Profile, list[float | None], list[str | None]]:
    values = draw(numbers)
    texts = draw(st.lists(st.sampled_from([None, "a", "b", 'q"x']), min_size=len(values), max_size=len(values)))
    return Profile(rows=len(values), columns=(number_column(values), word_column(texts))), values, texts


def same(one: Profile, other: Profile) -> None:
    """Equal in all that is exact, and to 1e-9 in the moments."""
    assert one.rows == other.rows
    assert [column.name for column in one.columns] == [column.name for column in other.columns]
    for a, b in zip(one.columns, other.columns, strict=True):
        loose = {"mean": None, "std": None, "skewness": None, "kurtosis": None, "quantiles": (), "values_exact": True}
        assert a.model_copy(update=loose) == b.model_copy(update=loose)
        assert (a.mean is None) == (b.mean is None)
        if b.mean is not None:
            assert None not in (b.std, b.skewness, b.kurtosis)
            assert_moments(a, (b.mean, b.std or 0.0, b.skewness or 0.0, b.kurtosis or 0.0))


@given(made(), made())
def test_merging_gives_what_the_rows_together_give(one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
    values, texts = one[1] + other[1], one[2] + other[2]
    whole = Profile(rows=len(values), columns=(number_column(values), word_column(texts)))
    same(merge_profiles([one[0], other[0]]), whole)


@given(made(), made())
def test_merging_commutes(one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
    forth, back = merge_profiles([one[0], other[0]]), merge_profiles([other[0], one[0]])
    same(forth, back)
    assert forth.columns[0].quantiles == back.columns[0].quantiles


@given(made(), made(), made())
def test_merging_groups_as_it_likes(a: tuple, b: tuple, c: tuple) -> None:  # type: ignore[type-arg]
    left = merge_profiles([merge_profiles([a[0], b[0]]), c[0]])
    right = merge_profiles([a[0], merge_profiles([b[0], c[0]])])
    same(left, right)
    same(left, merge_profiles([a[0], b[0], c[0]]))


@given(made())
def test_nothing_is_neutral(one: tuple) -> None:  # type: ignore[type-arg]
    assert merge_profiles([one[0]]) == one[0]
    assert merge_profiles([one[0], EMPTY]) == one[0]
    assert merge_profiles([EMPTY, one[0]]) == one[0]
    assert merge_profiles([]) == EMPTY


@given(
    st.lists(
        st.lists(st.one_of(st.integers(0, 6).map(float), st.floats(0, 6)), min_size=1, max_size=200), min_size=1, max_size=4
    )
)
def test_merged_quantiles_are_values_that_occur_at_about_their_rank(parts: list[list[float]]) -> None:
    profiles = tuple(Profile(rows=len(part), columns=(number_column(list(part)),)) for part in parts)
    merged = merge_profiles(profiles).columns[0]
    together = np.sort(np.concatenate(parts))
    assert set(merged.quantiles) <= set(together)
    assert list(merged.quantiles) == sorted(merged.quantiles)
    for share, value in zip(np.linspace(0, 1, 101), merged.quantiles, strict=True):
        below = np.searchsorted(together, value, "left") / len(together)
        upto = np.searchsorted(together, value, "right") / len(together)
        assert below - 0.011 <= share <= upto + 0.011


def test_a_column_that_a_part_lacks_is_missing_in_its_rows() -> None:
    both = Profile(rows=2, columns=(number_column([1, 2]), word_column(["a", "b"])))
    merged = merge_profiles([both, Profile(rows=3, columns=(number_column([1, 2, 3]),))])
    text = merged.column("t")
    assert text is not None
    assert (text.rows, text.missing, text.present) == (5, 3, 2)


def test_integers_and_numbers_are_numbers_and_text_beside_them_is_neither() -> None:
    number = Profile(rows=2, columns=(number_column([1.5, 2]),))
    integer = Profile(rows=1, columns=(number_column([7]).model_copy(update={"type": "integer", "storage": "BIGINT"}),))
    text = Profile(rows=1, columns=(word_column(["a"], "x"),))
    empty_text = Profile(rows=1, columns=(word_column([None], "x"),))
    merged = merge_profiles([number, integer]).columns[0]
    assert (merged.type, merged.storage, merged.maximum) == ("number", "BIGINT or DOUBLE", 7)
    assert merge_profiles([number, text]).columns[0].type == "other"
    assert merge_profiles([number, empty_text]).columns[0].type == "number", "a column without values has no say"


def test_distinct_values_of_different_types_are_counted_in_all_rows() -> None:
    nested = word_column(["a", "b"], "x").model_copy(update={"type": "other", "storage": "STRUCT(a VARCHAR)", "values": ()})
    parts = [Profile(rows=2, columns=(nested,)), Profile(rows=3, columns=(word_column(["c", "d", "d"], "x"),))]
    merged = merge_profiles(parts).columns[0]
    assert (merged.type, merged.present) == ("other", 5)
    assert (merged.distinct.value, merged.uniqueness.value) == (4, 3 / 5)


def test_a_merged_list_of_values_stays_bounded_and_says_so() -> None:
    def part(start: int) -> Profile:
        values = tuple(ValueCount(value=f"v{at}", rows=2) for at in range(start, start + 800))
        column = ColumnProfile(name="t", type="string", storage="VARCHAR", rows=1600, missing=0, values=values)
        return Profile(rows=1600, columns=(column,))

    merged = merge_profiles([part(0), part(400)]).columns[0]
    assert len(merged.values) == FREQUENT_KEPT
    assert not merged.values_complete
    assert {item.rows for item in merged.values} == {4}


@given(st.lists(st.lists(st.integers(0, 4000), max_size=1500), min_size=1, max_size=5), st.randoms())
def test_distinct_samples_merge_to_the_sample_of_all_rows(parts: list[list[int]], random: Random) -> None:
    hashes = np.random.default_rng(7).integers(0, HASHES, 4001, dtype="uint64")

    def sampled(values: list[int]) -> DistinctSample:
        counts = Counter(values)
        return sample([hashes[value] for value in counts], list(counts.values()), HASHES)

    whole = sampled([value for part in parts for value in part])
    samples = [sampled(part) for part in parts]
    assert merge_samples(samples) == whole
    random.shuffle(samples)
    middle = random.randint(1, len(samples))
    grouped = [merge_samples(samples[:middle]), *samples[middle:], DistinctSample()]
    assert merge_samples(grouped) == whole


def test_estimates_keep_their_stated_errors() -> None:
    rng = np.random.default_rng(3)
    far = []
    for draw in range(40):
        values = rng.zipf(1.3, 60_000) if draw % 2 else rng.integers(0, 20_000, 60_000)
        counts = Counter(values.tolist())
        hashes = rng.integers(0, HASHES, len(counts), dtype="uint64")
        found = sample(hashes, list(counts.values()), HASHES)
        known = [count for _, count in counts.most_common(200)]
        shares = np.array(list(counts.values())) / 60_000
        truths = (len(counts), sum(c == 1 for c in counts.values()) / 60_000, -(shares * np.log(shares)).sum())
        estimates = (found.distinct(60_000, known), found.uniqueness(60_000, known), found.entropy(60_000, known))
        assert estimates[0].error <= 1.01 / np.sqrt(KEPT) * estimates[0].value
        far += [abs(e.value - truth) > 3 * e.error + 1e-9 for e, truth in zip(estimates, truths, strict=True)]
    assert sum(far) <= 3, "of 120 estimates, about one should be more than three standard errors off"


@given(st.lists(st.tuples(st.floats(-100, 100), st.integers(0, 1)), min_size=2, max_size=60), st.integers(1, 59))
def test_correlation_of_parts_is_that_of_the_whole(pairs: list[tuple[float, int]], cut: int) -> None:
    def beside(rows: list[tuple[float, int]]) -> Profile:
        values, labels = (np.array(side, dtype=float) for side in zip(*rows, strict=True))
        found = WithLabel(
            rows=len(rows),
            mean_value=values.mean(),
            mean_label=labels.mean(),
            m2_value=((values - values.mean()) ** 2).sum(),
            m2_label=((labels - labels.mean()) ** 2).sum(),
            comoment=((values - values.mean()) * (labels - labels.mean())).sum(),
        )
        column = number_column(values.tolist()).model_copy(update={"with_label": found})
        return Profile(rows=len(rows), columns=(column,), label="y")

    parts = [part for part in (pairs[:cut], pairs[cut:]) if part]
    together, whole = merge_profiles([beside(part) for part in parts]), beside(pairs)
    assert together.label == "y"
    one, other = together.columns[0].with_label, whole.columns[0].with_label
    assert one is not None
    assert other is not None
    assert one.comoment == pytest.approx(other.comoment, rel=1e-9, abs=1e-9)
    assert merge_profiles([beside(pairs), beside(pairs).model_copy(update={"label": "z"})]).columns[0].with_label is None
    assert one.m2_value == pytest.approx(other.m2_value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "kinds", [("int64", "float64", "uint64"), ("int32", "int64"), ("float32", "int64"), ("str", "str", "str")]
)
def test_profiles_of_files_merge_to_that_of_all_rows(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    rng = np.random.default_rng(8)
    parts = [
        pd.DataFrame({"x": pd.Series(rng.integers(0, 3000, 4000 + 500 * at)).astype(kind)}) for at, kind in enumerate(kinds)
    ]
    found = []
    for at, part in enumerate(parts):
        part.to_parquet(tmp_path / f"{at}.parquet")
        found.append(profile(tmp_path / f"{at}.parquet"))
    together = merge_profiles(found).columns[0]
    counts = pd.concat([part["x"].astype("float64" if kinds[0] != "str" else "str") for part in parts]).value_counts()
    shares = counts / counts.sum()
    truths = (len(counts), (counts == 1).sum() / counts.sum(), -(shares * np.log(shares)).sum())
    for estimate, truth in zip((together.distinct, together.uniqueness, together.entropy), truths, strict=True):
        assert abs(estimate.value - truth) <= 4 * estimate.error + 1e-9
    assert together.distinct.error > 0
    if kinds[0] != "str":
        rows = pd.concat([part["x"].astype("float64") for part in parts])
        assert (together.mean, together.std) == (
            pytest.approx(rows.mean(), rel=1e-9),
            pytest.approx(rows.std(ddof=0), rel=1e-9),
        )


def test_whole_numbers_are_the_same_whatever_their_type(tmp_path: Path) -> None:
    found = []
    for at, kind in enumerate(("int64", "float64", "uint64", "int8")):
        pd.DataFrame({"x": pd.Series([1, 2, 3, 3]).astype(kind)}).to_parquet(tmp_path / f"{at}.parquet")
        found.append(profile(tmp_path / f"{at}.parquet"))
    together = merge_profiles(found).columns[0]
    assert together.distinct == (3, 0)
    assert [item.value for item in found[2].columns[0].values] == ["3", "1", "2"]
