"""Train: registers a model version, once for the same rows, transform, report and parameters."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError
from taxiway.records import Candidate, DataReport, FeatureSet, Snapshot, Trials
from taxiway.spec.monitor.action import has_warm_start
from taxiway.stages.context import StageContext
from taxiway.stages.train.learning_curve import learning_curve, wants_learning_curve
from taxiway.stages.train.threshold import decision_threshold
from taxiway.tracking import tags

if TYPE_CHECKING:
    import pandas as pd

    from taxiway.models.row_model import RowModel
    from taxiway.stages.train.recalibrate import Recalibration
    from taxiway.store import StageKey


def train(
    context: StageContext,
    snapshot: Snapshot,
    report: DataReport,
    features: FeatureSet,
    *,
    overrides: Mapping[str, Any] | None = None,
    trials: Sequence[Trials] = (),
) -> Candidate:
    """Train the pipeline's estimator and register it; a retry finds the version that the first try registered.

    Args:
        context: The run.
        snapshot: The rows that the features were made from.
        report: The DataReport of the snapshot.
        features: The transformed rows to train on.
        overrides: Parameters that override those of the pipeline file and of the sweep.
        trials: The trials of a sweep, whose best parameters are used.

    Raises:
        FitError: The estimator cannot be fitted with these parameters on these rows.
        UntrustedModelError: The fitted model needs types that Taxiway does not load.
    """
    from taxiway.stages.tune import choose_best
    from taxiway.training.train import candidate_key

    pipeline = context.pipeline
    sweep = choose_best(context, trials) if pipeline.sweep is not None else None
    replaced = {**(json.loads(sweep.best.params) if sweep else {}), **(overrides or {})}
    recalibration = _recalibration(context, snapshot, overrides)
    previous = recalibration.champion if recalibration is not None else _champion_to_start_from(context, features)
    key = candidate_key(
        features,
        report.digest,
        pipeline.model,
        replaced,
        previous,
        pipeline.threshold_costs,
        pipeline.source.rename,
        recalibrates=recalibration is not None,
    )
    version, files = _find_or_train(context, snapshot, features, replaced, key.digest, previous, recalibration)
    estimator, params = _estimator(context, replaced, recalibration)
    candidate = Candidate(
        model=pipeline.name,
        version=version,
        snapshot=features.snapshot,
        report=report.digest,
        features=features.digest,
        schema_version=features.schema_version,
        estimator=estimator,
        params=params,
        sweep=sweep.digest if sweep else None,
        files=files,
    )
    candidate = _recorded(context, candidate)
    if recalibration is None and wants_learning_curve(context):
        _measure(context, features, replaced, candidate, key)
    return candidate


def _recorded(context: StageContext, candidate: Candidate) -> Candidate:
    """Record a candidate, with what the tags of its version say of it."""
    from taxiway.registry.version_tags import files_in, size_in, threshold_from_tags

    found = context.registry.get_model_version(candidate.model, str(candidate.version)).tags
    known = {"threshold": threshold_from_tags(found), "files": candidate.files or files_in(found)}
    candidate, size = candidate.model_copy(update=known), size_in(found)
    metrics = {} if size is None else {"model.bytes": size}
    context.recorder.record(candidate, metrics=metrics, tags={tags.VERSION: str(candidate.version)})
    return candidate


def _measure(
    context: StageContext, features: FeatureSet, replaced: Mapping[str, Any], candidate: Candidate, key: "StageKey"
) -> None:
    """Measure the learning curve if trainings begin anew, as its models do."""
    if _starts_from_champion(context):
        context.log.info(
            "the learning curve is not measured: its models are trained anew, and the training function starts from the champion"
        )
        return
    try:
        learning_curve(context, features, replaced, candidate, key)
    except Exception as error:  # of any library; the version is registered, and the curve is only for later decisions
        context.log.warning("the learning curve could not be measured: %s; the run goes on without it", error, exc_info=True)


def _recalibration(context: StageContext, snapshot: Snapshot, overrides: Mapping[str, Any] | None) -> "Recalibration | None":
    """What is recalibrated instead of a training; None if the run trains.

    Raises:
        ConfigError: Parameters are overridden, which a recalibration does not use.
    """
    from taxiway.stages.train.recalibrate import plan_recalibration

    is_wanted = context.action is not None and context.action.action == "recalibrate"
    found = plan_recalibration(context, snapshot) if is_wanted else None
    if found is not None and overrides:
        raise ConfigError(
            f"a recalibration keeps the estimator, so the parameters {', '.join(overrides)} have no effect; start the run without them",
            key="model_params",
        )
    return found


def _estimator(context: StageContext, replaced: Mapping[str, Any], recalibration: "Recalibration | None") -> tuple[str, str]:
    """The estimator and its parameters as JSON: those of the pipeline file, or of the version that a recalibration keeps.

    If the record of that version is lost, they are those of the file as well.
    """
    from taxiway.lineage.queries import version_records

    model = context.pipeline.model
    if recalibration is not None:
        base = version_records(context.registry, context.pipeline.name, recalibration.base, (Candidate,)).candidate
        if base is not None:
            return base.estimator, base.params
    return model.name, json.dumps({**model.params, **replaced}, sort_keys=True)


def _starts_from_champion(context: StageContext) -> bool:
    """Whether trainings like this one start from the champion, if there is one: by `model.warm_start` or a training function."""
    from taxiway.training.own.function import OwnFunction

    model, action = context.pipeline.model, context.action
    function = OwnFunction(model.train, {}) if model.train is not None else None
    if function is not None and action is not None and action.action == "warm_start":
        function.require_previous()
    begins_anew = action is not None and action.action == "retrain" and has_warm_start(context.actions)
    return not begins_anew and (model.warm_start is not None or bool(function and function.takes_previous))


def _champion_to_start_from(context: StageContext, features: FeatureSet) -> int | None:
    """The champion's version, if the pipeline starts from it; of a champion that was trained on the same rows, the one before it.

    So a second run on the same rows finds the version of the first, even if that has become champion. Nothing starts from a champion
    that was deleted in MLflow.
    """
    from taxiway.registry.alias_moves import champion_now
    from taxiway.registry.version_tags import tags_of

    if not _starts_from_champion(context):
        return None
    version = champion_now(context.ledger, context.pipeline.name)
    if version is None:
        return None
    version_tags = tags_of(context.registry, context.pipeline.name, version)
    if version_tags is None:
        context.log.warning("trained anew: version %d was deleted in MLflow", version)
        return None
    if version_tags.get(tags.FEATURES) != features.digest:
        return version
    started_from = version_tags.get(tags.PREVIOUS, "")
    return int(started_from) if started_from.isdecimal() else None


def _find_or_train(
    context: StageContext,
    snapshot: Snapshot,
    features: FeatureSet,
    replaced: Mapping[str, Any],
    key: str,
    previous: int | None,
    recalibration: "Recalibration | None",
) -> tuple[int, str | None]:
    """The version that is registered under the key `key`, or a new one, with the digest of the files that were saved for it."""
    from taxiway.registry.register import find_version

    found = find_version(context.registry, context.pipeline.name, key)
    if found is None and recalibration is not None:
        return _recalibrate(context, snapshot, features, key, recalibration)
    if found is None:
        return _train(context, snapshot, features, replaced, key, previous)
    context.log.info("version %d was already trained on the same data with the same parameters: nothing to train", found)
    return found, None


def _train(
    context: StageContext,
    snapshot: Snapshot,
    features: FeatureSet,
    replaced: Mapping[str, Any],
    key: str,
    previous: int | None,
) -> tuple[int, str | None]:
    from taxiway.models.background import background_of
    from taxiway.registry.register import check_savable
    from taxiway.training.train import feature_means, row_model
    from taxiway.training.train import train as fit

    pipeline = context.pipeline
    fitted = fit(
        features,
        pipeline.model,
        replaced,
        store=context.store,
        recorder=context.recorder,
        check=lambda fitted_on_few: check_savable(row_model(fitted_on_few, features)),
        previous=lambda: _load_model(context, previous) if previous is not None else None,
    )
    threshold = decision_threshold(context, fitted, features, replaced)
    version_tags = _version_tags(context, snapshot, features, previous, threshold)
    params = {name: str(value) for name, value in {**pipeline.model.params, **replaced}.items()}
    means = feature_means(fitted, features, context.store)
    background = background_of(fitted, features, snapshot.training, context.store)
    made = row_model(fitted, features, threshold, pipeline.source.rename, means, background)
    return _register(context, snapshot, features, made, key, version_tags, params)


def _recalibrate(
    context: StageContext, snapshot: Snapshot, features: FeatureSet, key: str, recalibration: "Recalibration"
) -> tuple[int, str | None]:
    from taxiway.stages.train.recalibrate import recalibrate, recalibration_tags

    made, example = recalibrate(context, recalibration, features)
    version_tags = {
        **_version_tags(context, snapshot, features, recalibration.champion, made.threshold),
        tags.CLASSES: json.dumps(list(made.classes)),
        **recalibration_tags(recalibration),
    }
    return _register(context, snapshot, features, made, key, version_tags, {}, example)


def _register(
    context: StageContext,
    snapshot: Snapshot,
    features: FeatureSet,
    made: "RowModel",
    key: str,
    version_tags: dict[str, str],
    params: dict[str, str],
    example: "pd.DataFrame | None" = None,
) -> tuple[int, str | None]:
    """Register a model, with some rows as its input example; returns its version, and the digest of its files."""
    from taxiway.data.engine.read_rows import read_rows
    from taxiway.registry.register import EXAMPLE_ROWS, ModelToSave, register

    if example is None:
        example = read_rows(snapshot.training[:1], context.store, list(features.columns)).head(EXAMPLE_ROWS)
    to_save = ModelToSave(made, example, key, version_tags, params)
    version, files = register(context.registry, context.recorder.run_id, context.pipeline.name, to_save)
    context.log.info("registered %s version %d", context.pipeline.name, version)
    return version, files


def _version_tags(
    context: StageContext, snapshot: Snapshot, features: FeatureSet, previous: int | None, threshold: float | None
) -> dict[str, str]:
    """The tags of a new version."""
    from taxiway.tracking.environment import code_commit, environment

    version_tags = {
        tags.SNAPSHOT: snapshot.digest,
        tags.FEATURES: features.digest,
        tags.ENVIRONMENT: environment(),
        tags.CODE: code_commit(Path(context.pipeline.schema_file).parent),
        tags.CLASSES: json.dumps(features.classes),
        tags.NEWEST_SPAN: snapshot.target_span.label,
    }
    if context.action is not None and context.action.action != "recalibrate":
        version_tags[tags.ACTION] = json.dumps(context.action.what)
    if previous is not None:
        version_tags[tags.PREVIOUS] = str(previous)
    if threshold is not None:
        version_tags[tags.THRESHOLD] = repr(threshold)
    return version_tags


def _load_model(context: StageContext, version: int) -> Any:
    from taxiway.registry.alias_moves import files_by_ledger
    from taxiway.registry.load import load_trusted

    name, files = context.pipeline.name, files_by_ledger(context.ledger, context.pipeline.name, version)
    return load_trusted(context.registry.tracking_uri, name, version, code=context.code, files=files).get_raw_model()
