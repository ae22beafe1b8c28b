"""The grammar of span patterns: what a pattern writes it reads again, whatever stands around its placeholders."""

from datetime import UTC, datetime
from fnmatch import fnmatchcase

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from taxiway.spec.source.periods import Every, period_of
from taxiway.spec.source.span_name import name_form
from taxiway.spec.source.span_pattern import SpanPattern, pattern_in_file, placeholders_of

LITERAL = st.text(st.characters(blacklist_characters="{}*\0", blacklist_categories=["Cs", "Nd"]), min_size=1, max_size=5)
PATTERNS: dict[Every, str] = {
    "year": "{YYYY}",
    "quarter": "{YYYY}q{Q}",
    "month": "{YYYY}-{MM}",
    "week": "{YYYY}-W{WW}",
    "day": "{YYYY}{MM}{DD}",
    "hour": "{YYYY}/{MM}/{DD}/{HH}",
}


@given(
    every=st.sampled_from(sorted(PATTERNS)),
    day=st.dates(min_value=datetime(1, 1, 1).date(), max_value=datetime(9998, 12, 31).date()),
    version=st.integers(0, 10**9),
    around=st.tuples(LITERAL, LITERAL, LITERAL),
)
def test_a_pattern_reads_the_period_and_version_of_the_paths_that_it_describes(
    every: Every, day: datetime, version: int, around: tuple[str, str, str]
) -> None:
    pattern = SpanPattern.parse(f"{around[0]}{PATTERNS[every]}{around[1]}{{VERSION}}{around[2]}")
    year = day.isocalendar().year if every == "week" else day.year
    assume(1 <= year <= 9998)
    dated = PATTERNS[every].format(
        YYYY=f"{year:04}",
        Q=(day.month + 2) // 3,
        MM=f"{day.month:02}",
        WW=f"{day.isocalendar().week:02}",
        DD=f"{day.day:02}",
        HH="07",
    )
    path = f"{around[0]}{dated}{around[1]}{version}{around[2]}"
    found = pattern.read(path)
    assert found is not None
    assert found.period == period_of(found.name, every)
    seven = datetime(day.year, day.month, day.day, 7, tzinfo=UTC)
    assert found.period.begins <= seven < found.period.ends
    assert (found.version, pattern.every) == (version, every)
    assert name_form(every)[1].fullmatch(found.name)
    assert fnmatchcase(path, pattern.glob)


@given(span=st.integers(0, 10**20), around=st.tuples(LITERAL, LITERAL))
def test_a_number_is_a_name_without_a_period(span: int, around: tuple[str, str]) -> None:
    pattern = SpanPattern.parse(f"{around[0]}{{SPAN}}{around[1]}")
    assert pattern.read(f"{around[0]}{span:05}{around[1]}") == (str(span), 0, None, ())
    assert pattern.every is None
    assert pattern.read(f"{around[0]}{around[1]}") is None


@pytest.mark.parametrize(
    ("pattern", "glob"),
    [
        ("/a[1]*/{YYYY}-{MM}.p", "/a[[]1][*]/*-*.p"),
        ("/{YYYY}{MM}{DD}", "/*"),
        ("/a*/{YYYY}-{MM}/part-*.p", "/a[*]/*-*/part-*.p"),
        ("/{YYYY}*.p", "/*.p"),
        ("{SPAN:4}{VERSION:2}/x?", "*/x[?]"),
    ],
)
def test_a_glob_has_one_star_for_placeholders_that_touch_and_takes_its_signs_literally(pattern: str, glob: str) -> None:
    assert SpanPattern.parse(pattern).glob == glob


def test_the_folder_of_data_is_no_placeholder_of_a_pipeline_file() -> None:
    assert pattern_in_file("{data}/{YYYY}.csv").every == "year"
    with pytest.raises(ValueError, match=r"\{data\} is not a placeholder"):
        SpanPattern.parse("{data}/{YYYY}.csv")


def test_every_period_has_placeholders() -> None:
    assert {every: SpanPattern.parse("-".join(placeholders_of(every))).every for every in PATTERNS} == {e: e for e in PATTERNS}
