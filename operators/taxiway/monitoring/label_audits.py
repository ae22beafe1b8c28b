"""When labels are needed next: for how long the last labels answer whether a metric reaches its target, and how many labels follow.

An audit is a value of the metric on labelled rows. Between two audits, the metric is only known to be near the last one: it changes by
at most so much a day. This is the setting of MLDemon (Ginart, Zhang and Zou 2022, AISTATS, arXiv:2104.13621), whose change per
prediction is bounded in the same way.

Let v be the value of the last audit, a the half width of its interval, t the target, e the tolerance, all in the unit of the metric,
and c the largest change per day. The answer, `v >= t` or not, is wrong by more than e only if the metric has passed t by e. It holds
for (|v - t| + e - a) / c days. A schedule that does not look at v has to assume v = t: it has the fewest labels with a = 2e/3 and an
audit every e / (3c) days, as the labels are proportional to 1 / a^2. With a distance m = |v - t|, the same is a = 2(m + e) / 3. So
labels per day decrease with the third power of m + e. If v turns out to be nearer to t, the audit is completed to a = 2e/3.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import combinations
from statistics import NormalDist

from taxiway.messages import counted, decimal_texts, number_text
from taxiway.monitoring.retraining.expected_gain import interval_text
from taxiway.records import Interval
from taxiway.spec.metrics import facts_of, parse_metric
from taxiway.stats.binomial import lower_limit, upper_limit
from taxiway.stats.bootstrap import within

CONFIDENCE = 0.99
"""The confidence of the intervals of audits."""
MIN_LABELS = 200
"""With fewer labels, an interval that assumes a normal distribution is too narrow on the side of the better values."""
MIN_AUDITS = 4
"""With fewer audits, nothing is learnt about how fast the metric changes."""
_SHARES = ("accuracy", "top_k_accuracy")
_LONGEST = 365
"""The days after which there is an audit in any case."""


@dataclass(frozen=True)
class Audit:
    """The value of a metric on labelled rows.

    Attributes:
        at: The day in the middle of the days of the rows, in UTC.
        found: The value, with its interval.
    """

    at: date
    found: Interval


@dataclass(frozen=True)
class AuditPolicy:
    """What labels are to answer.

    Attributes:
        metric: The metric.
        target: The value that the metric is to reach: at least, or at most if lower values are better.
        tolerance: How far the metric may be on the other side of the target than the answer says.
        max_change: The largest change of the metric per day; None if it is to be learnt from the audits.
    """

    metric: str
    target: float
    tolerance: float
    max_change: float | None = None


class Answer(StrEnum):
    """Whether a metric reaches its target.

    Attributes:
        REACHED: It does, within the tolerance.
        MISSED: It does not, within the tolerance.
        UNKNOWN: The last audit does not say.
    """

    REACHED = "reached"
    MISSED = "missed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class AuditPlan:
    """What is known on a day, and when the next audit is due.

    Attributes:
        policy: What labels are to answer.
        last: The newest audit that still answers on this day; if none does, the newest one.
        day: The day.
        max_change: The largest change of the metric per day; None if it is not known yet.
        band: Where the metric is on this day; None without `max_change`.
        answer: Whether it reaches the target on this day.
        due: The day from which the next audit is due.
        due_if_twice_as_fast: The same if the metric changes twice as fast.
        labels: How many labels the next audit has, with those that its rows have already.
        contradiction: Why it is due before the last audit has lost its answer; empty if it is not.
    """

    policy: AuditPolicy
    last: Audit
    day: date
    max_change: float | None
    band: Interval | None
    answer: Answer
    due: date
    due_if_twice_as_fast: date
    labels: int
    contradiction: str = ""

    @property
    def is_due(self) -> bool:
        """Whether the next audit is due on this day."""
        return self.day >= self.due

    @property
    def messages(self) -> tuple[str, str]:
        """The band, and the answer with the day on which the next audit is due, a sentence each."""
        return self._band_message(), self._due_message()

    def _band_message(self) -> str:
        found, age = self.last.found, counted((self.day - self.last.at).days, "day")
        last = f"{interval_text(found.value, found.low, found.high)} on {self.last.at}"
        if self.band is None or self.max_change is None:
            return (
                f"{self.policy.metric} was {last}, {age} ago; how fast it changes is not known: give max_change, or label rows of "
                f"{MIN_AUDITS} windows"
            )
        low, high = decimal_texts(self.band.low, self.band.high)
        learnt = ", as learnt from the audits" if self.policy.max_change is None else ""
        return (
            f"{age} after the last audit, {self.policy.metric} is {low} to {high}: it was {last}, and changes by at most "
            f"{self.max_change:.2g} a day{learnt}"
        )

    def _due_message(self) -> str:
        policy, higher = self.policy, facts_of(self.policy.metric).direction > 0
        target = f"{'at least' if higher else 'at most'} {number_text(policy.target)}, with a tolerance of {number_text(policy.tolerance)}"
        answer = {
            Answer.REACHED: f"it is {target}",
            Answer.MISSED: f"it misses the target, {target}",
            Answer.UNKNOWN: f"labels do not say whether it is {target}",
        }[self.answer]
        if self.contradiction:
            return f"{answer}; an audit is due, because {self.contradiction}"
        if self.due <= self.last.at:
            return f"{answer}; an audit is due"
        if self.day > self.due:
            return f"{answer}; an audit is due since {self.due}"
        return f"{answer}; the next audit is due on {self.due}, or on {self.due_if_twice_as_fast} if it changes twice as fast"


def plan_audit(policy: AuditPolicy, audits: Sequence[Audit], day: date, estimated: Interval | None = None) -> AuditPlan:
    """Decide when the next audit is due.

    If the intervals of the audits have a confidence of 99%, and the metric changes by at most `max_change` a day, the answer is wrong by
    more than the tolerance with a probability of at most 1% for each audit: such an error is on one side of an interval, which has half
    of the probability, and an audit is looked at once more if it has been completed.

    An estimate without labels can make an audit due, never put it off: it does not see that the relation of features and label has
    changed, so an answer that it prolonged would have no guarantee. MLDemon uses such a signal under the assumption that it is
    linear in the change of the metric.

    Args:
        policy: What labels are to answer.
        audits: The audits of the version, oldest first; at least one.
        day: Today.
        estimated: The newest estimate without labels; None if there is none after the last audit.
    """
    max_change = policy.max_change if policy.max_change is not None else learnt_change(audits)
    last = _newest_with_answer(policy, audits, max_change, day)
    slack = _slack(policy, last.found)
    due, twice = (last.at + timedelta(days=_days(slack, max_change and factor * max_change)) for factor in (1, 2))
    band = None if max_change is None else band_on(policy.metric, last, max_change, day)
    contradiction = _contradiction(policy.metric, band, estimated)
    holds = slack > 0 and day <= due and not contradiction
    reaches = _ahead(policy, last.found.value) >= 0
    return AuditPlan(
        policy=policy,
        last=last,
        day=day,
        max_change=max_change,
        band=band,
        answer=Answer.UNKNOWN if not holds else Answer.REACHED if reaches else Answer.MISSED,
        due=min(due, day) if contradiction else due,
        due_if_twice_as_fast=twice,
        labels=_labels(policy, last.found, abs(_ahead(policy, last.found.value)) if slack > 0 else 0.0),
        contradiction=contradiction,
    )


def _newest_with_answer(policy: AuditPolicy, audits: Sequence[Audit], max_change: float | None, day: date) -> Audit:
    """The newest audit that still answers on a day, or else the newest one: a few stray labels do not undo what many have shown."""
    for each in reversed(audits):
        slack = _slack(policy, each.found)
        if slack > 0 and day <= each.at + timedelta(days=_days(slack, max_change)):
            return each
    return audits[-1]


def audit(metric: str, at: date, found: Interval) -> Audit:
    """An audit, of which the interval is exact (Clopper and Pearson 1934) if the metric is a share of the rows.

    The standard interval of an accuracy of 0.92 on 100 rows is above 0.92 with a probability of 3.6% instead of 0.5%.

    Args:
        metric: The metric.
        at: The day in the middle of the days of the rows.
        found: Its value with its interval of 99%.
    """
    if parse_metric(metric).name in _SHARES:
        count, log_error = round(found.value * found.rows), math.log((1 - CONFIDENCE) / 2)
        limits = {"low": lower_limit(count, found.rows, log_error), "high": upper_limit(count, found.rows, log_error)}
        found = found.model_copy(update=limits)
    return Audit(at, found)


def band_on(metric: str, audit: Audit, max_change: float, day: date) -> Interval:
    """Where a metric is on a day: the interval of an audit, wider by the largest change on both sides for each day in between."""
    facts, change = facts_of(metric), max_change * abs((day - audit.at).days)
    ends = {"low": audit.found.low - change, "high": audit.found.high + change}
    return within(audit.found.model_copy(update=ends), facts.low, facts.high)


def learnt_change(audits: Sequence[Audit]) -> float | None:
    """The largest change per day, by pairs of audits.

    It is the fastest change that the audits prove, at a confidence of 99% for all pairs together (Bonferroni), but at least the fastest
    that the intervals do not rule out for two audits that are half of the history or more apart: over a short time, they rule out little.
    A future change can be faster.

    Args:
        audits: The audits, oldest first, each of another day.

    Returns:
        The change; None with fewer than four audits.
    """
    if len(audits) < MIN_AUDITS:
        return None
    pairs, half = list(combinations(audits, 2)), (audits[-1].at - audits[0].at).days / 2
    wider = _deviations(1 - (1 - CONFIDENCE) / len(pairs)) / _deviations(CONFIDENCE)
    rates = [0.0]
    for before, after in pairs:
        days, change = (after.at - before.at).days, abs(after.found.value - before.found.value)
        noise = math.hypot(_half_width(before.found), _half_width(after.found))
        rates.append((change + noise if days >= half else change - wider * noise) / days)
    return max(rates)


def _deviations(confidence: float) -> float:
    """The half width of a two-sided interval of a normal distribution, in standard deviations."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _ahead(policy: AuditPolicy, value: float) -> float:
    """How far a value is on the better side of the target; negative on the worse side."""
    return facts_of(policy.metric).direction * (value - policy.target)


