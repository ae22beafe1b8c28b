"""Streams of rows whose relation of features and label is known, and a champion on them that is trained again on evidence."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from sklearn.linear_model import LogisticRegression

from taxiway.evaluation.predictions import Predictions
from taxiway.monitoring.calibration import calibrate
from taxiway.monitoring.estimate import estimated
from taxiway.monitoring.realised import realised
from taxiway.monitoring.retraining import decide
from taxiway.monitoring.retraining.evidence import Evidence
from taxiway.monitoring.retraining.expected_gain import Training
from taxiway.spec.monitor import RetrainingPolicy

WEEK = timedelta(days=7)
START = datetime(2026, 1, 5, tzinfo=UTC)
CLASSES = ("no", "yes")
NOISE = 0.1


@dataclass(frozen=True)
class Window:
    """Rows with their labels."""

    features: np.ndarray
    labels: np.ndarray


def stream(windows, rows, angle, seed, noise=lambda window: NOISE):
    """Windows of rows with two features; the label is the side of a line at an angle, and a share of the labels is wrong."""
    rng = np.random.default_rng(seed)
    made = []
    for window in range(windows):
        features = rng.normal(size=(rows, 2))
        sides = features @ [np.cos(angle(window)), np.sin(angle(window))] > 0
        made.append(Window(features, (sides != (rng.random(rows) < noise(window))).astype(float)))
    return made


@dataclass(frozen=True)
class Champion:
    """A model that was trained on the window before the one that it was evaluated on."""

    model: LogisticRegression
    evaluation: Window

    def accuracy(self, window):
        return float(np.mean(self.model.predict(window.features) == window.labels))

    @cached_property
    def reference(self):
        """The accuracy on the evaluation rows."""
        return realised("accuracy", self._predictions(self.evaluation), self.evaluation.labels, CLASSES, 0.99)

    @cached_property
    def calibration(self):
        """The calibration of its probabilities on the evaluation rows."""
        return calibrate(self._predictions(self.evaluation).values, self.evaluation.labels)

    def evidence(self, window, **known):
        """What is known of the champion from a window."""
        now = self._predictions(window)
        return Evidence(
            metric="accuracy",
            reference=self.reference,
            realised=realised("accuracy", now, window.labels, CLASSES, 0.99),
            estimated=estimated("accuracy", now, self.calibration.probabilities(now.values), CLASSES, 0.99),
            **known,
        )

    def _predictions(self, window):
        values = self.model.predict_proba(window.features)
        return Predictions(values, values.argmax(axis=1), 1)


def trainings_on(made: list[Window], policy: RetrainingPolicy, show: Callable[[str], None] = lambda _: None) -> list[int]:
    """The windows before which a champion was trained again. Labels come one window late."""
    champion, last = _trained(made, 3), 3
    trainings, found = [Training(START + 3 * WEEK)], []
    for now in range(5, len(made)):
        newest, at = made[now - 2], START + now * WEEK
        new_labels = (now - last) * len(newest.labels)
        decision = decide(policy, champion.evidence(newest, at=at, trainings=trainings, new_labels=new_labels))
        show(f"{now} {decision.message}")
        if decision.retrain:
            candidate = _trained(made, now)
            gain = candidate.accuracy(newest) - champion.accuracy(newest)
            trainings.append(Training(at, decision.trigger, gain))
            champion, last = candidate, now
            found.append(now)
    return found


def _trained(made, now):
    """A model of what is known when a window begins: trained on one window, and evaluated on the newest."""
    training = made[now - 3]
    return Champion(LogisticRegression().fit(training.features, training.labels), made[now - 2])
