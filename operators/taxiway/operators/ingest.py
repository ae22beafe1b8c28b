"""Ingest: the next span to decide on, and the spans before it, into the store."""

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from taxiway.hooks.settings import source_pattern
from taxiway.operators.base import StageOperator
from taxiway.records import Snapshot

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.data.spans import FoundSpan
    from taxiway.lineage.run import MlflowRun


SPAN_NAME_TAG = "taxiway.span_name"


class IngestOperator(StageOperator):
    """Take the oldest span that is not decided yet, with the window before it; skip the run where there is none.

    :param span: the name of the span to evaluate on, instead of the oldest undecided one
    """

    template_fields = ("span",)

    def __init__(self, *, span: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.span = span

    def execute(self, context: "Context") -> dict[str, str]:
        """Skip before an MLflow run is opened where nothing is to be done."""
        self._plan = self._look(self.span or self._span_of_first_pass(context))
        return super().execute(context)

    def run(self, run: "MlflowRun", context: "Context") -> Snapshot:
        from taxiway.data.ingest import ingest

        made = ingest(self._plan, pipeline=self.pipeline.name, source=self.pipeline.source.spans, store=self.store)
        run.datasets(made.training, "training")
        run.datasets(made.evaluation, "evaluation")
        run.tags({"taxiway.span": made.newest.label, SPAN_NAME_TAG: made.newest.name})
        run.record(made)
        self.log.info("trains on %s, evaluates on %s", ", ".join(s.label for s in made.training), made.newest.label)
        return made

    def _span_of_first_pass(self, context: "Context") -> str:
        """The span that this DAG run took when it ran before it was cleared: a run keeps its span."""
        from taxiway.lineage.run import MlflowRun

        ti: Any = context["ti"]
        run = MlflowRun.find(self.mlflow(), self.pipeline.experiment, f"{ti.dag_id}/{ti.run_id}")
        return run.tag(SPAN_NAME_TAG) if run else ""

    def _look(self, requested: str) -> "tuple[FoundSpan, ...]":
        from airflow.sdk.exceptions import AirflowFailException

        from taxiway.data.ingest import plan_window
        from taxiway.data.spans import find_spans
        from taxiway.errors import TerminalError
        from taxiway.lineage.outcomes import decided_spans

        try:
            pattern = source_pattern(self.pipeline)
            plan = plan_window(
                find_spans(pattern),
                window=self.pipeline.source.window,
                decided=decided_spans(self.store, self.pipeline.name),
                requested=requested or None,
            )
        except TerminalError as error:
            raise AirflowFailException(str(error)) from error
        if plan is None:
            raise AirflowSkipException(
                f"nothing to do: no undecided span of {pattern} has {self.pipeline.source.window} spans before it"
            )
        return plan