def _slack(policy: AuditPolicy, found: Interval) -> float:
    """How far the metric can change before the answer is wrong by more than the tolerance; not positive if it can be wrong now."""
    ends = [_ahead(policy, end) for end in (found.low, found.high)]
    return policy.tolerance + (min(ends) if _ahead(policy, found.value) >= 0 else -max(ends))


def _days(slack: float, max_change: float | None) -> int:
    """The days for which an answer holds."""
    if slack <= 0 or max_change is None:
        return 0
    return _LONGEST if slack >= _LONGEST * max_change else math.floor(slack / max_change)


def _labels(policy: AuditPolicy, found: Interval, distance: float) -> int:
    """The labels of an audit whose interval has the half width that costs the fewest labels per day."""
    wanted = 2 * (distance + policy.tolerance) / 3
    return max(MIN_LABELS, math.ceil(found.rows * (_half_width(found) / wanted) ** 2))


def _half_width(found: Interval) -> float:
    """The half width of an interval, of which one end may be the metric's largest or smallest possible value."""
    return max(found.high - found.value, found.value - found.low)


def _contradiction(metric: str, band: Interval | None, estimated: Interval | None) -> str:
    """Why an estimate contradicts the last audit; empty if it is within the band or better."""
    if band is None or estimated is None:
        return ""
    worse = estimated.high < band.low if facts_of(metric).direction > 0 else estimated.low > band.high
    text = interval_text(estimated.value, estimated.low, estimated.high)
    return f"the estimate without labels, {text}, is worse than the largest change allows" if worse else ""
