"""Whether the champion of a pipeline is to be trained again, by what monitoring has found and earlier trainings gained."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.monitoring.evidence import Evidence
from taxiway.monitoring.expected_gain import Training, Trigger, TriggerKind
from taxiway.monitoring.retraining import RetrainingDecision, RetrainingPolicy, decide
from taxiway.records import Outcome, ReasonCode, Verdict
from taxiway.serving.request_files import read_request_log
from taxiway.spec.monitor import Retrain
from taxiway.stages.context import StageContext
from taxiway.stages.monitor.monitor import Monitored
from taxiway.store import LOST
from taxiway.tracking import tags
from taxiway.tracking.run import refs_of

if TYPE_CHECKING:
    import duckdb
    from mlflow.entities import Run

_NEWEST_TRAININGS = 100
_NO_GAIN = (Outcome.REJECTED, Outcome.UNDECIDED)


def retraining(context: StageContext, found: Monitored) -> RetrainingDecision | None:
    """Decide whether to train again, and log it.

    Args:
        context: The run.
        found: What monitoring has found; its newest window with enough rows decides.

    Returns:
        The decision; None if the pipeline has no section `monitor.retrain`, or if no window has enough rows.
    """
    section, newest = context.pipeline.monitor, found.newest
    if section is None or section.retrain is None or newest is None:
        return None
    of, metric = newest.performance, found.reference.metric
    trainings = list(_trainings(context, metric))
    evidence = Evidence(
        at=context.clock(),
        metric=metric,
        reference=found.reference.performance,
        trainings=trainings,
        realised=of.realised,
        estimated=of.estimated if of.realised is None else of.estimated_of_labelled,
        drifted=[each.column for each in newest.drift.columns],
        new_labels=_new_labels(Path(context.services.filled(section.log)), found, trainings),
    )
    decision = decide(_policy(section.retrain), evidence)
    context.log.info("%s", decision.message)
    context.recorder.tags({tags.RETRAINING: decision.message})
    return decision


def _policy(section: Retrain) -> RetrainingPolicy:
    return RetrainingPolicy(
        min_gain=section.min_gain,
        performance="performance" in section.triggers,
        concept_drift="concept_drift" in section.triggers,
        input_drift="input_drift" in section.triggers,
        new_labels=section.new_labels,
        max_age=section.max_age,
        cooldown=section.cooldown,
        max_trainings=section.max_trainings,
        period=section.period,
    )


def _trainings(context: StageContext, metric: str) -> Iterator[Training]:
    """The newest trainings of the pipeline, oldest first; they cost one request."""
    known = context.registry.get_experiment_by_name(context.pipeline.experiment)
    if known is None:
        return
    runs = context.registry.search_runs(
        [known.experiment_id],
        f"tags.`{tags.VERSION}` != ''",
        order_by=["attributes.start_time DESC"],
        max_results=_NEWEST_TRAININGS,
    )
    for run in reversed(runs):
        trigger = json.loads(run.data.tags.get(tags.RETRAINED_FOR) or "null")
        yield Training(
            at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
            trigger=trigger and Trigger(TriggerKind(trigger["kind"]), trigger["size"]),
            gain=_gain(context, run, metric),
        )


def _gain(context: StageContext, run: "Run", metric: str) -> float | None:
    """The improvement of the metric over the champion before; 0 if the version was not promoted, None if it is not known."""
    outcome = run.data.tags.get(tags.OUTCOME)
    if outcome in _NO_GAIN:
        return 0.0
    compared = context.pipeline.gate.against_champion
    verdicts = [ref.digest for ref in refs_of(run.data.tags) if ref.record == Verdict.__name__]
    if outcome != Outcome.PROMOTED or compared is None or compared.metric != metric or not verdicts:
        return None
    try:
        reasons = context.store.get(Verdict, verdicts[0]).reasons
    except LOST:
        return None
    estimates = (reason.estimate for reason in reasons if reason.code is ReasonCode.METRIC_AGAINST_CHAMPION)
    return next((estimate.value for estimate in estimates if estimate is not None), None)


def _new_labels(log: Path, found: Monitored, trainings: list[Training]) -> int:
    """How many predicted rows of the compared windows have got a label since the last training."""
    since = trainings[-1].at if trainings else datetime.min.replace(tzinfo=UTC)

    def read(connection: "duckdb.DuckDBPyConnection") -> int:
        query = "SELECT count(*) FROM labels WHERE model = $1 AND labelled_at > $2"
        ((count,),) = connection.execute(query, [found.version.model, since]).fetchall()
        return int(count)

    return read_request_log(log, read, model=found.version.model, since=found.windows[0].performance.first)
