"""Batch prediction: scores the rows of a span, of files or of a query into a folder of Parquet files."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk.exceptions import AirflowSkipException

from taxiway.hooks.mlflow import MlflowHook
from taxiway.hooks.scoring import scoring_context, source_to_score
from taxiway.operators.base import ReportingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.spec.source import Source


class BatchPredictOperator(ReportingOperator):
    """Score the oldest span of a source that this task has not scored; or files, or the rows of a query.

    A try after a crash continues the predictions that are there. Without a span to score, the task is skipped. It returns the
    folder, the version, the number of rows and the MLflow run of the predictions.

    Args:
        model: `MODEL` for its champion, `MODEL@ALIAS` or `MODEL/VERSION`.
        output_folder: The folder of the predictions; {data} is the folder of `[taxiway] data`, {SPAN} the span, {VERSION} its version.
        source: The source of spans, as the section `source` of a pipeline file without the keys for training; or `data`.
        span: With a source, the name of the span to score, scored or not; empty for the oldest that is not scored.
        data: A file, a pattern or a URL, which may begin with {data}; with `connection`, a query; or `source`.
        connection: The Airflow connection of the database of the query; None for files.
        keys: The columns that are copied to the predictions.
        schema: The schema file that the rows are checked against in the environment SERVING; None for no check.
        on_invalid_data: What happens if the rows do not pass: `fail`, or `continue`.
        rows_per_file: How many rows a Parquet file has.
        code: The folder of trusted code, for models of a team's own class.
    """

    template_fields = ("model", "output_folder", "span", "data", "connection")

    def __init__(
        self,
        *,
        model: str,
        output_folder: str,
        source: "Source | Mapping[str, Any] | None" = None,
        span: str = "",
        data: str | None = None,
        connection: str | None = None,
        keys: Sequence[str] = (),
        schema: str | None = None,
        on_invalid_data: Literal["fail", "continue"] = "fail",
        rows_per_file: int = 100_000,
        code: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model, self.output_folder = model, output_folder
        self.source, self.span = source, span
        self.data, self.connection = data, connection
        self.keys, self.schema, self.on_invalid_data = keys, schema, on_invalid_data
        self.rows_per_file, self.code = rows_per_file, code

    def execute(self, context: "Context") -> dict[str, Any]:
        """Score, and return where the predictions are; skip the task if the source has no span to score."""
        from taxiway.stages.batch.context import RowsToScore, ScoringSettings
        from taxiway.stages.batch.score import score

        settings = ScoringSettings(
            self.model, self.output_folder, tuple(self.keys), self.schema, self.on_invalid_data, self.rows_per_file, self.code
        )
        with self.reporting(context):
            scoring = scoring_context(context, self.mlflow_conn_id)
            source = source_to_score(self.source) if self.source is not None else None
            rows = RowsToScore(source, self.span or None, self.data, self.connection)
            found = score(scoring, settings, rows, retried=context["ti"].try_number > 1)
            if isinstance(found, str):
                raise AirflowSkipException(found)
            self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).public_url(found.url)
            made: dict[str, Any] = {**found.described(), "mlflow_url": self.mlflow_run_url}
            for asset in self.outlets:
                context["outlet_events"][asset].extra = made
            return made
