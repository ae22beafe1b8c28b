"""Validate model: evaluates candidate and champion on the same rows, and lets the model gate decide."""

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
from taxiway.records import Candidate, DataReport, Evaluation, FeatureSet, Snapshot, Status, Verdict
from taxiway.stages.context import StageContext, bullets
from taxiway.stages.gate_report import Decided, log_gate_report
from taxiway.tracking import tags

if TYPE_CHECKING:
    from taxiway.evaluation.baselines.fit import FittedBaseline
    from taxiway.evaluation.scoring import LoadedModel


def validate_model(context: StageContext, candidate: Candidate, snapshot: Snapshot, report: DataReport) -> Verdict | None:
    """Evaluate the candidate against the champion, and decide whether it passes the model gate.

    Args:
        context: The run.
        candidate: The trained model version.
        snapshot: The snapshot whose evaluation rows are used.
        report: The DataReport of the snapshot.

    Returns:
        The verdict; None if the candidate is already the champion.

    Raises:
        UntrustedModelError: The candidate needs types that Taxiway does not load.
        DataError: The evaluation rows lack a label.
    """
    from taxiway.registry.alias_moves import champion_now

    champion = champion_now(context.ledger, candidate.model)
    if champion == candidate.version:
        _repeat_promotion(context, candidate)
        return None
    evaluation, verdict = judge(context, candidate, snapshot, report, champion, _baselines(context, candidate, snapshot))
    context.store.put(evaluation)
    context.recorder.record(verdict)
    context.registry.set_model_version_tag(verdict.model, str(verdict.version), tags.VERDICT, verdict.status)
    logged = context.recorder.logged()
    reasons = [f"{r.status}: {r.message}" for r in verdict.reasons]
    if evaluation.baselines:
        reasons.append(f"{Status.INFO}: {logged.tags.get(tags.COSTS, '')}")
    context.log.info("%s\n%s", verdict.status, bullets(reasons))
    log_gate_report(context, Decided(candidate, snapshot, report, evaluation, verdict), logged)
    return verdict


def judge(
    context: StageContext,
    candidate: Candidate,
    snapshot: Snapshot,
    report: DataReport,
    champion: int | None,
    baselines: "Sequence[FittedBaseline]" = (),
) -> tuple[Evaluation, Verdict]:
    """Evaluate a version against a champion, and let the model gate decide; only the recorder of the run is written to.

    Args:
        context: The run.
        candidate: The model version.
        snapshot: The snapshot whose evaluation rows are used.
        report: The DataReport of the snapshot.
        champion: The version to compare with; None for none.
        baselines: Simple models to compare it with.

    Raises:
        UntrustedModelError: The version needs types that Taxiway does not load.
        DataError: The evaluation rows lack a label.
    """
    from taxiway.gates.model_gate import UnscorableChampion, decide
    from taxiway.ledger.decisions import decisions
    from taxiway.registry.promote import older_data_reason

    older = older_data_reason(context.registry, candidate.model, candidate.version, champion)
    evaluation, unscorable = _evaluate_with(context, candidate, snapshot, None if older is not None else champion, baselines)
    verdict = decide(
        candidate,
        report,
        evaluation,
        context.pipeline.gate,
        today=context.clock().date(),
        older_data_reason=older,
        unscorable=UnscorableChampion(champion, unscorable) if champion is not None and unscorable is not None else None,
        decisions=decisions(context.ledger, about=report.digest),
    )
    return evaluation, verdict


def load_version(context: StageContext, model: str, version: int, files: str | None = None) -> "LoadedModel":
    """Load a model version to score rows with it.

    Args:
        context: The run.
        model: The registered model.
        version: Its version.
        files: The digest that its files must have, so that the files in MLflow are those that are decided about; None if not known.

    Raises:
        UntrustedModelError: It needs types that Taxiway does not load.
    """
    from taxiway.evaluation.scoring import LoadedModel
    from taxiway.registry.described import classes_in, size_in
    from taxiway.registry.load import load_trusted

    loaded = load_trusted(context.registry.tracking_uri, model, version, code=context.code, files=files)
    described = context.registry.get_model_version(model, str(version)).tags
    return LoadedModel(version, loaded, classes_in(described), size_in(described), context.pipeline.source.rename)


def failure_reason(verdict: Verdict) -> str | None:
    """Why the pipeline stops at this verdict; None if it continues."""
    if verdict.status is Status.PASS:
        return None
    reasons = [reason.message for reason in verdict.reasons if reason.status is verdict.status]
    return f"{verdict.model} version {verdict.version} stopped at the model gate ({verdict.status}):\n{bullets(reasons)}"


def already_champion(candidate: Candidate) -> str:
    """Why there is no verdict on a candidate that is the champion."""
    return f"version {candidate.version} is already the champion: nothing to decide"


def _repeat_promotion(context: StageContext, candidate: Candidate) -> None:
    """Record the promotion of this version in this run too: the run that promoted it may have been killed before its end."""
    from taxiway.ledger.entry import State
    from taxiway.ledger.promotions import entries

    for entry in entries(context.registry, candidate.model, state=State.DONE):
        if entry.promotion.to_version == candidate.version:
            context.store.put(entry.promotion)
            context.recorder.record(entry.promotion)
            return


def _evaluate_with(
    context: StageContext,
    candidate: Candidate,
    snapshot: Snapshot,
    champion: int | None,
    baselines: "Sequence[FittedBaseline]",
) -> tuple[Evaluation, str | None]:
    """The evaluation, and why the champion has no part in it although there is one; None if it has."""
    try:
        return _evaluate(context, candidate, snapshot, champion, baselines), None
    except ChampionUnscorableError as error:
        context.log.warning("%s; the candidate is evaluated alone", error)
        return _evaluate(context, candidate, snapshot, None, baselines), str(error)


def _load_champion(context: StageContext, model: str, version: int) -> "LoadedModel":
    from taxiway.registry.alias_moves import files_by_ledger

    try:
        return load_version(context, model, version, files_by_ledger(context.ledger, model, version))
    except (UntrustedModelError, ModelLoadError) as error:
        raise ChampionUnscorableError(f"champion version {version} cannot be loaded: {error}") from error


def _evaluate(
    context: StageContext,
    candidate: Candidate,
    snapshot: Snapshot,
    champion: int | None,
    baselines: "Sequence[FittedBaseline]",
) -> Evaluation:
    from taxiway.evaluation.evaluate import evaluate

    return evaluate(
        snapshot,
        load_version(context, candidate.model, candidate.version, candidate.files),
        _load_champion(context, candidate.model, champion) if champion is not None else None,
        model=candidate.model,
        label=context.pipeline.source.label,
        gate=context.pipeline.gate,
        store=context.store,
        recorder=context.recorder,
        baselines=baselines,
    )


def _baselines(context: StageContext, candidate: Candidate, snapshot: Snapshot) -> "tuple[FittedBaseline, ...]":
    from taxiway.evaluation.baselines.fit import fit_baselines
    from taxiway.evaluation.threshold import ThresholdRule

    try:
        features = context.store.get(FeatureSet, candidate.features)
    except (NotStoredError, UnreadableRecordError, CorruptArtifactError) as error:
        context.log.warning("the candidate is not compared with simple models: %s", error)
        return ()
    return fit_baselines(features, snapshot, context.store, ThresholdRule.of(context.pipeline))
