"""How many labels it takes to know whether an accuracy reaches its target: a fixed schedule, and audits when they are due.

A stream has an accuracy for each day of two years. The fixed schedule has the fewest labels with which its answer is never wrong by
more than the tolerance, whatever the accuracy does within the largest change per day: 2.576^2 t (1 - t) / (2e / 3)^2 labels every
e / (3c) days, for the target t, the tolerance e and the largest change c. Audits come when `plan_audit` says so. Each answer of a day is
compared with the true accuracy: it is wrong if the accuracy is more than the tolerance on the other side of the target.

The real stream is the electricity market of New South Wales (Harries 1999), predicted by gradient boosting that is trained on the
first 84 days and never again. The accuracy of a day is that of the 28 days around it, of which labels are a random sample, and the
largest change is the largest one of the whole stream, which nobody would know.

    python benchmarks/label_audits.py --seeds 20
"""

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from measuring import show
from sklearn.ensemble import HistGradientBoostingClassifier

from taxiway.monitoring.label_audits import CONFIDENCE, Answer, Audit, AuditPolicy, audit, plan_audit
from taxiway.records import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DATA = Path(__file__).parents[2] / "shared" / "data" / "elec.csv.gz"
FIRST_DAY = date(2026, 1, 1)
DAYS = 720
POLICY = AuditPolicy("accuracy", target=0.85, tolerance=0.03, max_change=0.002)
TRAINED, ROWS_A_DAY, AROUND = 84, 48, 14
"""Of the real stream: the days of training, the rows of a day, and on how many days on each side of a day its accuracy is measured."""


@dataclass(frozen=True)
class Stream:
    """An accuracy that changes.

    Attributes:
        name: Its name.
        policy: The target, the tolerance and the largest change per day.
        accuracies: The true accuracy of each day (days).
        rows: How many rows of a day can be labelled; None for any number.
    """

    name: str
    policy: AuditPolicy
    accuracies: "Floats"
    rows: int | None = None

    def labelled(self, day: int, count: int, rng: np.random.Generator, before: Interval | None = None) -> Audit:
        """An audit of so many rows of a day, `before` among them."""
        right, seen = (round(before.value * before.rows), before.rows) if before is not None else (0, 0)
        accuracy = self.accuracies[day]
        if self.rows is None:
            right += rng.binomial(count - seen, accuracy)
        else:
            count = min(count, self.rows)
            left = round(accuracy * self.rows) - right
            right += rng.hypergeometric(left, self.rows - seen - left, count - seen)
        value = right / count
        return audit("accuracy", FIRST_DAY + timedelta(days=day), Interval(value=value, low=value, high=value, rows=count))

    def is_wrong(self, day: int, answer: Answer) -> bool:
        """Whether an answer is wrong by more than the tolerance."""
        ahead = float(self.accuracies[day]) - self.policy.target
        return (answer is Answer.REACHED and ahead < -self.policy.tolerance) or (
            answer is Answer.MISSED and ahead > self.policy.tolerance
        )


@dataclass(frozen=True)
class Played:
    """What a contestant did: its labels and audits, and the days without an answer and with a wrong one."""

    labels: int
    audits: int
    unknown: int
    wrong: int


def fixed_size(policy: AuditPolicy) -> int:
    """The labels of an audit of the fixed schedule."""
    deviations = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    return math.ceil(policy.target * (1 - policy.target) * (deviations / (2 * policy.tolerance / 3)) ** 2)


def fixed_schedule(stream: Stream, rng: np.random.Generator) -> Played:
    """An audit of the same size after each period."""
    policy = stream.policy
    assert policy.max_change is not None
    period, answer, labels, audits, wrong = (
        max(1, math.floor(policy.tolerance / (3 * policy.max_change))),
        Answer.UNKNOWN,
        0,
        0,
        0,
    )
    for day in range(len(stream.accuracies)):
        if day % period == 0:
            found = stream.labelled(day, fixed_size(policy), rng).found
            answer = Answer.REACHED if found.value >= policy.target else Answer.MISSED
            labels, audits = labels + found.rows, audits + 1
        wrong += stream.is_wrong(day, answer)
    return Played(labels, audits, 0, wrong)


