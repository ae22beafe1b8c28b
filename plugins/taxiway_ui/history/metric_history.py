"""The metric of each evaluated version over the spans of a pipeline, with what became of it."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from taxiway.records import Evaluation, Interval, MetricResult, Outcome, Promotion, RunSummary, Verdict
from taxiway.records.evaluation import Better
from taxiway.spec.gate import Gate
from taxiway.spec.metrics import facts_of
from taxiway.store import Store
from taxiway_ui.airflow_db import Decided
from taxiway_ui.clients import READERS, cached_record
from taxiway_ui.history.main_metric import main_metric

MAX_POINTS = 60
"""How many evaluated attempts are shown, the newest ones."""


@dataclass(frozen=True)
class Point:
    """One evaluated attempt at a span.

    Attributes:
        span: The label of the span.
        attempt: The number of the attempt.
        run: The id of the run.
        version: The version that was evaluated.
        value: The metric with its interval.
        champion: The champion at the time; None if there was none.
        champion_value: Its metric on the same rows; None if there was none.
        outcome: The outcome of the run.
        promotion: How the version became the champion; None if it did not.
        at: When it was evaluated; None if that is not known.
    """

    span: str
    attempt: int
    run: str
    version: int
    value: Interval
    champion: int | None
    champion_value: Interval | None
    outcome: Outcome
    promotion: Promotion | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Return:
    """A rollback, or the end of a champion.

    Attributes:
        after: How many of the points were evaluated before.
        promotion: Its entry in the ledger.
    """

    after: int
    promotion: Promotion


@dataclass(frozen=True)
class MetricHistory:
    """The history of a metric.

    Attributes:
        metric: The metric.
        better: Whether higher or lower values are better; None if that is not known.
        confidence: The confidence of the newest interval.
        points: The attempts, oldest span first.
        returns: The rollbacks and ends of champions among them.
        threshold: What the present pipeline file requires; None if it requires nothing, or cannot be read here.
        unknown_threshold: Why the threshold is not known; empty if it is.
    """

    metric: str
    better: Better | None
    confidence: float
    points: tuple[Point, ...]
    returns: tuple[Return, ...] = ()
    threshold: float | None = None
    unknown_threshold: str = ""


@dataclass(frozen=True)
class _Evaluated:
    summary: RunSummary
    verdict: Verdict
    evaluation: Evaluation
    at: datetime | None


def newest_evaluated(attempts: Iterable[RunSummary]) -> list[RunSummary]:
    """The newest attempts that have a version, as many as are shown; `attempts` are in order, the newest first."""
    return list(islice((attempt for attempt in attempts if attempt.version is not None), MAX_POINTS))


def metric_history(
    store: Store,
    attempts: Iterable[RunSummary],
    verdicts: Mapping[str, Decided],
    promotions: Sequence[Promotion],
    gate: Gate | str,
) -> MetricHistory | None:
    """The history of the metric by which versions are compared; None if no version was evaluated.

    Args:
        store: The store.
        attempts: The attempts at spans that have evaluated a version, the newest span and attempt first; see `newest_evaluated`.
        verdicts: The references of verdicts by run.
        promotions: The completed promotions of the model, newest first.
        gate: The gate of the present pipeline file; or why it cannot be read.
    """
    found = _evaluated(store, attempts, verdicts, promotions)
    newest = main_metric(found[0].evaluation) if found else None
    if newest is None:
        return None
    metric = newest.metric if isinstance(gate, str) else gate.comparison_metric
    made = {promotion.verdict: promotion for promotion in reversed(promotions) if promotion.verdict is not None}
    points = tuple(
        _point(one, result, made.get(one.verdict.digest))
        for one in reversed(found)
        if (result := next((result for result in one.evaluation.metrics if result.metric == metric), None)) is not None
    )
    if not points:
        return None
    return MetricHistory(
        metric,
        _better(metric, found),
        found[0].evaluation.confidence,
        points,
        _returns(points, promotions),
        None if isinstance(gate, str) else gate.thresholds.get(metric),
        gate if isinstance(gate, str) else "",
    )


def _evaluated(
    store: Store, attempts: Iterable[RunSummary], verdicts: Mapping[str, Decided], promotions: Sequence[Promotion]
) -> list[_Evaluated]:
    """The newest attempts whose verdict and evaluation can be read."""
    by_version = {made.to_version: made.verdict for made in promotions if made.verdict is not None}

    def read(summary: RunSummary) -> _Evaluated | None:
        decided = verdicts.get(summary.run)
        digest = decided.ref.digest if decided is not None else by_version.get(summary.version)
        verdict = cached_record(store, Verdict, digest) if digest is not None else None
        evaluation = cached_record(store, Evaluation, verdict.evaluation) if verdict is not None else None
        if verdict is None or evaluation is None or (verdict.model, verdict.version) != (summary.pipeline, summary.version):
            return None  # MLflow's tags may name any verdict
        return _Evaluated(summary, verdict, evaluation, decided.at if decided is not None else None)

    with ThreadPoolExecutor(READERS) as readers:
        return [found for found in readers.map(read, attempts) if found is not None]


def _point(found: _Evaluated, result: MetricResult, promotion: Promotion | None) -> Point:
    summary, verdict = found.summary, found.verdict
    return Point(
        summary.span.label,
        summary.attempt,
        summary.run,
        verdict.version,
        result.candidate,
        verdict.champion,
        result.champion,
        summary.outcome,
        promotion,
        found.at,
    )


def _returns(points: Sequence[Point], promotions: Sequence[Promotion]) -> tuple[Return, ...]:
    """The rollbacks and ends of champions since the first point, oldest first."""
    times = [point.at for point in points]
    found = []
    for made in reversed(promotions):
        if made.verdict is None:
            after = max((number for number, at in enumerate(times, 1) if at is not None and at <= made.at), default=0)
            if after:
                found.append(Return(after, made))
    return tuple(found)


def _better(metric: str, found: Sequence[_Evaluated]) -> Better | None:
    own = next((better for one in found if (better := one.evaluation.better(metric)) is not None), None)
    if own is not None:
        return own
    try:
        return "higher" if facts_of(metric).direction > 0 else "lower"
    except ValueError:
        return None  # a metric of another version of Taxiway
