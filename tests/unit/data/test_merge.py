"""Merging profiles: the whole is what the rows together would give, in any order and grouping."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.data.profile import ColumnProfile, Profile, ValueCount, kept_values, merge_profiles

EMPTY = Profile(rows=0, columns=())
numbers = st.lists(st.one_of(st.none(), st.integers(-5, 5).map(float), st.floats(-1e6, 1e6)), max_size=40)
words = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c", 'q"x'])), max_size=40)


def number_column(values: list[float | None], name: str = "x") -> ColumnProfile:
    """The profile of a list, by numpy."""
    kept = np.array([value for value in values if value is not None])
    common = {"name": name, "type": "number", "storage": "DOUBLE", "rows": len(values), "missing": len(values) - len(kept)}
    if not len(kept):
        return ColumnProfile.model_validate(common)
    return ColumnProfile.model_validate(
        common
        | {
            "minimum": kept.min(),
            "maximum": kept.max(),
            "mean": kept.mean(),
            "std": kept.std(),
            "zeros": int((kept == 0).sum()),
            "fractional": int((kept != np.floor(kept)).sum()),
            "distinct": len(set(kept)),
            "quantiles": tuple(np.quantile(kept, np.linspace(0, 1, 101), method="inverted_cdf")),
        }
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
        distinct=len(counts),
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
        loose = {"mean": None, "std": None, "quantiles": (), "distinct": 0}
        assert a.model_copy(update=loose) == b.model_copy(update=loose)
        assert (a.mean is None) == (b.mean is None)
        if a.mean is not None and b.mean is not None:
            scale = max(1.0, abs(a.minimum or 0), abs(a.maximum or 0))
            assert a.mean == pytest.approx(b.mean, rel=1e-9, abs=1e-9 * scale)
            assert a.std == pytest.approx(b.std, rel=1e-6, abs=1e-6 * scale)


@given(made(), made())
def test_merging_gives_what_the_rows_together_give(one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
    values, texts = one[1] + other[1], one[2] + other[2]
    whole = Profile(rows=len(values), columns=(number_column(values), word_column(texts)))
    same(merge_profiles((one[0], other[0])), whole)


@given(made(), made())
def test_merging_commutes(one: tuple, other: tuple) -> None:  # type: ignore[type-arg]
    forth, back = merge_profiles((one[0], other[0])), merge_profiles((other[0], one[0]))
    same(forth, back)
    assert forth.columns[0].quantiles == back.columns[0].quantiles


@given(made(), made(), made())
def test_merging_groups_as_it_likes(a: tuple, b: tuple, c: tuple) -> None:  # type: ignore[type-arg]
    left = merge_profiles((merge_profiles((a[0], b[0])), c[0]))
    right = merge_profiles((a[0], merge_profiles((b[0], c[0]))))
    same(left, right)
    same(left, merge_profiles((a[0], b[0], c[0])))


@given(made())
def test_nothing_is_neutral(one: tuple) -> None:  # type: ignore[type-arg]
    assert merge_profiles((one[0],)) == one[0]
    assert merge_profiles((one[0], EMPTY)) == one[0]
    assert merge_profiles((EMPTY, one[0])) == one[0]
    assert merge_profiles(()) == EMPTY


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
    merged = merge_profiles((both, Profile(rows=3, columns=(number_column([1, 2, 3]),))))
    text = merged.column("t")
    assert text is not None
    assert (text.rows, text.missing, text.present) == (5, 3, 2)


def test_integers_and_numbers_are_numbers_and_text_beside_them_is_neither() -> None:
    number = Profile(rows=2, columns=(number_column([1.5, 2]),))
    integer = Profile(rows=1, columns=(number_column([7]).model_copy(update={"type": "integer", "storage": "BIGINT"}),))
    text = Profile(rows=1, columns=(word_column(["a"], "x"),))
    empty_text = Profile(rows=1, columns=(word_column([None], "x"),))
    merged = merge_profiles((number, integer)).columns[0]
    assert (merged.type, merged.storage, merged.maximum) == ("number", "BIGINT or DOUBLE", 7)
    assert merge_profiles((number, text)).columns[0].type == "other"
    assert merge_profiles((number, empty_text)).columns[0].type == "number", "a column without values has no say"


def test_a_merged_list_of_values_stays_bounded_and_says_so() -> None:
    def part(start: int) -> Profile:
        values = tuple(ValueCount(value=f"v{at}", count=2) for at in range(start, start + 800))
        column = ColumnProfile(name="t", type="string", storage="VARCHAR", rows=1600, missing=0, distinct=800, values=values)
        return Profile(rows=1600, columns=(column,))

    merged = merge_profiles((part(0), part(400))).columns[0]
    assert len(merged.values) == 1000
    assert not merged.values_complete
    assert {item.count for item in merged.values[:400]} == {4}
