"""Validate model: candidate and champion on the same rows, and the gate's verdict."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from taxiway.operators.base import Input, StageOperator, sentences
from taxiway.records import Candidate, DataReport, Evaluation, Record, Snapshot, Status, Verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.lineage.run import MlflowRun


class ValidateModelOperator(StageOperator):
    """Evaluate the candidate against the champion and decide; the task fails unless the verdict is PASS.

    :param candidate: the reference of the Candidate that training made
    :param snapshot: the reference of the Snapshot that ingest made
    :param report: the reference of the DataReport of that snapshot
    """

    template_fields = ("candidate", "snapshot", "report")

    def __init__(self, *, candidate: Input, snapshot: Input, report: Input, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.candidate = candidate
        self.snapshot = snapshot
        self.report = report

    def run(self, run: "MlflowRun", context: "Context") -> Verdict:
        from taxiway.gates.model_gate import decide
        from taxiway.registry.aliases import CHAMPION, version_at
        from taxiway.registry.promote import older_than_champion

        candidate, report = self.read(Candidate, self.candidate), self.read(DataReport, self.report)
        champion = version_at(run.client, candidate.model, CHAMPION)
        if champion == candidate.version:
            self._repeat(run, candidate)
            raise AirflowSkipException(f"version {candidate.version} is the champion already: nothing is to be decided again")
        outdated = older_than_champion(run.client, candidate.model, candidate.version, champion)
        evaluation = self._evaluate(run, candidate, 0 if outdated else champion)
        self.store.put(evaluation)
        verdict = decide(candidate, report, evaluation, self.pipeline.gate, today=datetime.now(UTC).date(), outdated=outdated)
        run.record(verdict)
        run.client.set_model_version_tag(verdict.model, str(verdict.version), "taxiway.verdict", verdict.status)
        self.log.info("%s\n%s", verdict.status, sentences([f"{r.status}: {r.sentence}" for r in verdict.reasons]))
        return verdict

    def refusal(self, record: Record) -> str:
        assert isinstance(record, Verdict)
        if record.status is Status.PASS:
            return ""
        grounds = [r.sentence for r in record.reasons if r.status is record.status]
        return f"{record.model} version {record.version} is not let on, {record.status}:\n{sentences(grounds)}"

    def _repeat(self, run: "MlflowRun", candidate: Candidate) -> None:
        """Say in this run too how its model became champion: the run that did it may have broken before its end."""
        from taxiway.registry.ledger import State, entries

        for entry in entries(run.client, candidate.model):
            if entry.state is State.DONE and entry.promotion.to_version == candidate.version:
                self.store.put(entry.promotion)
                run.record(entry.promotion)
                return

    def _evaluate(self, run: "MlflowRun", candidate: Candidate, champion: int) -> Evaluation:
        from taxiway.evaluation.evaluate import LoadedModel, evaluate
        from taxiway.lineage.models import classes_of, load_trusted

        uri = run.client.tracking_uri

        def loaded(version: int) -> LoadedModel:
            classes = classes_of(run.client, candidate.model, version)
            return LoadedModel(version, load_trusted(uri, candidate.model, version), classes)

        return evaluate(
            self.read(Snapshot, self.snapshot),
            loaded(candidate.version),
            loaded(champion) if champion else None,
            model=candidate.model,
            label=self.pipeline.source.label,
            gate=self.pipeline.gate,
            store=self.store,
            recorder=run,
        )
