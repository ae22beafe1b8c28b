"""How often estimated performance is right about a change, and how often it is wrong without one, on simulated windows.

A model is fitted to 5,000 rows and evaluated on 5,000 others. Windows of 2,000 rows follow, of which the performance is estimated
without labels, as monitoring does: of a classifier by its calibrated probabilities (CBPE, the area under the ROC curve), of a
regression by a model of its errors (DLE, the mean absolute error). A window is reported if its 99% interval is entirely on the worse
side of that of the evaluation rows; with labels, the realised performance is compared in the same way.

    python benchmarks/estimated_performance.py --versions 20
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from measuring import show

from taxiway.evaluation.predictions import predictions_of
from taxiway.monitoring.calibration import Calibration, calibrate
from taxiway.monitoring.direct_loss import LossModel, fit_loss
from taxiway.monitoring.estimate import estimated
from taxiway.monitoring.realised import realised
from taxiway.monitoring.retraining.evidence import is_worse
from taxiway.records import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ROWS, WINDOW, CONFIDENCE = 5_000, 2_000, 0.99
CLASSES = ("no", "yes")
WEEKS = 26
INFORMATIVE = 8


@dataclass(frozen=True)
class World:
    """What is true of the rows of a window.

    Attributes:
        spread: The standard deviation of the inputs that matter; 1 in the evaluation rows. Rows near the boundary of two classes are
            harder, and so are rows far out of a regression.
        is_one_changed: Whether one input has changed: for a classifier, the one that matters most has the same value in all rows; for a
            regression, the one that makes rows harder is larger by 1.
        flipped: The share of the rows with another label: the other class, or the number of another row.
    """

    spread: float = 1.0
    is_one_changed: bool = False
    flipped: float = 0.0


class Version:
    """A model, and how it performs on its evaluation rows.

    Args:
        seed: The seed of everything.
        columns: How many inputs there are, of which eight matter.
        is_classifier: Whether it predicts two classes, or a number.
    """

    def __init__(self, seed: int, columns: int, *, is_classifier: bool) -> None:
        from sklearn.linear_model import LogisticRegression, Ridge

        self.rng = np.random.default_rng([20130101, seed, columns])
        self.columns, self.is_classifier = columns, is_classifier
        self.metric = "roc_auc" if is_classifier else "mae"
        self.classes: tuple[str, ...] = CLASSES if is_classifier else ()
        self.weights = np.linspace(1.6, 0.3, INFORMATIVE)
        matrix, labels = self.rows(ROWS, World())
        self.model = (LogisticRegression(max_iter=1000) if is_classifier else Ridge()).fit(matrix, labels)
        matrix, labels = self.rows(ROWS, World())
        answers = self.answers(matrix)
        self.reference = self.known(answers, labels)
        self.calibration: Calibration | None = calibrate(answers, labels) if is_classifier else None
        self.losses: LossModel | None = None if is_classifier else fit_loss("mae", _frame(matrix), answers, labels)

    def rows(self, count: int, world: World) -> "tuple[Floats, Floats]":
        """Inputs and labels."""
        matrix = self.rng.normal(size=(count, self.columns))
        matrix[:, :INFORMATIVE] *= world.spread
        if world.is_one_changed:
            matrix[:, :2] = matrix[:, :2] * (0, 1) if self.is_classifier else matrix[:, :2] + (0, 1)
        signal = matrix[:, :INFORMATIVE] @ self.weights
        if self.is_classifier:
            labels = (self.rng.uniform(size=count) < 1 / (1 + np.exp(-signal))).astype(float)
        else:  # the error grows with two inputs, as where there is less to see
            labels = signal + self.rng.normal(size=count) * np.exp(0.5 * np.abs(matrix[:, 0]) + 0.3 * matrix[:, 1])
        other = self.rng.uniform(size=count) < world.flipped
        labels[other] = 1 - labels[other] if self.is_classifier else self.rng.permutation(labels[other])
        return matrix, labels

    def answers(self, matrix: "Floats") -> Any:
        """What the model predicts."""
        return self.model.predict_proba(matrix) if self.is_classifier else self.model.predict(matrix)

    def known(self, answers: Any, labels: "Floats") -> Interval:
        """The realised metric."""
        return realised(self.metric, self._predictions(answers), labels, self.classes, CONFIDENCE)

    def guessed(self, matrix: "Floats", answers: Any) -> Interval:
        """The metric, estimated without labels."""
        if self.calibration is not None:
            values = self.calibration.probabilities(answers)
            return estimated(self.metric, self._predictions(answers), values, self.classes, CONFIDENCE)
        assert self.losses is not None
        return self.losses.estimated(_frame(matrix), answers, CONFIDENCE)

    def window(self, world: World) -> "Seen":
        """What is found in a window."""
        matrix, labels = self.rows(WINDOW, world)
        answers = self.answers(matrix)
        guess, real = self.guessed(matrix, answers), self.known(answers, labels)
        worse = (is_worse(self.metric, each, self.reference) for each in (guess, real))
        return Seen(guess.value, real.value, self.reference.value, guess.low <= real.value <= guess.high, *worse)

    def _predictions(self, answers: Any) -> Any:
        return predictions_of(answers, self.classes, self.classes, 1 if self.classes else None)


@dataclass(frozen=True)
class Seen:
    """A window: the estimated and the realised value, that of the evaluation rows, and whether each of the two is worse."""

    estimated: float
    realised: float
    reference: float
    is_inside: bool
    estimate_is_worse: bool
    is_worse: bool


def _frame(matrix: "Floats") -> Any:
    import pandas as pd

    return pd.DataFrame(matrix, columns=[f"x{at}" for at in range(matrix.shape[1])])


def _harder(amount: float, *, is_classifier: bool) -> World:
    """Rows that are harder for the model by an amount from 0 to 1."""
    return World(spread=1 - 0.5 * amount if is_classifier else 1 + 0.5 * amount)


def _scenarios(*, is_classifier: bool) -> dict[str, Sequence[World]]:
    """The windows of each scenario, in order."""
    weeks = np.arange(1, WEEKS + 1)

    def harder(amounts: Any) -> list[World]:
        return [_harder(float(amount), is_classifier=is_classifier) for amount in amounts]

    return {
        "no change": [World()] * WEEKS,
        "sudden: harder rows": harder([1.0] * 3),
        "gradual: harder each week": harder(weeks / WEEKS),
        "seasonal: harder in one half of 26 weeks": harder(np.maximum(np.sin(2 * np.pi * weeks / WEEKS), 0)),
        "one input has changed": [World(is_one_changed=True)] * 3,
        "20% of the labels are others": [World(flipped=0.2)] * 3,
    }


def _line(name: str, versions: Sequence[Version], worlds: Sequence[World]) -> tuple[str, ...]:
    """A row of the table: the windows of all versions together."""
    weeks = [[version.window(world) for world in worlds] for version in versions]
    seen = [window for of_version in weeks for window in of_version]
    changed = [window for window in seen if window.is_worse]
    both = sum(window.estimate_is_worse for window in changed)
    first = [next((at for at, each in enumerate(of_version, 1) if each.estimate_is_worse), None) for of_version in weeks]
    found = [at for at in first if at is not None]
    return (
        name,
        f"{len(seen)}",
        f"{np.mean([each.realised - each.reference for each in seen]):+.3f}",
        f"{np.mean([abs(each.estimated - each.realised) for each in seen]):.3f}",
        f"{np.mean([each.is_inside for each in seen]):.0%}",
        f"{len(changed)}",
        f"{both}",
        f"{sum(each.estimate_is_worse for each in seen) - both}",
        f"{np.median(found):.0f}" if found else "-",
    )


HEADINGS = ("windows", "change", "error", "inside", "worse", "found", "others", "first")


def main() -> None:
    """Print a table for each kind of model and number of inputs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=20)
    parser.add_argument("--columns", type=int, nargs="+", default=[15, 150])
    options = parser.parse_args()
    kinds: dict[str, Callable[[int, int], Version]] = {
        "CBPE, roc_auc": lambda seed, columns: Version(seed, columns, is_classifier=True),
        "DLE, mae": lambda seed, columns: Version(seed, columns, is_classifier=False),
    }
    for kind, make in kinds.items():
        for columns in options.columns:
            versions = [make(seed, columns) for seed in range(options.versions)]
            scenarios = _scenarios(is_classifier=versions[0].is_classifier)
            lines = [_line(name, versions, worlds) for name, worlds in scenarios.items()]
            show(f"{kind}, {columns} inputs, {options.versions} versions", ("scenario", *HEADINGS), lines)


if __name__ == "__main__":
    main()
