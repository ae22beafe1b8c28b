"""When labels are needed next: the formulas, their guarantee in simulations, and what bounds what."""

import math
from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from helping import examples
from taxiway.monitoring.label_audits import (
    MIN_LABELS,
    Answer,
    Audit,
    AuditPlan,
    AuditPolicy,
    audit,
    band_on,
    learnt_change,
    plan_audit,
)
from taxiway.records import Interval
from taxiway.stats.bootstrap import standard_interval

START = date(2026, 1, 5)
POLICY = AuditPolicy("accuracy", target=0.85, tolerance=0.05, max_change=0.001)


def interval(value: float, margin: float, rows: int = 1000) -> Interval:
    return Interval(value=value, low=value - margin, high=value + margin, rows=rows)


def planned(value: float, margin: float, days: int = 0, policy: AuditPolicy = POLICY) -> AuditPlan:
    return plan_audit(policy, [Audit(START, interval(value, margin))], START + timedelta(days=days))


def test_an_answer_holds_until_the_metric_can_have_passed_the_target_by_the_tolerance() -> None:
    plan = planned(0.92, 0.043, days=12)
    assert plan.due == START + timedelta(days=77)  # (0.92 - 0.85 + 0.05 - 0.043) / 0.001
    assert plan.due_if_twice_as_fast == START + timedelta(days=38)
    assert (plan.answer, plan.is_due) == (Answer.REACHED, False)
    assert plan.band == Interval(value=0.92, low=0.92 - 0.043 - 0.012, high=0.92 + 0.043 + 0.012, rows=1000)
    assert planned(0.92, 0.043, days=77).is_due
    assert planned(0.92, 0.043, days=78).answer is Answer.UNKNOWN


def test_labels_are_those_of_the_width_that_costs_fewest_a_day() -> None:
    distance, margin, rows = 0.03, 0.043, 1000

    def labels_a_day(width: float) -> float:
        return rows * (margin / width) ** 2 / ((distance + POLICY.tolerance - width) / 0.001)

    widths = np.linspace(0.001, distance + POLICY.tolerance - 1e-4, 100_000)
    cheapest = widths[np.argmin([labels_a_day(width) for width in widths])]
    assert planned(0.88, margin).labels == pytest.approx(rows * (margin / cheapest) ** 2, abs=1)


def test_an_audit_that_leaves_the_answer_open_is_completed_to_the_width_of_a_fixed_schedule() -> None:
    plan = planned(0.851, 0.06)
    assert (plan.answer, plan.is_due) == (Answer.UNKNOWN, True)
    assert plan.labels == pytest.approx(1000 * (0.06 / (2 * 0.05 / 3)) ** 2, abs=1)
    completed = planned(0.851, 2 * 0.05 / 3)
    assert (completed.due - START).days >= math.floor(0.05 / (3 * 0.001)), "never sooner than a fixed schedule"


def test_a_metric_of_which_lower_is_better_is_mirrored() -> None:
    lower = AuditPolicy("brier", target=0.15, tolerance=0.05, max_change=0.001)
    mirrored = planned(0.08, 0.043, policy=lower)
    assert (mirrored.due, mirrored.labels) == (planned(0.92, 0.043).due, planned(0.92, 0.043).labels)
    assert planned(0.3, 0.02, policy=lower).answer is Answer.MISSED


def test_a_missed_target_is_an_answer_that_holds_as_long() -> None:
    missed = planned(0.78, 0.0425)
    assert (missed.answer, missed.due) == (Answer.MISSED, planned(0.92, 0.0425).due)


def test_an_estimate_makes_an_audit_due_and_never_puts_it_off() -> None:
    audits, day = [Audit(START, interval(0.92, 0.02))], START + timedelta(days=10)
    quiet = plan_audit(POLICY, audits, day)
    assert plan_audit(POLICY, audits, day, interval(0.95, 0.01)) == quiet
    assert plan_audit(POLICY, audits, day, interval(0.89, 0.01)) == quiet, "the band is 0.89 to 0.95"
    contradicted = plan_audit(POLICY, audits, day, interval(0.86, 0.01))
    assert (contradicted.is_due, contradicted.answer) == (True, Answer.UNKNOWN)
    assert contradicted.messages[1].endswith(
        "an audit is due, because the estimate without labels, 0.860 (0.850 to 0.870), is worse than the largest change allows"
    )


