"""What it costs in accuracy to train less often: never, in every window, by a clock, and on evidence.

The stream is the electricity market of New South Wales from May 1996 to December 1998 (Harries 1999), in which the relation of
features and label changes: 45,312 half hours with the label whether the price rises, in windows of a week. Each window is
predicted first. Its labels come one window later, so the model that predicts window t knows those until t-2: window t-2 is
what it is evaluated on, and the windows before it are what it is trained on. Every trained model becomes the champion, since
the decision about the training is what is measured, not the gate.

    python benchmarks/retraining.py --picture retraining.png
    python benchmarks/retraining.py --all
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small fits are slower with threads that wait for each other

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from measuring import show
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from taxiway.evaluation.predictions import Predictions
from taxiway.messages import counted
from taxiway.monitoring.calibration import Calibration, calibrate
from taxiway.monitoring.estimate import estimated
from taxiway.monitoring.realised import realised
from taxiway.monitoring.retraining import decide
from taxiway.monitoring.retraining.evidence import Evidence
from taxiway.monitoring.retraining.expected_gain import Training
from taxiway.records import Interval
from taxiway.spec.monitor import RetrainingPolicy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DATA = Path(__file__).parents[2] / "shared" / "data" / "elec.csv.gz"
FIRST_DAY = datetime(1996, 5, 7, tzinfo=UTC)
WEEK = timedelta(days=7)
ROWS = 336
FIRST = 6
"""The window that the first model predicts: it is trained on the windows 0 to 3, and evaluated on window 4."""
ALL_WINDOWS = 1_000
CONFIDENCE = 0.99
CLASSES = ("falls", "rises")
SMOOTHED = 8
MODELS: dict[str, Callable[[], Any]] = {
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=50, random_state=0),
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
}


@dataclass(frozen=True)
class Fitted:
    """What a model that is trained before a window predicts, from its evaluation window on, and what it cost."""

    answers: "Floats"
    seconds: float


@dataclass
class Stream:
    """The stream, and the models that were trained on it.

    Attributes:
        features: The features (n, 6).
        labels: The labels (n).
        make: Makes an estimator.
        history: On how many windows a model is trained.
    """

    features: "Floats"
    labels: "Floats"
    make: Callable[[], Any]
    history: int
    fitted: dict[int, Fitted] = field(default_factory=dict)
    calibrations: dict[int, Calibration] = field(default_factory=dict)

    @property
    def windows(self) -> int:
        """The number of whole windows."""
        return len(self.labels) // ROWS

    def train(self, window: int) -> Fitted:
        """The model that is trained when a window begins. It depends on nothing else, so contestants share it."""
        if window not in self.fitted:
            rows = slice(max(0, window - 2 - self.history) * ROWS, (window - 2) * ROWS)
            began = time.perf_counter()
            model = self.make().fit(self.features[rows], self.labels[rows])
            taken = time.perf_counter() - began
            self.fitted[window] = Fitted(model.predict_proba(self.features[rows.stop :]), taken)
        return self.fitted[window]

    def predictions(self, trained: int, window: int) -> tuple[Predictions, "Floats"]:
        """What the model that was trained before one window predicts in another, and the labels."""
        start = (window - trained + 2) * ROWS
        answers = self.train(trained).answers[start : start + ROWS]
        return _classified(answers), self.labels[window * ROWS : (window + 1) * ROWS]

    def accuracy(self, trained: int, window: int) -> float:
        """The accuracy of the model that was trained before one window in another."""
        found, labels = self.predictions(trained, window)
        return float(np.mean(found.predicted == labels))

    def realised(self, trained: int, windows: range) -> Interval:
        """The same in several windows, with its interval."""
        return realised("accuracy", *self._rows(trained, windows), CLASSES, CONFIDENCE)

    def estimated(self, trained: int, windows: range) -> Interval:
        """What is estimated without labels, by probabilities that are calibrated on the evaluation rows of the model."""
        if trained not in self.calibrations:
            found, labels = self.predictions(trained, trained - 2)
            self.calibrations[trained] = calibrate(found.values, labels)
        found, _ = self._rows(trained, windows)
        return estimated("accuracy", found, self.calibrations[trained].probabilities(found.values), CLASSES, CONFIDENCE)

    def _rows(self, trained: int, windows: range) -> tuple[Predictions, "Floats"]:
        found = [self.predictions(trained, window) for window in windows]
        values = np.concatenate([each.values for each, _ in found])
        return _classified(values), np.concatenate([labels for _, labels in found])


def _classified(values: "Floats") -> Predictions:
    return Predictions(values, (values[:, 1] >= 0.5).astype(np.intp), 1)


@dataclass(frozen=True)
class Played:
    """What a contestant did.

    Attributes:
        accuracies: The accuracy in each window.
        trainings: The windows before which it trained.
        seconds: How long it trained.
    """

    accuracies: list[float]
    trainings: list[int]
    seconds: float

    @property
    def accuracy(self) -> float:
        """The prequential accuracy: over all predicted rows."""
        return float(np.mean(self.accuracies))


@dataclass(frozen=True)
class Setting:
    """What of the evidence a policy uses.

    Attributes:
        measured: In how many of the newest windows the performance is measured.
        performance: Whether a performance worse than on the evaluation rows is a trigger.
        concept_drift: Whether a performance worse than the estimate for the same rows is one.
        labels: The windows whose labels are one; None for none.
    """

    measured: int = 2
    performance: bool = True
    concept_drift: bool = True
    labels: int | None = 4

    @property
    def policy(self) -> RetrainingPolicy:
        """The policy: a training has to gain a point."""
        labels = None if self.labels is None else self.labels * ROWS
        triggers = {"performance": self.performance, "concept_drift": self.concept_drift}
        counted = [name for name, counts in triggers.items() if counts]
        return RetrainingPolicy.model_validate({"min_gain": 0.01, "triggers": counted, "new_labels": labels})


def by_clock(stream: Stream, every: int) -> Played:
    """Train in every so many windows."""
    return _played(stream, list(range(FIRST, stream.windows, every)))


def on_evidence(stream: Stream, setting: Setting, show_message: Callable[[str], None] = lambda _: None) -> Played:
    """Train if the policy says so.

    Args:
        stream: The stream.
        setting: The policy, and what it is told.
        show_message: Called with each decision.
    """
    trained, trainings = [FIRST], [Training(FIRST_DAY + FIRST * WEEK)]
    for window in range(FIRST + 1, stream.windows):
        champion, at = trained[-1], FIRST_DAY + window * WEEK
        served = range(max(champion, window - 1 - setting.measured), window - 1)
        evidence = Evidence(
            at=at,
            metric="accuracy",
            reference=stream.realised(champion, range(champion - 2, champion - 1)),
            trainings=trainings,
            realised=stream.realised(champion, served) if served else None,
            estimated=stream.estimated(champion, served) if served else None,
            new_labels=(window - champion) * ROWS,
        )
        decision = decide(setting.policy, evidence)
        show_message(f"{at:%Y-%m-%d} {decision.message}")
        if decision.retrain:
            gain = stream.accuracy(window, window - 2) - stream.accuracy(champion, window - 2)
            trained.append(window)
            trainings.append(Training(at, decision.trigger, gain))
    return _played(stream, trained)


def _played(stream: Stream, trained: list[int]) -> Played:
    ends = [*trained[1:], stream.windows]
    accuracies = [stream.accuracy(at, window) for at, end in zip(trained, ends, strict=True) for window in range(at, end)]
    return Played(accuracies, trained, sum(stream.train(at).seconds for at in trained))


SETTINGS = {
    "evidence": Setting(),
    "- of one window only": Setting(measured=1),
    "- without performance": Setting(performance=False),
    "- without concept drift": Setting(concept_drift=False),
    "- without new labels": Setting(labels=None),
    "- labels of 2 windows": Setting(labels=2),
    "- labels of 6 windows": Setting(labels=6),
    "- labels of 8 windows": Setting(labels=8),
}


def contestants(stream: Stream) -> Iterator[tuple[str, Played]]:
    """All that are compared."""
    yield "never", by_clock(stream, ALL_WINDOWS)
    yield "every window", by_clock(stream, 1)
    for every in (2, 3, 4, 6):
        yield f"every {every} windows", by_clock(stream, every)
    for name, setting in SETTINGS.items():
        yield name, on_evidence(stream, setting)


def draw(path: Path, played: Sequence[tuple[str, Played]]) -> None:
    """Draw the accuracies, means of eight windows, and when each trained."""
    import matplotlib.pyplot as plt

    figure, (above, below) = plt.subplots(
        2, sharex=True, figsize=(9, 4.6), layout="constrained", gridspec_kw={"height_ratios": [4, 1]}
    )
    for at, (name, each) in enumerate(played):
        means = pd.Series(each.accuracies).rolling(SMOOTHED, min_periods=1).mean() * 100
        days = [FIRST_DAY + window * WEEK for window in range(FIRST, FIRST + len(means))]
        (line,) = above.plot(days, means, label=f"{name}: {each.accuracy:.1%}, {counted(len(each.trainings), 'training')}")
        below.eventplot(
            [FIRST_DAY + window * WEEK for window in each.trainings], lineoffsets=-at, linelengths=0.7, color=line.get_color()
        )
    above.set_ylabel(f"accuracy in %, mean of {SMOOTHED} weeks")
    above.legend(loc="lower right", frameon=False)
    above.grid(alpha=0.3)
    below.set_yticks([-at for at in range(len(played))], [name for name, _ in played])
    below.set_xlabel("trainings")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="The stream, as a CSV file with the label in the column class.")
    parser.add_argument("--model", choices=MODELS, default="boosting", help="The model.")
    parser.add_argument("--history", type=int, default=8, help="The windows that a model is trained on.")
    parser.add_argument("--all", action="store_true", help="Both models, with 4, 8 and all windows.")
    parser.add_argument("--messages", action="store_true", help="Print the decisions.")
    parser.add_argument("--picture", type=Path, help="A PNG file to draw.")
    arguments = parser.parse_args()
    rows = pd.read_csv(arguments.data)
    features, labels = rows.drop(columns="class").to_numpy(float), rows["class"].to_numpy(float)
    settings = [(name, history) for name in MODELS for history in (4, 8, ALL_WINDOWS)]
    for name, history in settings if arguments.all else [(arguments.model, arguments.history)]:
        stream = Stream(features, labels, MODELS[name], history)
        found = dict(contestants(stream))
        most = found["every window"]
        shown = [
            (what, f"{each.accuracy:.2%}", f"{100 * (each.accuracy - most.accuracy):+.2f}", f"{len(each.trainings)}",
             f"{len(each.trainings) / len(most.trainings):.0%}", f"{each.seconds:.1f}")
            for what, each in found.items()
        ]  # fmt: skip
        trained_on = "all windows" if history == ALL_WINDOWS else f"{history} windows"
        headings = ("", "accuracy", "points", "trainings", "relative", "s")
        show(f"{name}, trained on {trained_on}; {len(most.accuracies)} predicted", headings, shown)
    if arguments.messages:
        on_evidence(stream, SETTINGS["evidence"], print)
    if arguments.picture:
        draw(arguments.picture, [(what, found[what]) for what in ("never", "every window", "evidence")])


if __name__ == "__main__":
    main()
