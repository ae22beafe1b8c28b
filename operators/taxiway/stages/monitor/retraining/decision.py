"""Whether the champion of a pipeline is to be trained again, by what monitoring has found and earlier trainings gained."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from taxiway.errors import ConfigError
from taxiway.ledger.entry import Entry, trusted
from taxiway.messages import invalid_text
from taxiway.monitoring.retraining import RetrainingDecision, decide
from taxiway.monitoring.retraining.evidence import Evidence
from taxiway.monitoring.retraining.expected_gain import Training, Trigger, TriggerKind
from taxiway.records import Evaluation, Outcome
from taxiway.serving.request_log.files import read_request_log
from taxiway.spec.metrics import facts_of
from taxiway.spec.monitor.action import RETRAIN_AS_BEFORE, Action
from taxiway.stages.context import StageContext
from taxiway.stages.monitor.monitored import Monitored, MonitoredWindow
from taxiway.stages.monitor.retraining.learning_curve import measured_curve
from taxiway.stages.monitor.windows.log_windows import log_folder
from taxiway.store import LOST
from taxiway.tracking import tags
from taxiway.tracking.run import refs_of

if TYPE_CHECKING:
    import duckdb
    from mlflow.entities import Run

_NEWEST_TRAININGS = 100
_EVER = datetime.min.replace(tzinfo=UTC)
_NO_GAIN = (Outcome.REJECTED, Outcome.UNDECIDED)


def retraining(context: StageContext, found: Monitored, known: Sequence[Entry]) -> RetrainingDecision | None:
    """Decide whether to train again, and log it.

    Args:
        context: The run.
        found: What monitoring has found: its newest window with enough rows, and the newest whose realised performance is known.
        known: The promotions of the pipeline, newest first.

    Returns:
        The decision; None if the pipeline has no section `monitor.retrain`, or if no window has enough rows.
    """
    section, newest = context.pipeline.monitor, found.newest
    if section is None or section.retrain is None or newest is None:
        return None
    runs = _training_runs(context)
    replaced = _rolled_back(context, known)
    trainings = [_training(context, run, found.reference.metric, replaced) for run in runs]
    curve = measured_curve(context, runs, found.reference.metric) if runs else None
    log = log_folder(context, section)
    new_labels = _new_labels(log, found, trainings[-1].at if trainings else _EVER)
    # Labels may come a window late: then the newest window has an estimate, and one before it the realised performance.
    windows = [newest] if found.newest_labelled in (None, newest) else [found.newest_labelled, newest]
    decisions = [
        decide(section.retrain, replace(_evidence(context, found, window, trainings, new_labels), curve=curve))
        for window in windows
        if window is not None
    ]
    decision = next((each for each in decisions if each.retrain), decisions[0])
    context.log.info("%s", decision.message)
    context.recorder.tags({tags.RETRAINING: decision.message})
    return decision


def training_tags(described: Mapping[str, Any]) -> dict[str, str]:
    """The tags of the run of a training that monitoring has started, from which later decisions learn.

    Args:
        described: The decision as content for JSON, as the event of the asset has it.
    """
    return {
        tags.RETRAINED_FOR: json.dumps(described.get("trigger")),
        tags.RETRAINING: str(described.get("message", "")),
        tags.ACTION: json.dumps(action_in(described).what),
    }


def action_in(described: Mapping[str, Any]) -> Action:
    """What the training does by a decision as content for JSON; one of an earlier version of Taxiway has no action."""
    given = described.get("action")
    return RETRAIN_AS_BEFORE if given is None else Action.model_validate(given)


def action_of_policy(described: Mapping[str, Any], actions: Sequence[Action]) -> Action:
    """What the training does by a decision as content for JSON, which must be an action that the pipeline file has.

    Raises:
        ConfigError: It has no such action: the file was edited after the decision, or somebody else has posted the event.
    """
    try:
        wanted = action_in(described)
    except ValidationError as error:
        raise ConfigError(f"the event that started this run has no valid action: {invalid_text(error)}", key="action") from None
    if described.get("action") is not None and not any(wanted.what == action.what for action in actions):
        allowed = ", ".join(action.text for action in actions) or "none"
        raise ConfigError(
            f"this run was started to {wanted.text}, which is not in monitor.retrain.actions; allowed: {allowed}. The next run of monitoring "
            "decides by the pipeline file as it is now",
            key="action",
        )
    return wanted


def _evidence(
    context: StageContext, found: Monitored, window: MonitoredWindow, trainings: Sequence[Training], new_labels: int
) -> Evidence:
    of = window.performance
    return Evidence(
        at=context.clock(),
        metric=found.reference.metric,
        reference=found.reference.performance,
        trainings=trainings,
        realised=of.realised,
        estimated=of.estimated if of.realised is None else of.estimated_of_labelled,
        drifted=[each.column for each in window.drift.columns],
        new_labels=new_labels,
    )


def _training_runs(context: StageContext) -> "list[Run]":
    """The newest trainings of the pipeline, oldest first, also those that failed after monitoring had started them; two requests."""
    known = context.registry.get_experiment_by_name(context.pipeline.experiment)
    if known is None:
        return []
    runs: dict[str, Run] = {}
    for tag in (tags.VERSION, tags.RETRAINED_FOR):
        found = context.registry.search_runs(
            [known.experiment_id],
            f"tags.`{tag}` != ''",
            order_by=["attributes.start_time DESC"],
            max_results=_NEWEST_TRAININGS,
        )
        runs |= {run.info.run_id: run for run in found}
    return sorted(runs.values(), key=lambda run: int(run.info.start_time))


def _rolled_back(context: StageContext, known: Sequence[Entry]) -> frozenset[str]:
    """The versions that a rollback has replaced: what they gained on evaluation rows was not so."""
    made = [entry.promotion for entry in trusted(context.ledger, known)]
    return frozenset(str(each.from_version) for each in made if each.verdict is None and each.to_version is not None)


def _training(context: StageContext, run: "Run", metric: str, replaced: frozenset[str]) -> Training:
    trigger = json.loads(run.data.tags.get(tags.RETRAINED_FOR) or "null")
    return Training(
        at=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        trigger=trigger and Trigger(TriggerKind(trigger["kind"]), trigger["size"]),
        gain=0.0 if run.data.tags.get(tags.VERSION) in replaced else _gain(context, run, metric),
        action=action_in({"action": json.loads(run.data.tags.get(tags.ACTION) or "null")}),
        failed=run.info.status == "FAILED" and not run.data.tags.get(tags.OUTCOME),
    )


def _gain(context: StageContext, run: "Run", metric: str) -> float | None:
    """The improvement of the metric over the champion before, 0 if the version was not promoted; None if they were not compared by it."""
    digests = [ref.digest for ref in refs_of(run.data.tags) if ref.record == Evaluation.__name__]
    outcome = run.data.tags.get(tags.OUTCOME)
    if not digests or outcome not in (Outcome.PROMOTED, *_NO_GAIN):
        return None
    try:
        metrics = context.store.get(Evaluation, digests[0]).metrics
    except LOST:
        return None
    difference = next((each.difference for each in metrics if each.metric == metric), None)
    if difference is None:
        return None
    return facts_of(metric).direction * difference.value if outcome == Outcome.PROMOTED else 0.0


def _new_labels(log: Path, found: Monitored, since: datetime) -> int:
    """How many predicted rows of the compared windows have got a label since a time."""

    def read(connection: "duckdb.DuckDBPyConnection") -> int:
        query = "SELECT count(*) FROM labels WHERE model = $1 AND labelled_at > $2"
        ((count,),) = connection.execute(query, [found.version.model, since]).fetchall()
        return int(count)

    return read_request_log(log, read, model=found.version.model, since=found.windows[0].performance.first)