def due_audits(stream: Stream, policy: AuditPolicy, rng: np.random.Generator) -> Played:
    """Audits when they are due, each completed at once if its answer is open."""
    audits = [stream.labelled(0, fixed_size(policy), rng)]
    labels, unknown, wrong = audits[0].found.rows, 0, 0
    for day in range(len(stream.accuracies)):
        today = FIRST_DAY + timedelta(days=day)
        plan = plan_audit(policy, audits, today)
        if plan.is_due and audits[-1].at < today:
            audits.append(stream.labelled(day, plan.labels, rng))
            plan = plan_audit(policy, audits, today)
            if plan.is_due and plan.labels > audits[-1].found.rows:
                audits[-1] = stream.labelled(day, plan.labels, rng, audits[-1].found)
                plan = plan_audit(policy, audits, today)
            labels += audits[-1].found.rows
        unknown += plan.answer is Answer.UNKNOWN
        wrong += stream.is_wrong(day, plan.answer)
    return Played(labels, len(audits), unknown, wrong)


def simulated() -> list[Stream]:
    """Streams of several kinds of drift; all but the sudden one change by at most the largest change."""
    day = np.arange(DAYS)
    accuracies = {
        "no change": np.full(DAYS, 0.92),
        "no change, at the target": np.full(DAYS, 0.85),
        "gradual, 0.93 to 0.78": 0.93 - 0.15 * day / DAYS,
        "sudden, 0.92 to 0.78": np.where(day < 363, 0.92, 0.78),
        "seasonal, 0.84 to 0.94": 0.89 + 0.05 * np.sin(2 * math.pi * day / 180),
        "falls and recovers, 0.92 to 0.80": 0.92 - 0.002 * np.maximum(0, 60 - np.abs(day % 240 - 120)),
    }
    return [Stream(name, POLICY, np.asarray(values)) for name, values in accuracies.items()]


def real(path: Path) -> Stream:
    """The electricity market."""
    rows = pd.read_csv(path)
    features, labels = rows.drop(columns="class").to_numpy(float), rows["class"].to_numpy(float)
    end = TRAINED * ROWS_A_DAY
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0).fit(features[:end], labels[:end])
    right = (model.predict(features[end:]) == labels[end:]).astype(float)
    by_day = right[: len(right) // ROWS_A_DAY * ROWS_A_DAY].reshape(-1, ROWS_A_DAY).mean(axis=1)
    accuracies = np.convolve(by_day, np.full(2 * AROUND, 1 / (2 * AROUND)), mode="valid")
    change = float(np.abs(np.diff(accuracies)).max())
    policy = AuditPolicy("accuracy", target=0.65, tolerance=0.1, max_change=change)
    return Stream("electricity market", policy, accuracies, rows=2 * AROUND * ROWS_A_DAY)


def measure(stream: Stream, seeds: int) -> list[tuple[str, ...]]:
    """The rows of the table of a stream: means over the seeds."""
    given = stream.policy.max_change
    assert given is not None
    contestants: dict[str, Callable[[np.random.Generator], Played]] = {
        "fixed schedule": lambda rng: fixed_schedule(stream, rng),
        "audits": lambda rng: due_audits(stream, stream.policy, rng),
        "- change doubled": lambda rng: due_audits(stream, replace(stream.policy, max_change=2 * given), rng),
        "- change halved": lambda rng: due_audits(stream, replace(stream.policy, max_change=given / 2), rng),
        "- change learnt": lambda rng: due_audits(stream, replace(stream.policy, max_change=None), rng),
    }
    found = {name: [play(np.random.default_rng(seed)) for seed in range(seeds)] for name, play in contestants.items()}
    fixed = fmean(each.labels for each in found["fixed schedule"])
    return [_row(name, played, fixed, len(stream.accuracies)) for name, played in found.items()]


def _row(name: str, played: Sequence[Played], fixed: float, days: int) -> tuple[str, ...]:
    labels, audits, unknown, wrong = (
        fmean(values) for values in zip(*((each.labels, each.audits, each.unknown, each.wrong) for each in played), strict=True)
    )
    return (name, f"{labels:,.0f}", f"{fixed / labels:.1f}", f"{audits:.0f}", f"{unknown / days:.2%}", f"{wrong / days:.2%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="Simulations of each stream.")
    parser.add_argument(
        "--data", type=Path, default=DATA, help="The real stream, as a CSV file with the label in the column class."
    )
    arguments = parser.parse_args()
    streams = simulated() + ([real(arguments.data)] if arguments.data.is_file() else [])
    for stream in streams:
        policy = stream.policy
        title = f"{stream.name}; target {policy.target}, tolerance {policy.tolerance}, at most {policy.max_change:.2g} a day"
        headings = ("", "labels", "fewer", "audits", "days open", "days wrong")
        show(title, headings, measure(stream, arguments.seeds))


if __name__ == "__main__":
    main()
