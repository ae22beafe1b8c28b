"""Which spans a run reads: windows that roll and windows that stay, spans that are denied or wait, and why there is nothing to do."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.data.ingest.plan import WindowPlan, gap_notes, plan_backfill, plan_window
from taxiway.data.sources.files import find_spans
from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import ConfigError
from taxiway.spec.source import Source, read_source

FOUND = tuple(FoundSpan(name, 0, f"/{name}") for name in "123456")


def source(**keys: Any) -> Source:
    return read_source({"spans": "/{YYYY}-{MM}.parquet", "label": "y", **keys})


def names(plan: WindowPlan) -> str:
    return "".join(span.name for span in plan.spans)


@pytest.mark.parametrize(
    ("decided", "requested", "planned"),
    [
        ("", None, "1234"),
        ("4", None, "2345"),
        ("46", None, "2345"),
        ("5", None, "1234"),
        ("456", None, ""),
        ("456", "5", "2345"),
        ("", "6", "3456"),
    ],
)
def test_the_oldest_undecided_span_is_planned_with_its_window(decided: str, requested: str | None, planned: str) -> None:
    plan = plan_window(
        FOUND, source(spans="/{SPAN}", window=3), processed=frozenset((name, 0) for name in decided), requested=requested
    )
    assert names(plan) == planned


def test_numbers_have_no_leading_zeros_in_any_name(tmp_path: Path) -> None:
    for number in range(6, 13):
        (tmp_path / f"{number:04}.csv").write_text("a,y\n1,1\n")
    pattern = str(tmp_path / "{SPAN:4}.csv")
    found = find_spans(pattern)
    rolling = source(spans=pattern, window=3, exclude=["0009"])
    assert [span.name for span in plan_window(found, rolling, processed=frozenset(), requested="0012").spans] == [
        "8",
        "10",
        "11",
        "12",
    ]
    fixed = source(spans=pattern, window={"from": "0007", "to": "0009"})
    assert [span.name for span in plan_window(found, fixed, processed=frozenset()).spans] == ["7", "8", "9", "12"]


def test_a_corrected_version_of_a_decided_span_is_undecided_again() -> None:
    found = (*FOUND[:3], FoundSpan("4", 1, "/4-v1"))
    plan = plan_window(found, source(spans="/{SPAN}", window=3), processed=frozenset({("4", 0)}), requested=None)
    assert plan.spans == found


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"spans": "/{SPAN}.csv"}, "no file matches /{SPAN}.csv"),
        ({"spans": "/part-*.csv", "split": {"by": "id", "evaluation": 0.2}}, "no file matches /part-*.csv"),
        ({"spans": "/data.csv", "split": {"by": "id", "evaluation": 0.2}}, "there is no file /data.csv"),
        (
            {"file": "/data.csv", "time": "day", "every": "month"},
            "there is no file /data.csv, or no month of day in it has ended",
        ),
    ],
)
def test_a_source_without_a_span_says_what_is_missing(keys: dict[str, Any], said: str) -> None:
    read = read_source({"label": "y", "window": 1, **keys})
    assert said in plan_window((), read, processed=frozenset()).skip_reason


def test_too_few_spans_are_nothing_to_do_and_it_is_said_how_many_are_missing() -> None:
    few = plan_window(FOUND[:3], source(spans="/{SPAN}", window=3), processed=frozenset())
    assert (few.spans, few.skip_reason) == (
        (),
        "window: 3 needs 4 spans (3 to train on, 1 to evaluate on), but 1 is missing; spans that can be read: 1, 2, 3",
    )
    none = plan_window((), source(spans="/{SPAN}", window=1), processed=frozenset())
    assert (none.spans, none.skip_reason) == (
        (),
        "window: 1 needs 2 spans (1 to train on, 1 to evaluate on), but 2 are missing; no file matches /{SPAN}",
    )


@pytest.mark.parametrize(
    ("requested", "said"),
    [
        ("9", "span 9 does not exist at the source; spans that can be read: 1, 2, 3, 4, 5, 6"),
        (
            "2",
            "span 2 cannot be processed: window: 3 needs 3 spans before it, but there is only 1; the first span with enough is 4; spans that can be read",
        ),
    ],
)
def test_a_request_that_cannot_be_met_lists_what_there_is(requested: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plan_window(FOUND, source(spans="/{SPAN}", window=3), processed=frozenset(), requested=requested)


def month(number: int) -> FoundSpan:
    """A month, counted from January 2013."""
    year, at = divmod(number, 12)
    return FoundSpan(f"{2013 + year}-{at + 1:02}", 0, "/", first_of(number + 1), first_of(number))


def first_of(number: int) -> datetime:
    year, at = divmod(number, 12)
    return datetime(2013 + year, at + 1, 1, tzinfo=UTC)


MONTHS = tuple(month(number) for number in range(6))


@pytest.mark.parametrize(
    ("moment", "before", "planned"),
    [
        (datetime(2013, 5, 1, tzinfo=UTC), None, MONTHS[1:4]),
        (datetime(2013, 4, 30, 23, 59, tzinfo=UTC), None, MONTHS[0:3]),
        (datetime(2013, 4, 1, tzinfo=UTC), None, MONTHS[0:3]),
        (datetime(2013, 3, 31, tzinfo=UTC), None, None),
        (datetime(2026, 1, 1, tzinfo=UTC), None, MONTHS[3:6]),
        (datetime(2013, 5, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC), MONTHS[1:4]),
        (datetime(2013, 5, 2, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC), None),
    ],
)
def test_a_past_moment_sees_the_periods_that_had_ended(
    moment: datetime, before: datetime | None, planned: tuple[FoundSpan, ...] | None
) -> None:
    assert plan_backfill(MONTHS, source(window=2), as_of=moment, previous_run_end=before).spans == (planned or ())


@given(
    there=st.sets(st.integers(0, 30), max_size=20),
    window=st.integers(1, 4),
    moments=st.lists(st.datetimes(datetime(2012, 12, 1), datetime(2016, 3, 1)), min_size=1, max_size=60),
)
def test_runs_for_past_moments_see_nothing_later_and_decide_each_span_once_oldest_first(
    there: set[int], window: int, moments: list[datetime]
) -> None:
    found, before, decided = tuple(month(number) for number in sorted(there)), None, []
    for moment in sorted(m.replace(tzinfo=UTC) for m in moments):
        plan = plan_backfill(found, source(window=window), as_of=moment, previous_run_end=before).spans
        if plan:
            assert len(plan) == window + 1
            assert all(span.ends is not None and span.ends <= moment for span in plan)
            at = found.index(plan[-1])
            assert plan == found[at - window : at + 1]
            assert not [span for span in found[at + 1 :] if span.ends is not None and span.ends <= moment]
            decided.append(at)
        before = moment
    assert decided == sorted(set(decided))


def test_numbers_are_no_dates_to_backfill_by() -> None:
    numbers = (FoundSpan("1", 0, "/1"), FoundSpan("2", 0, "/2"))
    with pytest.raises(ConfigError, match=r'are numbered \("1", "2"\), not dated.*the parameter `span`'):
        plan_backfill(numbers, source(window=1, spans="/{SPAN}.parquet"), as_of=datetime(2013, 5, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("pattern", "names", "expected"),
    [
        ("{YYYY}-{MM}", ["2024-11", "2024-12", "2025-01"], []),
        ("{YYYY}-{MM}", ["2024-01", "2024-03", "2024-04"], ["there is no span between 2024-01 and 2024-03"]),
        ("{YYYY}-{MM}-{DD}", ["2024-02-28", "2024-02-29", "2024-03-01"], []),
        ("{YYYY}-{MM}-{DD}", ["2023-02-28", "2023-03-02"], ["there is no span between 2023-02-28 and 2023-03-02"]),
        ("{YYYY}", ["2023", "2024", "2026"], ["there is no span between 2024 and 2026"]),
        ("{SPAN}", ["9", "10", "12"], ["there is no span between 10 and 12"]),
    ],
)
def test_a_span_that_is_missing_between_two_is_told(
    tmp_path: Path, pattern: str, names: list[str], expected: list[str]
) -> None:
    for name in names:
        (tmp_path / f"{name}.parquet").write_bytes(b"")
    found = gap_notes(find_spans(f"{tmp_path}/{pattern}.parquet"))
    assert [gap.partition(";")[0] for gap in found] == expected


def spans(*numbers: int) -> tuple[FoundSpan, ...]:
    return tuple(FoundSpan(str(number), 0, f"/{number}") for number in numbers)


def planned(
    found: tuple[FoundSpan, ...], decided: str = "", not_ready: dict[str, str] | None = None, **keys: Any
) -> WindowPlan:
    wanted = source(spans="/{SPAN}.parquet", **keys)
    return plan_window(found, wanted, processed=frozenset((name, 0) for name in decided), not_ready=not_ready)


def test_a_fixed_window_stays_and_the_newest_span_after_it_is_decided() -> None:
    fixed = {"from": 2, "to": 3}
    assert names(planned(spans(1, 2, 3, 4, 5), window=fixed)) == "235"
    assert planned(spans(1, 2, 3, 4, 5), "5", window=fixed).skip_reason == (
        "5, the newest span after the fixed window from 2 to 3, has already been processed"
    )
    assert planned(spans(1, 2, 3), window=fixed).skip_reason == (
        "there is no span after the fixed window from 2 to 3 to evaluate on; spans that can be read: 1, 2, 3"
    )
    assert (
        planned(spans(1, 2, 4, 5), window=fixed).skip_reason
        == "the fixed window from 2 to 3 is incomplete: span 3 does not exist"
    )
    with pytest.raises(
        ConfigError,
        match="span 2 cannot be processed: a run evaluates on a span after the fixed window from 2 to 3; allowed: 4, 5; spans that can be read: 1, 2, 3",
    ):
        plan_window(spans(1, 2, 3, 4, 5), source(spans="/{SPAN}", window=fixed), processed=frozenset(), requested="2")


def test_a_request_without_a_span_after_a_fixed_window_lists_the_spans_once() -> None:
    fixed = source(spans="/{SPAN}", window={"from": 2, "to": 3})
    with pytest.raises(ConfigError) as caught:
        plan_window(spans(1, 2, 3, 4), fixed, processed=frozenset(), requested="2", not_ready={"4": "its label is missing"})
    assert str(caught.value) == (
        "span 2 cannot be processed: there is no span after the fixed window from 2 to 3 to evaluate on; span 4 cannot be read "
        "yet: its label is missing; spans that can be read: 1, 2, 3"
    )


def test_of_many_spans_that_cannot_be_read_one_is_only_counted() -> None:
    excluded = [str(number) for number in range(1, 14)]
    reason = planned(spans(*range(1, 15)), window=1, exclude=excluded).skip_reason
    assert "; 1 older span is also excluded or cannot be read yet; span 2 is excluded" in reason


@pytest.mark.parametrize(
    ("window", "there", "expected"),
    [({"from": 2, "to": 3}, (1, 2, 3, 4, 5), "23"), (3, (3, 4, 5), "345"), (3, (4, 5), ""), (1, (5,), "5")],
)
def test_with_a_split_by_a_column_the_decided_span_is_one_of_the_window(
    window: Any, there: tuple[int, ...], expected: str
) -> None:
    assert names(planned(spans(*there), window=window, split={"by": "id", "evaluation": 0.2})) == expected


def test_a_denied_span_is_never_read_and_this_is_said() -> None:
    plan = planned(spans(1, 2, 3, 4, 5), window=2, exclude=[1, "3"])
    assert (names(plan), plan.notes) == ("245", ("span 3 is excluded by source.exclude",))
    few = planned(spans(1, 2, 3, 4), window=2, exclude=["1", "3"])
    assert (
        few.skip_reason
        == "window: 2 needs 3 spans (2 to train on, 1 to evaluate on), but 1 is missing; spans that can be read: 2, 4; span 1 is excluded by source.exclude; span 3 is excluded by source.exclude"
    )
    with pytest.raises(
        ConfigError, match=r"span 3 cannot be processed: it is excluded by source\.exclude; spans that can be read: 1, 2, 4"
    ):
        plan_window(spans(1, 2, 3, 4), source(spans="/{SPAN}", window=1, exclude=["3"]), processed=frozenset(), requested="3")


def test_an_end_of_a_fixed_window_that_is_denied_is_not_waited_for() -> None:
    assert names(planned(spans(1, 2, 3, 4), window={"from": 1, "to": 3}, exclude=["3"])) == "124"


def test_a_hole_between_spans_is_told_and_read_over() -> None:
    plan = planned(spans(1, 3, 5), window=2)
    assert (names(plan), [note.partition(";")[0] for note in plan.notes]) == (
        "135",
        ["there is no span between 1 and 3", "there is no span between 3 and 5"],
    )


def test_a_span_that_waits_for_a_join_is_not_planned_and_the_reason_is_said() -> None:
    waits = {"2": "join weather has no file for it, 2 of /w/{SPAN} does not exist"}
    plan = planned(spans(1, 2, 3), not_ready=waits, window=1)
    assert (names(plan), plan.notes) == ("13", (f"span 2 cannot be read yet: {waits['2']}",))
    assert planned(spans(1, 2), not_ready=waits, window=1).skip_reason == (
        f"window: 1 needs 2 spans (1 to train on, 1 to evaluate on), but 1 is missing; spans that can be read: 1; span 2 cannot be read yet: {waits['2']}"
    )
    fixed = planned(spans(1, 2, 3), not_ready=waits, window={"from": 1, "to": 2})
    assert fixed.skip_reason == f"the fixed window from 1 to 2 is incomplete: span 2 cannot be read yet: {waits['2']}"


def test_a_backfill_reads_a_fixed_window_only_once_it_had_ended() -> None:
    fixed = source(window={"from": "2013-01", "to": "2013-02"})
    assert plan_backfill(MONTHS, fixed, as_of=first_of(2)).skip_reason == (
        "this run reads only spans that had ended by 2013-03-01 00:00:00 UTC: there is no span after the fixed window from 2013-01 to 2013-02 to evaluate on; spans that can be read: 2013-01, 2013-02"
    )
    assert plan_backfill(MONTHS, fixed, as_of=first_of(4)).spans == (*MONTHS[:2], MONTHS[3])
    again = plan_backfill(MONTHS, fixed, as_of=first_of(4), previous_run_end=first_of(4))
    assert again.skip_reason == (
        "the newest span that had ended by 2013-05-01 00:00:00 UTC, the end of this run's data interval, is 2013-04; the previous run of the "
        "backfill (2013-05-01 00:00:00 UTC) processes that span"
    )
