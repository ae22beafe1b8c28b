"""How often each kind of gate is fooled by models that are no better, and how many real gains it finds.

A challenger and a champion of the same accuracy predict differently on a tenth of the rows. Teams try 32 challengers on the same rows,
or climb: each try changes a fifth of the differing predictions at random, and is kept if the score on these rows does not fall; or they
train with 20 seeds, and submit the one that scores best. No challenger has any real gain, so every pass is a mistake. The power is that of one
challenger with a real gain, at the same budget.

    python benchmarks/gates.py
"""

import argparse
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from measuring import show

from taxiway.gates.bounds.clause import Seen
from taxiway.gates.conditions.decide import Truth, answer
from taxiway.gates.sample_size import GuaranteedCondition
from taxiway.spec.conditions import parse_condition
from taxiway.spec.conditions.budget import Budget

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Flags = NDArray[np.bool_]

SEED = 20130101
DISAGREEMENT = 0.1
ACCURACY = 0.8
TRIES, SEEDS = 32, 20
CONFIDENCE = 0.99
GAINS = (0.01, 0.02, 0.05)
Z = 2.5758293035489004
"""The quantile of the normal distribution for an interval at 99% confidence."""


@dataclass(frozen=True)
class Gate:
    """A kind of gate.

    Attributes:
        name: What it is called in the table.
        passes: Whether challengers pass, from the rows on which only the challenger or only the champion is right.
    """

    name: str
    passes: Callable[[Any, Any], "Flags"]


def gates(rows: int, budget: Budget) -> tuple[Gate, ...]:
    """The gates that are compared, for evaluations on so many rows.

    The interval is that of the paired bootstrap, whose standard error is known for a mean.
    """

    def interval(wins: Any, losses: Any) -> "Flags":
        mean = (wins - losses) / rows
        deviation = np.sqrt(np.maximum((wins + losses) / rows - mean**2, 0) / rows)
        return np.asarray(mean - Z * deviation > 0)

    return (
        Gate("n > o", lambda wins, losses: np.asarray(wins > losses)),
        Gate("n > o + 0.01", lambda wins, losses: np.asarray((wins - losses) > 0.01 * rows)),
        Gate("99% interval above 0", interval),
        Gate("n - o > 0 +/- 0.01", condition_gate(rows, budget)),
    )


def condition_gate(rows: int, budget: Budget) -> Callable[[Any, Any], "Flags"]:
    """Whether challengers meet a condition, as the model gate decides it."""
    guaranteed = GuaranteedCondition(parse_condition("n - o > 0 +/- 0.01"), CONFIDENCE, budget)

    @functools.cache
    def least_wins(differing: int) -> int:
        """The wins among the differing rows from which on a challenger passes; more than there are if none does."""
        low, high = -1, differing + 1
        while high - low > 1:
            wins = (low + high) // 2
            new = ACCURACY + (2 * wins - differing) / rows
            variance = (differing / rows - (new - ACCURACY) ** 2) * rows / (rows - 1)
            seen = Seen(rows, {"n": new, "o": ACCURACY, "d": differing / rows}, variance)
            low, high = (low, wins) if answer(guaranteed, seen).truth is Truth.TRUE else (wins, high)
        return high

    def passes(wins: Any, losses: Any) -> "Flags":
        least = np.vectorize(least_wins, otypes=[np.int64])(wins + losses)
        return np.asarray(wins >= least)

    return passes


def challengers(rng: np.random.Generator, rows: int, gain: float, shape: tuple[int, ...]) -> tuple["Counts", "Counts"]:
    """The rows on which only the challenger, and on which only the champion is right, of independent challengers."""
    drawn = rng.multinomial(rows, [(DISAGREEMENT + gain) / 2, (DISAGREEMENT - gain) / 2, 1 - DISAGREEMENT], size=shape)
    return drawn[..., 0], drawn[..., 1]


def climbed(rng: np.random.Generator, rows: int, teams: int) -> tuple["Counts", "Counts"]:
    """The challengers that teams submit who climb on the score of the same rows, one column for each try."""
    differing = round(DISAGREEMENT * rows)
    right = rng.random((teams, differing)) < 0.5
    submitted = np.empty((teams, TRIES), dtype=np.int64)
    for turn in range(TRIES):
        changed = np.where(rng.random(right.shape) < 0.2, rng.random(right.shape) < 0.5, right)
        submitted[:, turn] = changed.sum(axis=1)
        better = changed.sum(axis=1) >= right.sum(axis=1)
        right = np.where(better[:, None], changed, right)
    return submitted, differing - submitted


def fooled(rows: int, teams: int) -> list[tuple[str, ...]]:
    """A row for each gate: the share of teams who got a challenger through that is no better."""
    rng = np.random.default_rng(SEED)
    tried, climbing = challengers(rng, rows, 0.0, (teams, TRIES)), climbed(rng, rows, teams)
    seeds = challengers(rng, rows, 0.0, (teams, SEEDS))
    best = (seeds[0] - seeds[1]).argmax(axis=1)
    kept = tuple(side[np.arange(teams), best] for side in seeds)
    kinds = zip(
        gates(rows, Budget(steps=TRIES, adaptivity="first-change")),
        gates(rows, Budget(steps=TRIES, adaptivity="full")),
        gates(rows, Budget(steps=SEEDS, adaptivity="none")),
        strict=True,
    )
    return [
        (
            first.name,
            _share(first.passes(tried[0][:, 0], tried[1][:, 0])),
            _share(np.asarray(first.passes(*tried).any(axis=1))),
            _share(np.asarray(adaptive.passes(*climbing).any(axis=1))),
            _share(independent.passes(*kept)),
        )
        for first, adaptive, independent in kinds
    ]


def found(rows: int, trials: int) -> list[tuple[str, ...]]:
    """A row for each gate: the share of real gains that it finds."""
    rng = np.random.default_rng(SEED)
    drawn = [challengers(rng, rows, gain, (trials,)) for gain in GAINS]
    kinds = gates(rows, Budget(steps=TRIES, adaptivity="first-change"))
    return [(kind.name, *(_share(kind.passes(*one)) for one in drawn)) for kind in kinds]


def _share(passed: "Flags") -> str:
    share = float(passed.mean())
    return f"{100 * share:.1f}%" if share >= 0.001 else f"{100 * share:.2f}%"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 5_000, 20_000], help="Evaluation rows.")
    parser.add_argument("--teams", type=int, default=10_000, help="Simulated teams.")
    arguments = parser.parse_args()
    for rows in arguments.rows:
        show(
            f"Fooled: no real gain, {rows:,} rows",
            ("gate", "1 try", f"{TRIES} tries", "climber", f"{SEEDS} seeds"),
            fooled(rows, arguments.teams),
        )
        show(
            f"Found: real gains, {rows:,} rows",
            ("gate", *(f"gain of {gain}" for gain in GAINS)),
            found(rows, arguments.teams),
        )


if __name__ == "__main__":
    main()