def test_the_messages_say_what_is_known_and_how_much_hangs_on_the_change() -> None:
    band, due = planned(0.92, 0.043, days=12).messages
    assert (
        band == "12 days after the last audit, accuracy is 0.865 to 0.975: it was 0.920 (0.877 to 0.963) on 2026-01-05, and "
        "changes by at most 0.001 a day"
    )
    assert (
        due == "it is at least 0.85, with a tolerance of 0.05; the next audit is due on 2026-03-23, or on 2026-02-12 if it "
        "changes twice as fast"
    )
    late = planned(0.92, 0.043, days=90).messages[1]
    assert late == "labels do not say whether it is at least 0.85, with a tolerance of 0.05; an audit is due since 2026-03-23"


def test_without_a_known_change_each_window_is_audited() -> None:
    learning = AuditPolicy("accuracy", 0.85, 0.05)
    audits = [Audit(START + timedelta(days=7 * week), interval(0.9, 0.02)) for week in range(4)]
    early = plan_audit(learning, audits[:3], audits[2].at)
    assert (early.max_change, early.band, early.is_due, early.answer) == (None, None, True, Answer.REACHED)
    assert "give max_change, or label rows of 4 windows" in early.messages[0]
    known = plan_audit(learning, audits, audits[3].at)
    assert known.max_change == pytest.approx(math.hypot(0.02, 0.02) / 14), "the fastest that two weeks do not rule out"
    assert known.messages[0].endswith("a day, as learnt from the audits")


def test_a_fall_that_the_audits_prove_is_learnt() -> None:
    values = [0.92, 0.92, 0.92, 0.8, 0.8, 0.8]
    audits = [Audit(START + timedelta(days=7 * week), interval(value, 0.01)) for week, value in enumerate(values)]
    change = learnt_change(audits)
    assert change is not None
    assert 0.8 * 0.12 / 7 < change < 0.12 / 7


def test_noise_alone_is_not_learnt_as_a_fast_change() -> None:
    rng, rows = np.random.default_rng(0), 1000
    error = math.sqrt(0.9 * 0.1 / rows)
    values = rng.binomial(rows, 0.9, size=(200, 20)) / rows
    learnt = [
        learnt_change(
            [Audit(START + timedelta(days=day), standard_interval(value, error, 0.99, rows)) for day, value in enumerate(row)]
        )
        for row in values
    ]
    margin = 2.576 * math.hypot(error, error)
    assert all(change is not None and change < 3 * margin / 10 for change in learnt)


def test_the_interval_of_a_share_is_exact() -> None:
    rows, share, rng = 100, 0.92, np.random.default_rng(1)
    counts = rng.binomial(rows, share, size=20_000)
    found = {
        int(count): audit("accuracy", START, standard_interval(count / rows, 0.0, 0.99, rows)).found
        for count in np.unique(counts)
    }
    assert np.mean([found[count].low > share for count in counts]) <= 0.005
    assert np.mean([found[count].high < share for count in counts]) <= 0.005
    auc = interval(0.9, 0.02)
    assert audit("roc_auc", START, auc).found == auc


SHARES = st.floats(0.01, 0.99)


@examples(100)
@given(value=SHARES, margin=st.floats(0.001, 0.2), target=SHARES, tolerance=st.floats(0.001, 0.2), change=st.floats(1e-5, 0.1))
def test_what_bounds_what(value: float, margin: float, target: float, tolerance: float, change: float) -> None:
    found, policy = interval(value, margin), AuditPolicy("accuracy", target, tolerance, change)
    plan = plan_audit(policy, [Audit(START, found)], START)
    assert START <= plan.due_if_twice_as_fast <= plan.due <= START + timedelta(days=365)
    assert plan.labels >= MIN_LABELS
    assert plan.due <= plan_audit(AuditPolicy("accuracy", target, 2 * tolerance, change), [plan.last], START).due
    assume(plan.due > START)
    band = band_on("accuracy", plan.last, change, plan.due)
    if plan.answer is Answer.REACHED:
        assert band.low >= target - tolerance - 1e-9
    else:
        assert band.high <= target + tolerance + 1e-9
    wider = band_on("accuracy", plan.last, change, plan.due + timedelta(days=1))
    assert wider.low <= band.low <= band.high <= wider.high


