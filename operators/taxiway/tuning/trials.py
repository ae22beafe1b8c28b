"""Plan and run the trials of a sweep on the training window, and choose the best one."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from taxiway.data.ingest.sampling import describe_split, empty_split_hint
from taxiway.data.ingest.snapshot import split_spans
from taxiway.data.schema.file import Schema
from taxiway.errors import ConfigError, DataError, FitError
from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.predictions import positive_class, predictions_of
from taxiway.evaluation.threshold import ThresholdRule
from taxiway.features.encoding import frame_of, predict_rows
from taxiway.features.labels import true_labels, with_unseen
from taxiway.features.transform import TransformSpec, transform
from taxiway.messages import counted
from taxiway.records import FeatureSet, Snapshot, SweepPlan, SweepReport, Trial
from taxiway.records.recorder import InMemoryRecorder, Recorder
from taxiway.spec.metrics import facts_of
from taxiway.spec.pipeline import Pipeline
from taxiway.store import StageKey, Store, keep, made_before
from taxiway.tracking import tags
from taxiway.training.estimator import accepts_missing, build_estimator
from taxiway.training.train import candidate_key, train
from taxiway.tuning.search_space import parameter_sets

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TUNING_PARTS = ("tuning, to learn", "tuning, to score")


def tuning_snapshot(snapshot: Snapshot, store: Store) -> Snapshot:
    """The training window of a snapshot as a snapshot of its own: trials train on its older spans and are scored on its newest.

    If the spans are split, the training rows are split by the same rule once more, so that no value of `by` is both trained and scored
    on. The evaluation rows of the gate are not included, so no trial can read them.

    Raises:
        ConfigError: The window has only one span.
        DataError: The second split leaves no rows to train or to score on.
    """
    if snapshot.split is not None:
        learned, scored = split_spans(snapshot.training, snapshot.split, TUNING_PARTS, "tuning", store)
        if not learned or not scored:
            raise DataError(
                f"the sweep has no rows to {'score' if learned else 'train'} on: {describe_split(snapshot.split)} splits the training rows "
                f"once more, and they have too few values for it; {empty_split_hint(snapshot.split)}, or remove the sweep"
            )
        return Snapshot(pipeline=snapshot.pipeline, training=tuple(learned), evaluation=tuple(scored), split=snapshot.split)
    if len(snapshot.training) < 2:
        raise ConfigError(
            f"a sweep needs at least 2 spans in the training window, got {len(snapshot.training)}; increase source.window"
        )
    return Snapshot(pipeline=snapshot.pipeline, training=snapshot.training[:-1], evaluation=snapshot.training[-1:])


def plan_sweep(
    pipeline: Pipeline,
    snapshot: Snapshot,
    schema: Schema,
    overrides: Mapping[str, Any],
    *,
    store: Store,
    check: Callable[[Any, str], object] | None = None,
) -> SweepPlan:
    """Plan the trials of a pipeline's sweep, and fit the transform that they share. Both are stored.

    Args:
        pipeline: The pipeline.
        snapshot: The snapshot of the run.
        schema: Its schema.
        overrides: Parameters that replace those of `model.params`.
        store: Where rows and records are.
        check: See `transform`.

    Raises:
        ConfigError: `overrides` has a parameter of the search space, or the estimator does not have a parameter.
        DataError: There are too few rows.
    """
    assert pipeline.sweep is not None
    both = sorted(set(pipeline.sweep.space) & set(overrides))
    if both:
        raise ConfigError(f"{', '.join(both)} is in the run's model_params and in sweep.space; remove it from one of them")
    problem, tuning = pipeline.gate.problem, tuning_snapshot(snapshot, store)
    sets = [{**overrides, **point} for point in parameter_sets(pipeline.sweep)]
    # All sets have the same names, so it is enough to check the first.
    unfitted = build_estimator(pipeline.model, sets[0], problem)
    spec = TransformSpec.of(pipeline, accepts_missing=accepts_missing(unfitted), check=check)
    # Only the feature set of the final model is reported to the run.
    features = transform(tuning, schema, spec, store=store, recorder=InMemoryRecorder())
    plan = SweepPlan(
        snapshot=store.put(tuning).digest,
        features=store.put(features).digest,
        metric=pipeline.tuning_metric,
        trials=tuple(json.dumps(point, sort_keys=True) for point in sets),
    )
    store.put(plan)
    return plan


def trial_key(features: FeatureSet, pipeline: Pipeline, params: Mapping[str, Any]) -> StageKey:
    """The cache key of a trial's score."""
    fitted = candidate_key(features, None, pipeline.model, params, costs=pipeline.threshold_costs)
    return replace(fitted, stage="trials", params={**fitted.params, "metric": pipeline.tuning_metric})


