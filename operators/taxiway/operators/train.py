"""Train: a registered model version, once for the same rows, transform, report and parameters."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import XComArg

from taxiway.errors import ConfigError
from taxiway.operators.base import Input, StageOperator, parse_params, sentences
from taxiway.records import Candidate, DataReport, FeatureSet, Snapshot, SweepPlan, SweepReport, Trials

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.lineage.run import MlflowRun


_SHOWN = 10


class TrainOperator(StageOperator):
    """Train the pipeline's estimator and register it; a retry finds the version that the first try registered.

    :param snapshot: the reference of the Snapshot that ingest made
    :param report: the reference of the DataReport that the model is trained under
    :param features: the reference of the FeatureSet to train on
    :param model_params: parameters over those of the pipeline file, a mapping or its JSON text
    :param trials: the references of the Trials of a sweep, whose best parameters are taken; none without a sweep
    """

    template_fields = ("snapshot", "report", "features", "model_params", "trials")

    def __init__(
        self,
        *,
        snapshot: Input,
        report: Input,
        features: Input,
        model_params: Mapping[str, Any] | str = "{}",
        trials: Iterable[Input] | XComArg = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.snapshot = snapshot
        self.report = report
        self.features = features
        self.model_params = model_params
        self.trials = trials

    def run(self, run: "MlflowRun", context: "Context") -> Candidate:
        from taxiway.lineage.models import find_version
        from taxiway.training.train import candidate_key

        features, report = self.read(FeatureSet, self.features), self.read(DataReport, self.report)
        sweep = self._sweep_report(run)
        overrides = {**(json.loads(sweep.best.params) if sweep else {}), **parse_params(self.model_params)}
        key = candidate_key(features, report.digest, self.pipeline.model, overrides)
        version = find_version(run.client, self.pipeline.name, key)
        if version is None:
            version = self._train(run, features, overrides, key)
        else:
            self.log.info("version %d was registered for exactly this candidate before: nothing is trained again", version)
        made = Candidate(
            model=self.pipeline.name,
            version=version,
            snapshot=features.snapshot,
            report=report.digest,
            features=features.digest,
            schema_version=features.schema_version,
            estimator=self.pipeline.model.estimator or Path(str(self.pipeline.model.build)).name,
            params=json.dumps({**self.pipeline.model.params, **overrides}, sort_keys=True),
            sweep=sweep.digest if sweep else "",
        )
        run.record(made)
        run.tags({"taxiway.version": str(version)})
        return made

    def _sweep_report(self, run: "MlflowRun") -> SweepReport | None:
        """The trials of the sweep, the best one first; None where the pipeline has no sweep."""
        if self.pipeline.sweep is None:
            return None
        from taxiway.tuning.trials import choose, words

        # Airflow has put the references in the place of an XComArg before a task runs.
        parts = [] if isinstance(self.trials, XComArg) else [self.read(Trials, ref) for ref in self.trials]
        if not parts:
            raise ConfigError(f"{self.task_id} got no trials of the sweep; connect it to the tasks that run them")
        report = choose(self.store.get(SweepPlan, parts[0].plan), [trial for part in parts for trial in part.trials])
        self.store.put(report)
        run.record(report)
        run.metrics({"sweep.trials": len(report.trials), f"sweep.best_{report.metric}": report.best.score or 0.0})
        ranked = [f"{'failed' if t.score is None else f'{t.score:.4f}'}  {words(t.params)}" for t in report.trials[:_SHOWN]]
        self.log.info("best of %d trials by %s:\n%s", len(report.trials), report.metric, sentences(ranked))
        return report

    def _train(self, run: "MlflowRun", features: FeatureSet, overrides: dict[str, Any], key: str) -> int:
        from taxiway.data.rows import read_rows
        from taxiway.lineage.environment import code_commit, environment
        from taxiway.lineage.models import CLASSES_TAG, ModelToSave, register
        from taxiway.registry.promote import SPAN_TAG
        from taxiway.training.train import example_rows, train

        snapshot = self.read(Snapshot, self.snapshot)
        fitted = train(features, self.pipeline.model, overrides, store=self.store, recorder=run)
        example = example_rows(read_rows(snapshot.training[:1], self.store, list(features.columns)), features)
        tags = {
            "taxiway.snapshot": snapshot.digest,
            "taxiway.features": features.digest,
            "taxiway.environment": environment(),
            "taxiway.code": code_commit(Path(self.pipeline.schema_file).parent),
            CLASSES_TAG: json.dumps(features.classes),
            SPAN_TAG: snapshot.decided.label,
        }
        params = {name: str(value) for name, value in {**self.pipeline.model.params, **overrides}.items()}
        version = register(run.client, run.run_id, self.pipeline.name, ModelToSave(fitted, example, key, tags, params))
        self.log.info("registered %s version %d", self.pipeline.name, version)
        return version