CHANGE, DAYS, ROWS = 0.002, 365, 2000
STREAMS: dict[str, Callable[[int], float]] = {
    "no change": lambda day: 0.92,
    "gradual": lambda day: 0.93 - 0.15 * day / DAYS,
    "seasonal": lambda day: 0.89 + 0.05 * math.sin(2 * math.pi * day / 180),
    "recovers": lambda day: 0.92 - CHANGE * max(0, 60 - abs(day % 240 - 120)),
}


def audited(stream: Callable[[int], float], seed: int) -> tuple[int, int]:
    """The labels that a year of audits needs, and the days on which an answer is wrong by more than the tolerance."""
    rng, policy = np.random.default_rng(seed), AuditPolicy("accuracy", 0.85, 0.03, CHANGE)

    def labelled(day: int, rows: int, before: Interval | None = None) -> Audit:
        right = round(before.value * before.rows) if before is not None else 0
        right += rng.binomial(rows - (before.rows if before is not None else 0), stream(day))
        return audit("accuracy", START + timedelta(days=day), standard_interval(right / rows, 0.0, 0.99, rows))

    last, spent, wrong = labelled(0, ROWS), 0, 0
    for day in range(DAYS):
        plan = plan_audit(policy, [last], START + timedelta(days=day))
        if plan.is_due:
            last, spent = labelled(day, plan.labels), spent + plan.labels
            plan = plan_audit(policy, [last], START + timedelta(days=day))
            if plan.is_due and plan.labels > last.found.rows:
                spent += plan.labels - last.found.rows
                last = labelled(day, plan.labels, last.found)
                plan = plan_audit(policy, [last], START + timedelta(days=day))
        bounds = {Answer.REACHED: stream(day) < 0.82, Answer.MISSED: stream(day) > 0.88, Answer.UNKNOWN: False}
        wrong += bounds[plan.answer]
    return spent, wrong


@pytest.mark.parametrize("stream", STREAMS)
def test_no_answer_is_wrong_beyond_the_tolerance_at_a_half_of_the_labels_of_a_fixed_schedule(stream: str) -> None:
    widest, period = 2 * 0.03 / 3, math.floor(0.03 / (3 * CHANGE))
    fixed = DAYS // period * math.ceil(0.85 * 0.15 * (2.576 / widest) ** 2)
    for seed in range(3):
        spent, wrong = audited(STREAMS[stream], seed)
        assert wrong == 0
        assert spent <= fixed / 2


def test_a_few_stray_labels_do_not_undo_what_many_have_shown() -> None:
    policy = AuditPolicy("roc_auc", target=0.62, tolerance=0.02, max_change=0.001)
    paid = Audit(date(2013, 6, 6), Interval(value=0.66, low=0.645, high=0.675, rows=3_258))
    stray = Audit(date(2013, 6, 13), Interval(value=0.66, low=0.53, high=0.79, rows=100))
    missed = Audit(date(2013, 6, 13), Interval(value=0.58, low=0.57, high=0.59, rows=5_000))
    alone, both = (plan_audit(policy, audits, date(2013, 6, 20)) for audits in ([paid], [paid, stray]))
    assert (both.answer, both.due, both.last) == (alone.answer, alone.due, paid)
    assert alone.answer == "reached"
    assert plan_audit(policy, [paid, missed], date(2013, 6, 20)).answer == "missed", "a newer audit that answers counts"
    late = plan_audit(policy, [paid, stray], date(2013, 9, 1))
    assert (late.answer, late.last) == ("unknown", stray)
