"""A batch of predictions as an MLflow run, which a repetition of the batch finds again."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.lineage.batches import EXPERIMENT
from taxiway.messages import clipped, listed
from taxiway.records import DataReport, JoinMatch
from taxiway.records.batch import Batch
from taxiway.stages.batch.version import Version
from taxiway.tracking import tags
from taxiway.tracking.run import MlflowRun, experiment_id, short_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

    from taxiway.data.engine.duckdb_table import Table

SCORING_CONTEXT = "scoring"
_LONGEST = 1000
_MAX_FILES = 100
"""How many files of a batch are inputs of their own; the data as a whole always is one."""


@dataclass(frozen=True)
class BatchRecorder:
    """Records one batch as an MLflow run of the experiment of batches.

    Attributes:
        client: The MLflow client.
        version: The version that scores.
        folder: The folder where the predictions can be found when they are finished.
        report: The DataReport of the data; None if it was not checked.
        joins: The tables that were joined to the rows.
        tags: Further tags of the run.
        opened: Called with the URL of the run before rows are scored.
    """

    client: "MlflowClient"
    version: Version
    folder: Path
    report: DataReport | None = None
    joins: tuple[JoinMatch, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    opened: Callable[[str], None] = lambda _url: None

    @contextmanager
    def recorded(self, batch: Batch, table: "Table") -> Iterator[Batch]:
        """Record a batch while the block scores it: the run ends with the block.

        Yields:
            The batch, with the id of its run and the verdict on its data.
        """
        run = self._find_or_make(batch)
        try:
            self.opened(run.url)
            self._log_inputs(run, batch, table)
            if self.report is not None:
                run.record(self.report)
            yield batch.model_copy(update={"run": run.run_id, **self._verdict()})
            run.metrics({tags.BATCH_ROWS: batch.rows})
        except BaseException:
            with suppress(Exception):  # what ends the batch matters more
                run.end("FAILED")
            raise
        run.end("FINISHED")

    def _verdict(self) -> dict[str, str]:
        return {} if self.report is None else {"validation": str(self.report.status), "report": self.report.digest}

    def _find_or_make(self, batch: Batch) -> MlflowRun:
        key = batch.key(str(self.folder.absolute()))
        experiment = experiment_id(self.client, EXPERIMENT)
        found = self.client.search_runs(
            [experiment], f"tags.`{tags.BATCH}` = '{key}'", order_by=["attributes.start_time"], max_results=1
        )
        if found:
            run = MlflowRun(self.client, found[0].info.run_id, experiment)
            run.reopen()
            run.tags(self._tags(batch))
            return run
        name = short_name(f"{batch.model} version {batch.version}: {clipped(batch.data, _LONGEST)}")
        made = self.client.create_run(experiment, run_name=name, tags={**self._tags(batch), tags.BATCH: key})
        return MlflowRun(self.client, made.info.run_id, experiment)

    def _tags(self, batch: Batch) -> dict[str, str]:
        checked = f"; its data is {self.report.status} by the schema {self.report.schema_version}" if self.report else ""
        known = {
            tags.BATCH_FILES: batch.files,
            tags.BATCH_TRAINING_RUN: self.version.training_run,
            tags.BATCH_VALIDATION: self._verdict().get("validation"),
        }
        return {
            tags.BATCH_MODEL: batch.model,
            tags.BATCH_VERSION: str(batch.version),
            tags.BATCH_DATA: clipped(batch.data, _LONGEST),
            tags.BATCH_DATA_DIGEST: batch.data_digest,
            tags.BATCH_KEYS: json.dumps(batch.keys),
            tags.BATCH_FOLDER: str(self.folder.absolute()),
            tags.BATCH_HOST: socket.gethostname(),
            tags.NOTE: f"Predictions of {batch.model} version {batch.version} for {listed([clipped(batch.data, _LONGEST)])}{checked}.",
            **{tag: value for tag, value in known.items() if value},
            **self.tags,
        }

    def _log_inputs(self, run: MlflowRun, batch: Batch, table: "Table") -> None:
        """Log the version's model, the data as a whole, each of its files and joined tables, by the digests of their contents."""
        from mlflow.entities import LoggedModelInput

        files = tuple(zip(table.paths, table.file_digests, strict=True))[:_MAX_FILES]
        names = table.file_names or {}
        read = [(batch.data, batch.data_digest), *((names.get(path, path.name), digest) for path, digest in files)]
        scored = [_input(name, digest, batch.data, SCORING_CONTEXT) for name, digest in dict.fromkeys(read)]
        joined = [_input(join.name, join.content, join.table, "joined") for join in self.joins]
        models = [LoggedModelInput(self.version.model_id)] if self.version.model_id else None
        self.client.log_inputs(run.run_id, [*scored, *joined], models)


def _input(name: str, digest: str, source: str, context: str) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name=clipped(name, _LONGEST // 2), digest=digest, source_type="taxiway", source=clipped(source, _LONGEST))
    return DatasetInput(dataset, [InputTag(tags.DATA_CONTEXT, context)])
