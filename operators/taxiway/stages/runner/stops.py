"""Stages before which a local run stops although nothing has failed."""

from taxiway.stages.context import StageContext
from taxiway.stages.installation import Sharing
from taxiway.stages.runner.steps import Progress, needed


def stop_before(name: str, progress: Progress, context: StageContext, sharing: Sharing) -> str | None:
    """Why the run cannot continue with this stage although nothing failed."""
    if name == "approval":
        return _unanswered(context, progress)
    if name != "shadow":
        return None
    verdict = progress.records.verdict
    if verdict is None:
        from taxiway.stages.validate_model import already_champion

        return already_champion(needed(progress.records.candidate))
    passed = f"version {verdict.version} passed the model gate but is not pushed"
    if sharing is Sharing.MLFLOW:
        return f"{passed}: its records are only on this machine. Give the store that belongs to the MLflow server: --store URL"
    if sharing is Sharing.ALL and context.pipeline.shadow is not None and verdict.champion is not None:
        return f"{passed}: the shadow needs live requests, which a local run does not have. Run the pipeline in Airflow; the span stays due"
    return None


def _unanswered(context: StageContext, progress: Progress) -> str | None:
    """Why a run that needs an approval cannot continue; None if somebody has answered."""
    from taxiway.stages.approval import known_answer, needs_approval

    verdict = needed(progress.records.verdict)
    if not needs_approval(context.pipeline, verdict) or known_answer(context, verdict) is not None:
        return None
    return (
        f"version {verdict.version} passed its gates and waits for an approval; next: taxiway approve {verdict.model}/{verdict.version} "
        "--reason WHY, or taxiway reject"
    )
