"""Ingest: the next span to decide on, and the spans before it, into the store."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from taxiway.errors import ConfigError, TerminalError, allowed_values
from taxiway.hooks.sources import reader_of, source_of, spans_of, with_versions
from taxiway.operators.base import StageOperator, dag_run_of
from taxiway.records import Snapshot

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.data.plan import Plan
    from taxiway.lineage.run import MlflowRun


SPAN_NAME_TAG = "taxiway.span_name"
BACKFILL = "backfill"
_POLL_SECONDS = 2.0


_LONGEST_WAIT = timedelta(hours=12)


class IngestOperator(StageOperator):
    """Take the oldest span that is not decided yet, with the window before it; skip the run where there is none.

    A run of a backfill takes the newest span that had ended by its date instead. A run with a date waits, without a worker slot,
    until no run of an earlier date is under way: Airflow runs the runs of a backfill side by side.

    :param span: the name of the span to evaluate on, instead of the oldest undecided one
    """

    template_fields = ("span",)

    def __init__(self, *, span: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.span = span

    def execute(self, context: "Context") -> dict[str, str]:
        """Skip before an MLflow run is opened where nothing is to be done."""
        try:
            check_conf(context["dag_run"].conf or {}, context["dag"].params)
            self._wait_for_earlier_run(context)
            self._plan = self._look(context)
        except TerminalError as error:
            raise AirflowFailException(str(error)) from error
        return super().execute(context)

    def resume(self, context: "Context", event: Mapping[str, Any]) -> dict[str, str]:
        """Called when the run of an earlier date is over: there may be one more."""
        return self.execute(context)

    def run(self, run: "MlflowRun", context: "Context") -> Snapshot:
        from taxiway.data.ingest import ingest
        from taxiway.data.reading import reading_of
        from taxiway.lineage.outcomes import changed_since

        source = self.pipeline.source
        made = ingest(
            self._plan.spans,
            pipeline=self.pipeline.name,
            source=source.text,
            store=self.store,
            read=reader_of(source_of(self.pipeline), self._text_columns()),
            reading=reading_of(source, self._rights),
        )
        run.datasets(made.training, "training")
        run.datasets(made.evaluation, "evaluation")
        run.joined(made)
        run.tags({"taxiway.span": made.decided.label, SPAN_NAME_TAG: made.decided.name})
        run.record(made)
        trains, evaluates = (", ".join(s.label for s in spans) for spans in (made.training, made.evaluation))
        self.log.info("trains on %s, evaluates on %s", trains, evaluates)
        for joined in made.joins:
            self.log.info("%s: %s of %s has a partner in %s", joined.name, f"{joined.share:.2%}", joined.span, joined.table)
        for note in self._plan.notes:
            self.log.warning("%s", note)
        changed = changed_since(self.store, made)
        if changed:
            self.log.warning("%s", "\n".join(changed))
            run.tags({"taxiway.changed_spans": "\n".join(changed)})
        return made

    def _text_columns(self) -> tuple[str, ...]:
        """The columns that the schema calls text: asked for where the files are text themselves and tell no types."""
        from taxiway.data.formats import known_format

        source = self.pipeline.source
        kind = source.format or (known_format(source.spans) if source.spans else None)
        return self.schema().text_columns if kind == "csv" else ()

    def _wait_for_earlier_run(self, context: "Context") -> None:
        ti: Any = context["ti"]
        earlier = ti.get_previous_dagrun(state="running")
        if earlier is None:
            return
        from airflow.providers.standard.triggers.external_task import DagStateTrigger

        self.log.info("waits for the run of the earlier date, %s: runs of a pipeline go one after another", earlier.run_id)
        over: Any = ["success", "failed"]
        trigger = DagStateTrigger(ti.dag_id, states=over, run_ids=[earlier.run_id], poll_interval=_POLL_SECONDS)
        # A run that was deleted is never over: a task whose wait times out is tried again, and looks anew.
        self.defer(trigger=trigger, method_name="resume", timeout=_LONGEST_WAIT)

    def _look(self, context: "Context") -> "Plan":
        from taxiway.data.plan import newest_plan, plan_as_of, plan_window
        from taxiway.data.rights import find_rights, waiting
        from taxiway.lineage.outcomes import decided_spans

        source, decided = source_of(self.pipeline), decided_spans(self.store, self.pipeline.name)
        found, self._rights = spans_of(source, decided=decided, now=datetime.now(UTC)), find_rights(source)
        waits = waiting(found, self._rights)
        # Corrected rows are looked for where a run that reads them could still be the newest, and in what this run reads.
        newest = {span.name: span for span in with_versions(source, newest_plan(found, source, waits))}
        found = tuple(newest.get(span.name, span) for span in found)
        requested, moment = self.span or self._span_of_first_pass(context), _moment_of_backfill(context)
        if moment is None or requested:
            plan = plan_window(found, source, decided=decided, requested=requested or None, waiting=waits)
        else:
            ti: Any = context["ti"]
            earlier = ti.get_previous_dagrun()
            before = (earlier.data_interval_end or earlier.logical_date) if earlier else None
            plan = plan_as_of(found, source, moment=moment, before=before, waiting=waits)
        if not plan.spans:
            raise AirflowSkipException(f"nothing to do at {source.text}: {plan.reason}")
        return replace(plan, spans=with_versions(source, plan.spans))

    def _span_of_first_pass(self, context: "Context") -> str:
        """The span that this DAG run took when it ran before it was cleared: a run keeps its span."""
        from taxiway.lineage.run import MlflowRun

        ti: Any = context["ti"]
        if ti.try_number == 1:
            return ""  # MLflow is not asked by a run that may have nothing to do
        run = MlflowRun.find(self.mlflow(), self.pipeline.experiment, dag_run_of(context))
        return run.tag(SPAN_NAME_TAG) if run else ""


def _moment_of_backfill(context: "Context") -> datetime | None:
    """Up to when the run of a backfill sees data: the end of its data interval. None for every other run."""
    run = context["dag_run"]
    return (run.data_interval_end or run.logical_date) if run.run_type == BACKFILL else None


def check_conf(conf: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Raise ConfigError where a run was started with a key that is no parameter of its DAG: nothing would obey it."""
    for key in conf:
        if key not in params:
            raise ConfigError(
                f'the run was started with "{key}" in its conf, which is no parameter of this DAG\n    {allowed_values(key, params)}'
            )
