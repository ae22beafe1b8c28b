"""A run that is cleared after its end: records of its first pass are not taken for those of the second."""

from datetime import UTC, datetime, timedelta

from stages.conftest import Site
from stages.seen import mlflow_status

from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import record_decision
from taxiway.lineage.outcomes import summaries
from taxiway.lineage.run_records import run_records
from taxiway.lineage.waivers import waiver
from taxiway.records import Outcome, RunSummary
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.close import close
from taxiway.stages.context import StageContext
from taxiway.stages.ingest import plan_ingest
from taxiway.stages.installation import Installation
from taxiway.stages.runner import STAGES
from taxiway.stages.runner.steps import STEPS, Progress
from taxiway.tracking.run import MlflowRun, refs_of


class Cleared:
    """A run of span 2 that can be cleared: each pass finds the MLflow run of the one before."""

    def __init__(self, installation: Installation, pipeline: Pipeline, run: str = "cleared") -> None:
        self.installation, self.pipeline = installation, pipeline
        self.run = f"{pipeline.name}/{run}"

    def a_pass(self, until: str = "push", *, failed: bool = False) -> RunSummary | None:
        """Run the stages up to `until`, and close the run; `failed` if the next stage crashes then."""
        made, pipeline = self.installation, self.pipeline
        recorder = MlflowRun.find_or_make(made.client, pipeline.experiment, self.run, {})
        context = StageContext(pipeline, made.store, recorder, made.client, self.run, made.services)
        progress = Progress(
            plan_ingest(
                context.source,
                pipeline.name,
                made.store,
                made.services.connect,
                now=datetime.now(UTC),
                requested="2",
                types=lambda: context.schema().types,
            )
        )
        for stage in STAGES[: STAGES.index(until) + 1] if until else ():
            if stage not in ("tune", "approval"):
                STEPS[stage](context, progress)
        return close(context, failed=failed)


def test_a_cleared_run_that_crashes_on_corrected_rows_decides_nothing(site: Site, installation: Installation) -> None:
    cleared = Cleared(installation, site.pipeline())
    first = cleared.a_pass()
    assert first is not None
    assert (first.outcome, first.version) == (Outcome.FIRST_CHAMPION, 1)
    site.arrive(2, signal=2)
    for last in ("ingest", "validate_data", "transform"):
        assert cleared.a_pass(last, failed=True) is None, f"the stage after {last} was killed"
        assert summaries(installation.store, cleared.pipeline.name) == (first,), "the corrected rows count as decided"
    assert mlflow_status(installation, cleared.pipeline) == ["FAILED"]
    again = cleared.a_pass()
    assert again is not None
    assert (again.version, again.attempt, again.again) == (2, 2, "the source has other rows")


def test_a_cleared_run_finds_its_own_promotion(site: Site, installation: Installation) -> None:
    cleared = Cleared(installation, site.pipeline())
    first = cleared.a_pass()
    assert first is not None
    assert cleared.a_pass("validate_model") == first, "nothing has changed"


def test_a_waiver_is_the_reason_of_the_attempt_after_it_alone(site: Site, installation: Installation) -> None:
    site.arrive(2, scale=1000, signal=0)
    pipeline = site.pipeline()
    stricter = pipeline.model_copy(update={"gate": pipeline.gate.model_copy(update={"thresholds": {"roc_auc": 0.7}})})
    blocked = Cleared(installation, pipeline).a_pass("validate_data", failed=True)
    assert blocked is not None
    report = run_records(installation.store, refs_of(installation.client.get_run(blocked.mlflow_run).data.tags)).report
    assert report is not None
    until = (datetime.now(UTC) + timedelta(days=9)).date()
    made = waiver(report, pipeline.name, "range:a", until=until, by="ann", via="command line", reason="another unit")
    record_decision(Ledger(installation.client, installation.services.ledger_keys), made)
    passes = [
        Cleared(installation, pipeline).a_pass("validate_model", failed=True),
        Cleared(installation, stricter).a_pass("validate_model", failed=True),
        Cleared(installation, pipeline, "other").a_pass("validate_model", failed=True),
    ]
    assert [(each.attempt, each.again) for each in passes if each is not None] == [
        (2, "waiver of ann: another unit"),
        (3, "the run was cleared"),
        (4, "somebody started a run for this span"),
    ]
