"""Load versions, and score them on the evaluation rows; nothing is recorded."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxiway.errors import (
    ChampionUnscorableError,
    CorruptArtifactError,
    ModelLoadError,
    NotStoredError,
    UnreadableRecordError,
    UntrustedModelError,
)
from taxiway.records import Candidate, FeatureSet, Snapshot
from taxiway.stages.context import StageContext

if TYPE_CHECKING:
    from taxiway.evaluation.baselines.fit import FittedBaseline
    from taxiway.evaluation.evaluate import Evaluated
    from taxiway.evaluation.scoring import LoadedModel


def evaluate_with(
    context: StageContext,
    candidate: Candidate,
    snapshot: Snapshot,
    champion: int | None,
    baselines: "Sequence[FittedBaseline]",
) -> "tuple[Evaluated, str | None]":
    """Score a version and a champion on the evaluation rows.

    Args:
        context: The run.
        candidate: The version.
        snapshot: The snapshot with the rows.
        champion: The version to compare with; None for none.
        baselines: Simple models to compare it with.

    Returns:
        The evaluation, and why the champion has no part in it although there is one; None if it has.
    """
    try:
        return _evaluate(context, candidate, snapshot, champion, baselines), None
    except ChampionUnscorableError as error:
        context.log.warning("%s; the candidate is evaluated alone", error)
        return _evaluate(context, candidate, snapshot, None, baselines), str(error)


def baselines_of(context: StageContext, candidate: Candidate, snapshot: Snapshot) -> "tuple[FittedBaseline, ...]":
    """The simple models that a candidate is compared with, fitted to its rows; none, with a warning, if these cannot be read.

    Args:
        context: The run.
        candidate: The version.
        snapshot: The snapshot of its rows.
    """
    from taxiway.evaluation.baselines.fit import fit_baselines
    from taxiway.evaluation.threshold import ThresholdRule

    try:
        features = context.store.get(FeatureSet, candidate.features)
    except (NotStoredError, UnreadableRecordError, CorruptArtifactError) as error:
        context.log.warning("the candidate is not compared with simple models: %s", error)
        return ()
    return fit_baselines(features, snapshot, context.store, ThresholdRule.of(context.pipeline))


def _evaluate(
    context: StageContext,
    candidate: Candidate,
    snapshot: Snapshot,
    champion: int | None,
    baselines: "Sequence[FittedBaseline]",
) -> "Evaluated":
    from taxiway.evaluation.evaluate import evaluate

    source = context.pipeline.source
    return evaluate(
        snapshot,
        load_version(context, candidate.model, candidate.version, candidate.files),
        _load_champion(context, candidate.model, champion) if champion is not None else None,
        model=candidate.model,
        label=source.label,
        gate=context.pipeline.gate,
        store=context.store,
        baselines=baselines,
        renamed=source.rename,
        joined={f"{join.prefix}{name}" for join in source.join.values() for name in join.columns},
    )


def load_version(context: StageContext, model: str, version: int, files: str | None = None) -> "LoadedModel":
    """Load a model version to score rows with it.

    Args:
        context: The run.
        model: The registered model.
        version: Its version.
        files: The digest that its files must have, so that the files in MLflow are those that are decided about; None if not known.

    Raises:
        UntrustedModelError: It needs types that Taxiway does not load.
        ModelLoadError: It was deleted in MLflow, or the team's code cannot load it.
    """
    from taxiway.evaluation.scoring import LoadedModel
    from taxiway.registry.load import load_trusted
    from taxiway.registry.version_tags import classes_from_tags, size_in, tags_of

    described = tags_of(context.registry, model, version)
    if described is None:
        raise ModelLoadError(f"{model} version {version} was deleted in MLflow")
    loaded = load_trusted(context.registry.tracking_uri, model, version, code=context.code, files=files)
    return LoadedModel(version, loaded, classes_from_tags(described), size_in(described), context.pipeline.source.rename)


def _load_champion(context: StageContext, model: str, version: int) -> "LoadedModel":
    from taxiway.registry.alias_moves import files_by_ledger

    try:
        return load_version(context, model, version, files_by_ledger(context.ledger, model, version))
    except (UntrustedModelError, ModelLoadError) as error:
        raise ChampionUnscorableError(f"champion version {version} cannot be loaded: {error}") from error
