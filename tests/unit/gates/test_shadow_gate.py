"""When the shadow gate passes a challenger, fails it, or cannot decide."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from helping import examples
from taxiway.gates.shadow.estimates import VersionClasses, agreement_of, score_shift_of
from taxiway.gates.shadow.gate import decide, not_applicable
from taxiway.gates.shadow.reasons import percentage
from taxiway.records import Reason, ShadowReport, Status
from taxiway.records.shadow_pairs import Answer, Pair, PairedLog
from taxiway.spec.shadow import Shadow

MODEL, CHAMPION, CHALLENGER = "flights.late_arrivals", 3, 4
REQUIREMENTS = Shadow(min_requests=1000, min_agreement=0.9, max_error_rate=0.01, max_p99_ratio=1.5)


def pair(
    number: int,
    champion: Any = (0.8, 0.2),
    challenger: Any = (0.7, 0.3),
    *,
    version: int = CHAMPION,
    champion_error: str = "",
    challenger_error: str = "",
    slower: float = 1.0,
    call: int | None = None,
) -> Pair:
    """One request of one row; calls take 10 to 12 ms, `slower` times that in the challenger."""
    took = 10 + random.Random(number if call is None else call).random() * 2
    return Pair(
        request_id=f"r{number}",
        call=f"c{number if call is None else call}",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        champion=_answer(version, champion, champion_error, took),
        challenger=_answer(CHALLENGER, challenger, challenger_error, took * slower),
    )


def _answer(version: int, prediction: Any, error: str, latency_ms: float) -> Answer:
    prediction = list(prediction) if isinstance(prediction, tuple) else prediction
    return Answer(version=version, predictions=None if error else [prediction], error=error, latency_ms=latency_ms)


def judge(pairs: list[Pair], *, dropped: int = 0, unanswered: int = 0, requirements: Shadow = REQUIREMENTS) -> ShadowReport:
    log = PairedLog(model=MODEL, version=CHALLENGER, owner="run-1", pairs=tuple(pairs), dropped=dropped, unanswered=unanswered)
    return decide(log, model=MODEL, version=CHALLENGER, champion=CHAMPION, requirements=requirements, confidence=0.99)


def reason(report: ShadowReport, about: str) -> Reason:
    (found,) = (each for each in report.reasons if about in each.message)
    return found


def test_a_challenger_like_the_champion_passes_with_numbers_in_every_reason() -> None:
    report = judge([pair(i) for i in range(1000)])
    assert report.status is Status.PASS
    assert report.requests == 1000
    assert report.agreement is not None
    assert report.agreement.value == 1
    assert report.score_shift is not None
    assert report.score_shift.value == pytest.approx(0.1)
    assert report.latency_p99_ratio is not None
    assert report.latency_p99_ratio.value == pytest.approx(1)
    assert all(any(letter.isdigit() for letter in each.message) for each in report.reasons)


def test_too_few_pairs_are_undecided_and_say_how_many_are_missing() -> None:
    report = judge([pair(i) for i in range(999)], dropped=3, unanswered=2)
    assert report.status is Status.UNDECIDED
    message = "required: at least 1,000, which is 1 more (3 were not sent to the challenger because its queue was full, 2 were sent and never answered)"
    assert message in reason(report, "999 requests with").message


def test_no_pairs_at_all_are_undecided() -> None:
    report = judge([])
    assert report.status is Status.UNDECIDED
    assert report.agreement is report.score_shift is report.latency_p50_ratio is None
    assert not any("champion are all from version" in each.message for each in report.reasons)


def test_even_a_failing_challenger_is_undecided_on_too_few_pairs() -> None:
    assert judge([pair(i, challenger_error="broken") for i in range(500)]).status is Status.UNDECIDED


def test_pairs_of_another_champion_are_undecided_and_not_counted() -> None:
    report = judge([pair(i, version=2 if i < 10 else CHAMPION) for i in range(2000)])
    assert report.status is Status.UNDECIDED
    assert report.requests == 1990
    assert (
        "in 10 of 2,000 requests, its result is from version 2, not from version 3"
        in reason(report, "champion changed").message
    )


def test_a_log_of_another_version_is_an_error() -> None:
    log = PairedLog(model=MODEL, version=9, owner="run-1", pairs=(), dropped=0, unanswered=0)
    with pytest.raises(ValueError, match="version 9"):
        decide(log, model=MODEL, version=CHALLENGER, champion=CHAMPION, requirements=REQUIREMENTS, confidence=0.99)


def test_many_dropped_requests_are_undecided() -> None:
    assert judge([pair(i) for i in range(1000)], dropped=100).status is Status.PASS
    report = judge([pair(i) for i in range(1000)], dropped=200)
    assert report.status is Status.UNDECIDED
    assert (
        "16.7% of 1,200 requests have no result from the challenger (allowed: at most 10%): 200 were not sent"
        in reason(report, "no result from").message
    )


@pytest.mark.parametrize(("disagree", "status"), [(100, Status.PASS), (110, Status.UNDECIDED), (200, Status.FAIL)])
def test_agreement_fails_only_if_the_whole_interval_is_below(disagree: int, status: Status) -> None:
    report = judge([pair(i, challenger=(0.2, 0.8) if i < disagree else (0.8, 0.2)) for i in range(1000)])
    assert reason(report, "same label").status is status
    assert report.status is status


def test_a_percentage_never_looks_like_a_limit_that_it_misses() -> None:
    requirements = REQUIREMENTS.model_copy(update={"min_agreement": 0.9})
    report = judge([pair(i, challenger=(0.2, 0.8) if i < 2_001 else (0.8, 0.2), call=i % 200) for i in range(20_004)])
    assert "for 89.997% of 20,004 rows" in reason(report, "same label").message
    report = judge([pair(i, challenger=(0.2, 0.8) if i < 1 else (0.8, 0.2)) for i in range(1000)], requirements=requirements)
    assert "for 99.9% of 1,000 rows" in reason(report, "same label").message


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (0.0, 0.01, "0.0%"),
        (1.0, 0.95, "100.0%"),
        (0.999, 0.95, "99.9%"),
        (0.9996, 0.95, "99.96%"),
        (1 - 1e-13, 0.95, "over 99.99%"),
        (1 - 1e-13, 1.0, "over 99.99%"),
        (1e-9, 0.01, "under 0.01%"),
        (1e-9, 0.0, "under 0.01%"),
        (0.9999999, 0.99999999, "99.99999%"),
    ],
)
def test_a_percentage_is_0_or_100_only_if_the_fraction_is_0_or_1(value: float, limit: float, text: str) -> None:
    assert percentage(value, limit) == text


def test_it_is_requests_that_would_decide_and_not_their_rows() -> None:
    """100 requests of 10 rows that all agree or all disagree: as little evidence as 100 rows, of which each tenth disagrees."""

    def many(one: Pair) -> Pair:
        parts = {name: getattr(one, name) for name in ("champion", "challenger")}
        return one.model_copy(
            update={name: part.model_copy(update={"predictions": part.predictions * 10}) for name, part in parts.items()}
        )

    singles = [pair(i, challenger=(0.2, 0.8) if i % 100 < 11 else (0.8, 0.2)) for i in range(200)]
    requirements = REQUIREMENTS.model_copy(update={"min_requests": 100})
    message = reason(judge([many(one) for one in singles], requirements=requirements), "same label").message
    alone = reason(judge(singles, requirements=requirements), "same label").message
    assert "of 2,000 rows" in message
    needed, needed_alone = (
        int(text.partition("about ")[2].partition(" more requests")[0].replace(",", "")) for text in (message, alone)
    )
    assert needed == pytest.approx(needed_alone, rel=0.2)


def test_a_latency_never_looks_like_the_limit_that_it_misses() -> None:
    assert "is 1.501 times the champion's" in reason(judge([pair(i, slower=1.501) for i in range(1000)]), "99th").message
    assert "is 1.50 times the champion's" in reason(judge([pair(i, slower=1.5 - 1e-3) for i in range(1000)]), "median").message


def test_the_shift_of_small_numbers_keeps_its_digits() -> None:
    report = judge([pair(i, 1e-5, 1e-5 + (2e-6 if i % 2 else 4e-6)) for i in range(1000)])
    assert "the challenger's scores are 0.00000300 higher on average" in reason(report, "scores are").message


def test_the_agreement_interval_is_clopper_and_pearsons() -> None:
    report = judge([pair(i, challenger=(0.2, 0.8) if i < 100 else (0.8, 0.2)) for i in range(1000)])
    assert report.agreement is not None
    # By definition: were the truth at an end of it, what was seen, or more extreme, would have a chance of 0.5 %.
    assert binom.sf(899, 1000, report.agreement.low) == pytest.approx(0.005)
    assert binom.cdf(900, 1000, report.agreement.high) == pytest.approx(0.005)


@pytest.mark.parametrize(("failed", "status"), [(10, Status.PASS), (15, Status.UNDECIDED), (40, Status.FAIL)])
def test_errors_of_the_challenger_alone_count(failed: int, status: Status) -> None:
    report = judge([pair(i, challenger_error="out of memory" if i < failed else "") for i in range(1000)])
    assert report.challenger_errors == failed
    assert report.status is status
    assert "out of memory" in reason(report, "returned an error for").message


def test_errors_that_both_make_are_not_the_challengers() -> None:
    both = {"champion_error": "bad row", "challenger_error": "bad row"}
    report = judge([pair(i, **both) if i < 100 else pair(i) for i in range(1100)])
    assert (report.champion_errors, report.challenger_errors) == (100, 100)
    assert "returned an error for 0 of 1,000 requests" in reason(report, "returned an error for").message
    assert report.status is Status.PASS


@pytest.mark.parametrize(("slower", "status"), [(1.4, Status.PASS), (2.0, Status.FAIL)])
def test_a_slow_challenger_fails(slower: float, status: Status) -> None:
    report = judge([pair(i, slower=slower) for i in range(1000)])
    assert report.status is status
    assert report.latency_p50_ratio is not None
    assert report.latency_p50_ratio.value == pytest.approx(slower)


def test_slow_calls_are_counted_once_however_many_requests_they_carried() -> None:
    report = judge([pair(i, call=i // 8) for i in range(1000)])
    assert report.latency_p99_ratio is not None
    assert report.latency_p99_ratio.rows == 125


@pytest.mark.parametrize("slower", [1.0, 9.0])
@pytest.mark.parametrize(("calls", "decided"), [(99, False), (100, True)])
def test_fewer_than_100_calls_decide_nothing_about_the_99th_percentile(calls: int, decided: bool, slower: float) -> None:
    report = judge([pair(i, call=i % calls, slower=slower) for i in range(1000)])
    found = reason(report, "99th")
    assert found.status is report.status
    if decided:
        assert found.status is (Status.PASS if slower == 1 else Status.FAIL)
    else:
        assert found.status is Status.UNDECIDED
        assert found.message == "only 99 predict calls; the 99th percentile needs at least 100, which is 1 more"


def test_pairs_of_which_one_side_failed_are_not_called_answered() -> None:
    report = judge([pair(i, challenger_error="broken" if i < 5 else "") for i in range(1000)])
    assert "1,000 requests with a result from both versions, predictions or an error (required: at least 1,000)" in [
        r.message for r in report.reasons
    ]


def test_a_p99_that_few_slow_calls_decide_is_undecided() -> None:
    report = judge([pair(i, slower=3.0 if i % 91 == 0 else 1.0) for i in range(1000)])
    p99 = reason(report, "99th-percentile")
    assert report.latency_p99_ratio is not None
    assert report.latency_p99_ratio.low < 1.5 < report.latency_p99_ratio.value
    assert p99.status is report.status is Status.UNDECIDED


@pytest.mark.parametrize(
    ("champion", "challenger", "same"),
    [
        ("late", "late", True),
        ("late", "early", False),
        (1, 1, True),
        (0, 1, False),
        (1_000_000, 1_000_001, False),
        (1_000_000, 1_000_000.5, True),
        (True, True, True),
        (2.5, 2.5 + 1e-9, True),
        (2.5, 2.6, False),
        ((0.2, 0.3, 0.5), (0.1, 0.1, 0.8), True),
        ((0.2, 0.3, 0.5), (0.1, 0.8, 0.1), False),
        ((0.5, 0.5), (0.3, 0.3, 0.4), False),
        ({"no": 0.9, "yes": 0.1}, {"no": 0.6, "yes": 0.4}, True),
        ({"label": "late"}, {"label": "early"}, False),
        ("late", (0.1, 0.9), False),
    ],
)
def test_what_counts_as_the_same_label(champion: Any, challenger: Any, same: bool) -> None:
    report = judge([pair(i, champion, challenger) for i in range(30)])
    assert report.agreement is not None
    assert report.agreement.value == (1 if same else 0)


@pytest.mark.parametrize(("apart", "same"), [(0, True), (20, True), (20.1, False), (-20, True), (-25, False)])
def test_numbers_agree_within_agree_within(apart: float, same: bool) -> None:
    requirements = REQUIREMENTS.model_copy(update={"agree_within": 20.0})
    report = judge([pair(i, 100.0, 100.0 + apart) for i in range(1000)], requirements=requirements)
    assert report.agreement is not None
    assert report.agreement.value == (1 if same else 0)
    assert "predicted numbers at most 20 apart for" in reason(report, "apart").message
    assert report.score_shift is not None
    assert report.score_shift.value == pytest.approx(apart)
    difference = f"{abs(apart):.4f} {'higher' if apart > 0 else 'lower'}" if apart else "the same"
    assert f"the challenger's predictions are {difference} on average" in reason(report, "predictions are").message


def test_labels_have_no_score() -> None:
    report = judge([pair(i, "late", "late") for i in range(1000)])
    assert report.score_shift is None
    assert report.status is Status.PASS


def test_the_shift_interval_is_students() -> None:
    report = judge([pair(i, (0.5, 0.5), (0.4, 0.6) if i % 2 else (0.5, 0.5)) for i in range(1000)])
    assert report.score_shift is not None
    # Mean 0.05, standard deviation 0.05 * sqrt(1000 / 999), t(0.995; 999) = 2.5808.
    assert report.score_shift.value == pytest.approx(0.05)
    assert report.score_shift.high - 0.05 == pytest.approx(2.5808 * 0.05 / 999**0.5, rel=1e-4)


def test_a_report_without_a_comparison_says_why() -> None:
    report = not_applicable(MODEL, 1, None, "there is no champion yet")
    assert report.status is Status.NOT_APPLICABLE
    assert (report.version, report.champion, report.requests) == (1, None, 0)
    assert report.reasons[0].message == "there is no champion yet"
    assert not_applicable(MODEL, 2, 1, "the pipeline file has no shadow section").champion == 1


NEAR_THE_LIMITS = {
    "count": st.integers(90, 160),
    "disagreeing": st.integers(0, 30),
    "failing": st.integers(0, 4),
    "slower": st.floats(0.5, 2),
    "dropped": st.integers(0, 25),
}


@examples(50)
@given(**NEAR_THE_LIMITS)
def test_a_pass_keeps_every_limit_and_what_keeps_them_passes(
    count: int, disagreeing: int, failing: int, slower: float, dropped: int
) -> None:
    pairs = [
        pair(
            i,
            challenger=(0.2, 0.8) if failing <= i < failing + disagreeing else (0.8, 0.2),
            challenger_error="x" if i < failing else "",
            slower=slower,
        )
        for i in range(count)
    ]
    requirements = Shadow(min_requests=100, min_agreement=0.9, max_error_rate=0.01, max_p99_ratio=1.5)
    report = judge(pairs, dropped=dropped, requirements=requirements)
    predicted = count - failing
    keeps = (
        count >= 100
        and predicted >= 100  # one call a request: of fewer there is no 99th percentile
        and disagreeing <= 0.1 * predicted
        and failing <= 0.01 * count
        and slower <= 1.5 - 1e-9
        and dropped <= 0.1 * (count + dropped)
    )
    if abs(slower - 1.5) > 1e-6:
        assert (report.status is Status.PASS) == keeps
    if count < 100:
        assert report.status is Status.UNDECIDED


@pytest.mark.parametrize(
    ("challenger", "classes", "agreement", "shift"),
    [
        ((0.2, 0.8), ("a", "b"), 1.0, -0.1),
        ((0.2, 0.8), ("a", "c"), 0.0, -0.9),  # another class at the same position, and b is not learned
        ((0.8, 0.2), ("b", "a"), 1.0, -0.1),
        ((0.1, 0.7, 0.2), ("a", "b", "c"), 1.0, -0.2),
        ((0.1, 0.3, 0.6), ("a", "b", "c"), 0.0, -0.6),
    ],
)
def test_predicted_classes_are_compared_by_name(
    challenger: tuple[float, ...], classes: tuple[str, ...], agreement: float, shift: float
) -> None:
    """The champion says b with 0.9; versions of different windows may have learned different classes."""
    pairs = [pair(number, (0.1, 0.9), challenger) for number in range(4)]
    known = VersionClasses(("a", "b"), classes)
    found, moved = agreement_of(pairs, None, 0.99, known), score_shift_of(pairs, 0.99, known)
    assert found is not None
    assert moved is not None
    assert (found.value, moved.value) == (agreement, pytest.approx(shift))


@pytest.mark.parametrize(
    ("thresholds", "agreement"), [((None, None), 0.0), ((0.2, None), 1.0), ((0.2, 0.8), 0.0), ((None, 0.8), 1.0)]
)
def test_predicted_classes_are_those_by_the_thresholds_of_each_version(
    thresholds: tuple[float | None, float | None], agreement: float
) -> None:
    pairs = [pair(number, (0.7, 0.3), (0.3, 0.7)) for number in range(4)]
    known = VersionClasses(("a", "b"), ("a", "b"), *thresholds)
    found = agreement_of(pairs, None, 0.99, known)
    assert found is not None
    assert found.value == agreement
