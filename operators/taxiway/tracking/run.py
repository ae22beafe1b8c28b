"""The MLflow run of a DAG run: found by a tag, or created; all tasks write to it, and one task ends it."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from taxiway.credentials import without_credentials
from taxiway.errors import TransientError
from taxiway.messages import clipped
from taxiway.records import Record, RecordRef, Snapshot, Span
from taxiway.records.recorder import Logged, RunStatus
from taxiway.store import temp_folder
from taxiway.tracking import tags as tag_names
from taxiway.tracking.paging import all_pages

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MAX_METRICS = 1_000
"""The most that MLflow accepts in a request."""

_LONGEST_NAME = 250
"""The most that MLflow stores in PostgreSQL."""


def _now() -> datetime:
    return datetime.now(UTC)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


class MlflowRun:
    """The MLflow run of a DAG run, as a Recorder.

    Args:
        client: The MLflow client.
        run_id: The id of the run.
        experiment_id: The id of its experiment.
        clock: Returns the current time, which is that of what is logged.
    """

    def __init__(self, client: "MlflowClient", run_id: str, experiment_id: str, clock: Callable[[], datetime] = _now) -> None:
        self.client = client
        self.run_id = run_id
        self.experiment_id = experiment_id
        self.clock = clock

    @classmethod
    def find(
        cls, client: "MlflowClient", experiment: str, dag_run: str, clock: Callable[[], datetime] = _now
    ) -> "MlflowRun | None":
        """The MLflow run of a DAG run (`DAG/RUN`) in an experiment, by the experiment's name; None if there is none."""
        known = client.get_experiment_by_name(experiment)
        if known is None:
            return None
        runs = client.search_runs(
            [known.experiment_id], f"tags.`{tag_names.DAG_RUN}` = '{dag_run}'", order_by=["attributes.start_time"]
        )
        return cls(client, runs[0].info.run_id, known.experiment_id, clock) if runs else None

    def nested(self, key: str, name: str) -> "MlflowRun":
        """The nested run of a trial; created if there is none.

        Args:
            key: The digest of the trial's key.
            name: The name of the nested run.
        """
        tags = {tag_names.PARENT_RUN: self.run_id, tag_names.TRIAL: key}
        filters = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
        runs = self.client.search_runs([self.experiment_id], filters, order_by=["attributes.start_time"])
        if runs:
            found = MlflowRun(self.client, runs[0].info.run_id, self.experiment_id, self.clock)
            found.reopen()
            return found
        made = self.client.create_run(
            self.experiment_id, start_time=_milliseconds(self.clock()), run_name=short_name(name), tags=tags
        )
        return MlflowRun(self.client, made.info.run_id, self.experiment_id, self.clock)

    def end_nested(self, status: RunStatus) -> None:
        """End the nested runs that a killed task left open."""
        left = f"tags.`{tag_names.PARENT_RUN}` = '{self.run_id}' and attributes.status = 'RUNNING'"
        for child in all_pages(lambda token: self.client.search_runs([self.experiment_id], left, page_token=token)):
            MlflowRun(self.client, child.info.run_id, self.experiment_id, self.clock).end(status)

    def reopen(self) -> None:
        """Set the run's status to RUNNING, in case a cleared task runs again after the end."""
        if self.client.get_run(self.run_id).info.status != "RUNNING":
            self.client.update_run(self.run_id, status="RUNNING")

    @classmethod
    def find_or_make(
        cls,
        client: "MlflowClient",
        experiment: str,
        dag_run: str,
        tags: Mapping[str, str],
        clock: Callable[[], datetime] = _now,
    ) -> "MlflowRun":
        """The MLflow run of a DAG run; created with these tags if there is none."""
        found = cls.find(client, experiment, dag_run, clock)
        if found is not None:
            found.reopen()
            return found
        found_id = experiment_id(client, experiment)
        run = client.create_run(
            found_id,
            start_time=_milliseconds(clock()),
            run_name=short_name(dag_run.partition("/")[2]),
            tags={**tags, tag_names.DAG_RUN: dag_run},
        )
        return cls(client, run.info.run_id, found_id, clock)

    @property
    def url(self) -> str:
        """The run's page in MLflow's web interface."""
        return run_url(self.client.tracking_uri, self.experiment_id, self.run_id)

    def end(self, status: RunStatus) -> None:
        """End the run; only one task of a DAG run does this."""
        # MLflow would print the run's URL, which is already the first line of the log.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        self.client.set_terminated(self.run_id, status, _milliseconds(self.clock()))

    def tag(self, name: str) -> str:
        """The value of a tag; empty if it is not set."""
        return str(self.client.get_run(self.run_id).data.tags.get(name, ""))

    def logged(self) -> Logged:
        """The metrics and tags that were logged so far; takes one request."""
        run = self.client.get_run(self.run_id)
        return Logged(run.data.metrics, run.data.tags, run.info.artifact_uri)

    def refs(self) -> tuple[RecordRef, ...]:
        """The references of the records that have been recorded so far."""
        return refs_of(self.client.get_run(self.run_id).data.tags)

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log metrics, all in one request."""
        self._batch(values, {})

    def history(self, values: Mapping[str, Mapping[int, float]]) -> None:
        """Log metrics with steps, 1,000 values in a request. Their time is the start of the run, so that a repetition adds nothing."""
        from mlflow.entities import Metric

        start = self.client.get_run(self.run_id).info.start_time
        logged = [Metric(name, value, start, step) for name, steps in values.items() for step, value in steps.items()]
        for first in range(0, len(logged), _MAX_METRICS):
            self.client.log_batch(self.run_id, metrics=logged[first : first + _MAX_METRICS])

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters. MLflow cannot change one, so a cleared task's new value becomes a tag `taxiway.changed.NAME`."""
        from mlflow.entities import Param
        from mlflow.exceptions import MlflowException

        texts = {name: str(value) for name, value in values.items()}
        try:
            self.client.log_batch(self.run_id, params=[Param(name, value) for name, value in texts.items()])
            return
        except MlflowException as error:
            if error.error_code != "INVALID_PARAMETER_VALUE":  # of a parameter that was logged with another value
                raise
        known = self.client.get_run(self.run_id).data.params
        if new := [Param(name, value) for name, value in texts.items() if name not in known]:
            self.client.log_batch(self.run_id, params=new)
        changed = {
            f"{tag_names.CHANGED_PARAM_PREFIX}{name}": value for name, value in texts.items() if known.get(name, value) != value
        }
        if changed:
            self.tags(changed)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags."""
        self._batch({}, values)

    def _batch(self, metrics: Mapping[str, float], tags: Mapping[str, str]) -> None:
        from mlflow.entities import Metric, RunTag

        now = _milliseconds(self.clock())
        self.client.log_batch(
            self.run_id,
            metrics=[Metric(name, float(value), now, 0) for name, value in metrics.items()],
            tags=[RunTag(name, short_name(value) if name == tag_names.RUN_NAME else value) for name, value in tags.items()],
        )

    def datasets(self, spans: tuple[Span, ...], context: str) -> None:
        """Log spans as dataset inputs; `context` is what they were read for: `training`, `evaluation` or `tuning`."""
        self._inputs(
            [
                (
                    span.name,
                    span.content,
                    span.source,
                    {tag_names.DATA_CONTEXT: context, tag_names.SPAN_VERSION: str(span.version)},
                )
                for span in spans
            ]
        )

    def joined(self, snapshot: Snapshot) -> None:
        """Log the tables that were joined to a snapshot's spans as dataset inputs, each file once."""
        tables = {(found.name, found.content): found.table for found in snapshot.joins}
        self._inputs([(name, content, table, {tag_names.DATA_CONTEXT: "joined"}) for (name, content), table in tables.items()])

    def _inputs(self, read: Sequence[tuple[str, str, str, Mapping[str, str]]]) -> None:
        """Log dataset inputs: name, digest, source and tags of each."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Dataset(name=name, digest=digest, source_type="taxiway", source=source),
                [InputTag(key, value) for key, value in tags.items()],
            )
            for name, digest, source, tags in read
        ]
        if inputs:
            self.client.log_inputs(self.run_id, inputs)

    def record(
        self, record: Record, *, metrics: Mapping[str, float] | None = None, tags: Mapping[str, str] | None = None
    ) -> None:
        """Log a record as the artifact `records/KIND.json`, and in one request its digest as a tag, metrics, and other tags."""
        kind = type(record).__name__
        self.client.log_text(self.run_id, record.to_json(), f"records/{kind}.json")
        self._batch(metrics or {}, {**(tags or {}), f"{tag_names.RECORD_PREFIX}{kind}": record.digest})

    def files(self, folder: str, contents: Mapping[str, bytes]) -> None:
        """Log files, by their names below a folder of the run's artifacts."""
        with temp_folder("files") as place:
            for name, content in contents.items():
                (place / name).write_bytes(content)
            self.client.log_artifacts(self.run_id, str(place), folder)