def run_trial(
    params: Mapping[str, Any],
    features: FeatureSet,
    rows: "pd.DataFrame",
    pipeline: Pipeline,
    *,
    store: Store,
    recorder: Recorder,
) -> Trial:
    """Train with one set of parameters and score the model. A score is cached; a failed trial is run again.

    Args:
        params: The parameters.
        features: The feature set of the tuning snapshot.
        rows: The rows to score on: the newest span of the tuning snapshot.
        pipeline: The pipeline.
        store: Where rows and records are.
        recorder: Where to report parameters and metrics.

    Returns:
        The trial. If the estimator could not be fitted, it has an `error` and no score, so that the sweep goes on.
    """
    metric = pipeline.tuning_metric
    key = trial_key(features, pipeline, params)
    before = made_before(store, key, Trial)
    if before is not None and before.score is not None:
        recorder.tags({tags.TRIAL_REUSED: "score reused from an earlier run on the same rows"})
        return before
    classes = with_unseen(features.classes, rows[features.label])
    labels = true_labels(rows[features.label], classes)
    score, error = math.nan, None
    try:
        fitted = train(features, pipeline.model, params, store=store, recorder=recorder)
    except FitError as failed:
        error = str(failed)
    else:
        raw = frame_of(features, rows)
        answers = predict_rows(fitted.predict_proba if features.classes else fitted.predict, raw)
        threshold = _threshold(answers, features, labels, pipeline)
        predictions = predictions_of(answers, features.classes, classes, positive_class(features.classes), threshold)
        score = float(metric_of(metric, classes).compute(predictions, labels, _ones(len(rows)))[0])
        if not math.isfinite(score):
            error = f"{metric} is {score} on these rows"
    made = Trial(
        params=json.dumps(dict(params), sort_keys=True),
        metric=metric,
        score=None if error else score,
        rows=len(rows),
        error=error[:1000] if error else None,
    )
    return keep(store, key, made)


def _threshold(answers: "Floats", features: FeatureSet, labels: "Floats", pipeline: Pipeline) -> float | None:
    """The threshold of a trial: if it is chosen, the best one on the rows that the trial is scored on, which it has not learned."""
    if len(features.classes) != 2:
        return None
    learned = labels < len(features.classes)
    return ThresholdRule.of(pipeline).threshold(features.classes, answers[learned], labels[learned])


def choose(plan: SweepPlan, trials: Iterable[Trial]) -> SweepReport:
    """Rank the trials of a plan, the best one first; ties are in the order of the plan.

    Raises:
        ConfigError: A planned trial is missing.
        DataError: No trial has a score.
    """
    by_params = {trial.params: trial for trial in trials}
    missing = [params for params in plan.trials if params not in by_params]
    if missing:
        raise ConfigError(
            f"{len(missing)} of {len(plan.trials)} trials are missing, the first is {missing[0]}; clear the sweep's tasks to run them again"
        )
    direction = facts_of(plan.metric).direction
    ranked = sorted(
        (by_params[params] for params in plan.trials),
        key=lambda trial: math.inf if trial.score is None else -direction * trial.score,
    )
    if ranked[0].score is None:
        raise DataError(f"none of {counted(len(ranked), 'trial')} has a score; the error of the first: {ranked[0].error}")
    return SweepReport(snapshot=plan.snapshot, metric=plan.metric, trials=tuple(ranked))


def _ones(rows: int) -> Any:
    import numpy as np

    return np.ones((1, rows))
