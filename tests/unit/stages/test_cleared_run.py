"""A run that is cleared after its end: records of its first pass are not taken for those of the second."""

from datetime import UTC, datetime

from stages.conftest import Site
from stages.seen import mlflow_status

from taxiway.lineage.outcomes import summaries
from taxiway.records import Outcome, RunSummary
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.close import close
from taxiway.stages.context import StageContext
from taxiway.stages.ingest import plan_ingest
from taxiway.stages.installation import Installation
from taxiway.stages.runner import STAGES
from taxiway.stages.runner.steps import STEPS, Progress
from taxiway.tracking.run import MlflowRun


class Cleared:
    """A run of span 2 that can be cleared: each pass finds the MLflow run of the one before."""

    def __init__(self, installation: Installation, pipeline: Pipeline) -> None:
        self.installation, self.pipeline = installation, pipeline
        self.run = f"{pipeline.name}/cleared"

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