def end_abandoned(client: "MlflowClient", experiment: str) -> None:
    """End the open runs of an experiment as FAILED; only for an MLflow that no other process uses."""
    known = client.get_experiment_by_name(experiment)
    if known is None:
        return
    left = "attributes.status = 'RUNNING'"
    for run in all_pages(lambda token: client.search_runs([known.experiment_id], left, page_token=token)):
        MlflowRun(client, run.info.run_id, known.experiment_id).end("FAILED")


def refs_of(tags: Mapping[str, str]) -> tuple[RecordRef, ...]:
    """The references of records in the tags of an MLflow run."""
    return tuple(
        RecordRef(record=name.removeprefix(tag_names.RECORD_PREFIX), digest=value)
        for name, value in tags.items()
        if name.startswith(tag_names.RECORD_PREFIX)
    )


def short_name(name: str) -> str:
    """The name of an MLflow run, clipped if it is too long for MLflow's database."""
    return name if len(name) <= _LONGEST_NAME else clipped(name, _LONGEST_NAME - len("..."))


def run_url(tracking_uri: str, experiment_id: str, run_id: str) -> str:
    """The URL of a run's page on an MLflow server, without credentials."""
    return f"{without_credentials(tracking_uri).rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"


def experiment_id(client: "MlflowClient", name: str) -> str:
    """The id of an experiment; the experiment is created if it does not exist.

    Raises:
        TransientError: MLflow reports that the experiment exists, but does not return it.
    """
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(name, tags={tag_names.EXPERIMENT_KIND: tag_names.MODEL_DEVELOPMENT}))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    known = client.get_experiment_by_name(name)
    if known is None:
        raise TransientError(
            f"MLflow reports that the experiment {name} exists, but does not return it; if it was deleted, restore it in MLflow"
        )
    return str(known.experiment_id)
