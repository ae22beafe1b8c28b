"""The trials of a sweep: each is trained and scored on rows of the training window alone, and the best one is chosen."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from taxiway.data.ingest.snapshot import parted
from taxiway.data.schema.file import Schema
from taxiway.errors import ConfigError, DataError, FitError
from taxiway.evaluation.metrics import METRICS
from taxiway.features.encoding import predict_rows, raw_frame
from taxiway.features.labels import true_labels
from taxiway.features.transform import transform
from taxiway.records import FeatureSet, Snapshot, SweepPlan, SweepReport, Trial
from taxiway.records.recorder import InMemoryRecorder, Recorder
from taxiway.spec.pipeline import Pipeline
from taxiway.store import StageKey, Store, keep, made_before
from taxiway.tracking import tags
from taxiway.training.estimator import accepts_missing, build_estimator
from taxiway.training.train import candidate_key, train
from taxiway.tuning.search_space import parameter_sets

if TYPE_CHECKING:
    import pandas as pd

TUNING_PARTS = ("tuning, to learn", "tuning, to score")


def tuning_snapshot(snapshot: Snapshot, store: Store) -> Snapshot:
    """The training window of `snapshot` by itself: its older spans to learn from, its newest to be scored on.

    Where a column splits the spans, it splits the training parts once more: a value that is learned in one span would else be
    scored in another. What the gate decides on is no part of it, so nothing that is given only this can read it.
    """
    if snapshot.split is not None:
        learned, scored = parted(snapshot.training, snapshot.split, TUNING_PARTS, "tuning", store)
        if not learned or not scored:
            raise DataError(
                f"a sweep has nothing to {'score' if learned else 'learn'} on: source.split by {snapshot.split.by} splits the "
                "training rows once more, and they have too few values of it; name a column of more values, or leave the sweep out"
            )
        return Snapshot(pipeline=snapshot.pipeline, training=tuple(learned), evaluation=tuple(scored), split=snapshot.split)
    if len(snapshot.training) < 2:
        raise ConfigError(f"a sweep needs a window of 2 spans or more, got {len(snapshot.training)}; see source.window")
    return Snapshot(pipeline=snapshot.pipeline, training=snapshot.training[:-1], evaluation=snapshot.training[-1:])


def plan_sweep(
    pipeline: Pipeline, snapshot: Snapshot, schema: Schema, overrides: Mapping[str, Any], *, store: Store
) -> SweepPlan:
    """The trials of `pipeline`'s sweep on `snapshot`'s window, and the feature set that they share, both in `store`.

    Raises ConfigError where `overrides` set a parameter that is searched, or where the estimator does not know one.
    """
    assert pipeline.sweep is not None
    both = sorted(set(pipeline.sweep.space) & set(overrides))
    if both:
        raise ConfigError(
            f"the run's model_params set {', '.join(both)}, which the sweep searches; leave it out of one of them"
        )
    problem, tuning = pipeline.gate.problem, tuning_snapshot(snapshot, store)
    sets = [{**overrides, **point} for point in parameter_sets(pipeline.sweep)]
    # All sets have the same names, so the first tells whether the estimator knows them.
    unfitted = build_estimator(pipeline.model, sets[0], problem)
    features = transform(
        tuning,
        schema,
        pipeline.features,
        label=pipeline.source.label,
        problem=problem,
        accepts_missing=accepts_missing(unfitted),
        store=store,
        recorder=InMemoryRecorder(),  # the run's own feature set is the one that its model is trained on
    )
    plan = SweepPlan(
        snapshot=store.put(tuning).digest,
        features=store.put(features).digest,
        metric=pipeline.tuning_metric,
        trials=tuple(json.dumps(point, sort_keys=True) for point in sets),
    )
    store.put(plan)
    return plan


def trial_key(features: FeatureSet, pipeline: Pipeline, params: Mapping[str, Any]) -> StageKey:
    """Everything that makes a trial's score: a second try finds the first one's."""
    fitted = candidate_key(features, None, pipeline.model, params)
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
    """Train on `features` with `params` and score on `rows`, the tuning snapshot's newest span; once for the same of all of them.

    What an estimator raises over its parameters is the trial's `error`: one bad corner of a space does not end a sweep. Only a
    score is taken from an earlier try; what failed is tried again.
    """
    metric = pipeline.tuning_metric
    key = trial_key(features, pipeline, params)
    before = made_before(store, key, Trial)
    if before is not None and before.score is not None:
        recorder.tags({tags.TRIAL_REUSED: "scored before, on the same rows"})
        return before
    labels = true_labels(rows[features.label], pipeline.gate.problem, features.classes)
    score, error = math.nan, None
    try:
        fitted = train(features, pipeline.model, params, store=store, recorder=recorder)
    except FitError as failed:
        error = str(failed)
    else:
        raw = raw_frame(rows, features.numeric, features.categorical)
        answers = predict_rows(fitted.predict_proba, raw)[:, 1] if features.classes else predict_rows(fitted.predict, raw)
        score = float(METRICS[metric].compute(answers, labels, _ones(len(rows)))[0])
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


def choose(plan: SweepPlan, trials: Iterable[Trial]) -> SweepReport:
    """All trials of `plan`, the best one first; of equal ones the first that was planned.

    Raises DataError where none has a score, with the reasons, and ConfigError where a planned one is missing.
    """
    by_params = {trial.params: trial for trial in trials}
    missing = [params for params in plan.trials if params not in by_params]
    if missing:
        raise ConfigError(
            f"{len(missing)} of {len(plan.trials)} trials are missing, first {missing[0]}; run the sweep's tasks again"
        )
    sign = METRICS[plan.metric].sign
    ranked = sorted(
        (by_params[params] for params in plan.trials),
        key=lambda trial: math.inf if trial.score is None else -sign * trial.score,
    )
    if ranked[0].score is None:
        raise DataError(f"none of {len(ranked)} trials has a score; the first says: {ranked[0].error}")
    return SweepReport(snapshot=plan.snapshot, metric=plan.metric, trials=tuple(ranked))


def _ones(rows: int) -> Any:
    import numpy as np

    return np.ones((1, rows))
