"""The predictions of candidate and champion for the same rows, and the intervals of their metrics."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import ChampionUnscorableError, DataError
from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.metrics.by_name import MetricFunction
from taxiway.evaluation.metrics.deciding import deciding_rows, is_share
from taxiway.evaluation.metrics.few_rows import difference_of_few_rows, with_few_rows
from taxiway.evaluation.metrics.own import OwnMetricFunction
from taxiway.evaluation.predictions import Predictions
from taxiway.evaluation.scoring import LoadedModel
from taxiway.features.labels import label_classes, with_unseen
from taxiway.messages import error_line, listed
from taxiway.records import Interval
from taxiway.spec.gate import Gate
from taxiway.stats.bootstrap import MIN_GROUPS, PairedIntervals, compare, within

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comparison:
    """Candidate and champion on n rows.

    Attributes:
        gate: The gate section of the pipeline.
        rows: The raw rows.
        classes: All classes of the models and of the labels; empty for a regression.
        labels: The label of each row: the position of its class, or a number.
        candidate: The candidate's predictions.
        champion: The champion's predictions; None without a champion.
        groups: The number of each row's group, from 0; None if each row is on its own.
    """

    gate: Gate
    rows: "pd.DataFrame"
    classes: tuple[str, ...]
    labels: "Floats"
    candidate: Predictions
    champion: Predictions | None
    groups: "Indices | None"

    def intervals(self, metric: str, confidence: float, baselines: Sequence[Predictions] = ()) -> PairedIntervals:
        """A metric of both, with the intervals of `taxiway.stats.bootstrap`, which end at the metric's possible values.

        They are wider if few rows decide the metric, see `taxiway.evaluation.metrics.few_rows`.

        Args:
            metric: The metric.
            confidence: The confidence of the intervals.
            baselines: More predictions to compare those of the candidate with. If the metric cannot be computed for them, it is NaN.
        """
        facts, compute = self.gate.facts(metric), self.metric(metric)
        found = compare(
            _nan_if_a_baseline_fails(compute, baselines),
            self.labels,
            self.candidate,
            self.champion,
            confidence,
            self.groups,
            baselines,
        )

        def of(score: Interval, predictions: Predictions) -> Interval:
            rows = self.deciding_rows(metric, predictions)
            share = metric not in self.gate.metrics and is_share(metric) and self.groups is None
            wider = with_few_rows(score, confidence, facts.low, facts.high, rows, is_share_of_rows=share)
            return within(wider, facts.low, facts.high)

        def against(difference: Interval, other: Predictions) -> Interval:
            rows = min(self.deciding_rows(metric, each) for each in (self.candidate, other))
            return difference_of_few_rows(difference, confidence, facts.low, facts.high, rows)

        champion, difference = None, None
        if self.champion is not None and found.champion is not None and found.difference is not None:
            champion, difference = of(found.champion, self.champion), against(found.difference, self.champion)
        others = tuple(
            (of(score, predictions), against(compared, predictions))
            for (score, compared), predictions in zip(found.others, baselines, strict=True)
        )
        return PairedIntervals(of(found.candidate, self.candidate), champion, difference, others)

    def deciding_rows(self, metric: str, predictions: Predictions) -> float:
        """How many rows, or groups of rows, decide a metric."""
        if metric not in self.gate.metrics:
            return deciding_rows(metric, predictions, self.labels, self.classes, self.groups)
        return len(self.labels) if self.groups is None else int(self.groups.max()) + 1

    def metric(self, name: str) -> MetricFunction:
        """A metric of the gate, as a function of predictions for the rows, labels and weights."""
        own = self.gate.metrics.get(name)
        return OwnMetricFunction(name, own, self.classes, self.rows) if own else metric_of(name, self.classes).compute

    @property
    def has_enough_groups(self) -> bool:
        """Whether there are enough groups of rows for an interval; or whether each row is on its own."""
        return self.groups is None or int(self.groups.max()) + 1 >= MIN_GROUPS

    def take(self, rows: "Indices") -> "Comparison":
        """The comparison on some rows."""
        import numpy as np

        return Comparison(
            self.gate,
            self.rows.iloc[rows],
            self.classes,
            self.labels[rows],
            self.candidate.take(rows),
            self.champion.take(rows) if self.champion else None,
            None if self.groups is None else np.unique(self.groups[rows], return_inverse=True)[1],
        )


def _nan_if_a_baseline_fails(compute: MetricFunction, baselines: Sequence[Predictions]) -> MetricFunction:
    """A metric that is NaN if it cannot be computed for one of the baselines, by which nothing is decided."""
    import numpy as np

    def computed(predictions: Predictions, labels: "Floats", weights: "Floats") -> "Floats":
        try:
            return compute(predictions, labels, weights)
        except Exception as error:  # a team's own metric may raise anything
            if all(predictions is not baseline for baseline in baselines):
                raise
            _log.warning("a metric cannot be computed for a baseline: %s", error_line(error))
            return np.full(len(weights), np.nan)

    return computed


def all_classes(candidate: LoadedModel, champion: LoadedModel | None, labels: "pd.Series[Any]") -> tuple[str, ...]:
    """The classes of both models, the candidate's first, and those of the labels that neither has learned; empty for a regression.

    Raises:
        ChampionUnscorableError: The models have no class in common.
        DataError: The candidate has no class in common with the labels.
    """
    if champion is not None and candidate.classes != champion.classes and not {*candidate.classes} & {*champion.classes}:
        raise ChampionUnscorableError(
            f"version {candidate.version} is {_kind(candidate.classes)}, champion version {champion.version} is {_kind(champion.classes)}; "
            "they cannot be compared"
        )
    found = label_classes(labels) if candidate.classes else []
    if found and not {*found} & {*candidate.classes}:
        raise DataError(
            f"the label {labels.name} is {listed(found)} in the evaluation rows, and none of this is a class of version "
            f"{candidate.version}, which has learned {listed(candidate.classes)}; the label has probably been recoded at the source"
        )
    champion_classes = champion.classes if champion else ()
    return with_unseen((*candidate.classes, *(name for name in champion_classes if name not in candidate.classes)), labels)


def _kind(classes: Sequence[str]) -> str:
    return f"a classifier of {listed(classes)}" if classes else "a regression model"
