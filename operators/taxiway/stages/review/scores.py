"""Show the scores of a version that were withheld, which spends the evaluation rows."""

from dataclasses import replace
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.records.recorder import InMemoryRun
from taxiway.stages.review.pipeline import PipelineReview
from taxiway.tracking import tags
from taxiway.tracking.run import MlflowRun

if TYPE_CHECKING:
    from taxiway.lineage.verdicts import JudgedVersion
    from taxiway.stages.validate_model.judge import Judged


def show_scores(reviewed: PipelineReview, judged: "JudgedVersion", by: str) -> "Judged":
    """Score a version again on the rows of its verdict, and record all scores, and the gate report with them, in the MLflow run of then.

    That they are shown is recorded in the ledger first: other models can then no longer be decided by these rows under conditions.
    If all scores were shown before, nothing is written.

    Args:
        reviewed: The pipeline of the version.
        judged: The version with its verdict and records.
        by: Who wants to see them.

    Raises:
        TerminalError: A record or a model cannot be read, or the pipeline file has other rules than then and its rows are spent.
    """
    from taxiway.stages.validate_model.gate_report import Decided, log_gate_report
    from taxiway.stages.validate_model.judge import Judged, judge
    from taxiway.stages.validate_model.scoring import baselines_of

    then, records = judged.verdict, judged.records
    if records.evaluation is not None and not records.evaluation.withheld:
        return Judged(records.evaluation, then)
    if records.candidate is None or records.snapshot is None or records.report is None:
        why = "; ".join(records.unread) or "its run has not recorded the candidate, the snapshot and the report"
        raise TerminalError(f"{then.model} version {then.version} cannot be scored again: {why}")
    context = reviewed.opened()
    client = context.registry
    run = MlflowRun(client, judged.mlflow_run, client.get_run(judged.mlflow_run).info.experiment_id)
    was_shown = bool(run.tag(tags.SCORES_SHOWN))
    context = replace(context, recorder=InMemoryRun() if was_shown else run, run=by)
    candidate, snapshot, report = records.candidate, records.snapshot, records.report
    simple = baselines_of(context, candidate, snapshot)
    shown = judge(context, candidate, snapshot, report, then.champion, simple, show="exact")
    if not was_shown:
        decided = Decided(candidate, snapshot, report, shown.evaluation, shown.verdict)
        log_gate_report(context, decided, run.logged())
        run.tags({tags.SCORES_SHOWN: by})
    return shown
