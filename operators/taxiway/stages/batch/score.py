"""Scoring: the rows of a span, of files or of a query are read, checked and scored into a folder, which appears when it is complete.

A retry after a crash continues the predictions that are there. Each scored span of a source is noted, so that the next run takes the
next one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.credentials import without_credentials
from taxiway.errors import ConfigError, DataError
from taxiway.records import span_label
from taxiway.records.batch import Batch
from taxiway.spec.scoring import index_name
from taxiway.stages.batch.context import RowsToScore, Scored, ScoringContext, ScoringSettings
from taxiway.stages.batch.predict import predict_batch
from taxiway.stages.batch.queries import open_rows, queried, query_name
from taxiway.stages.batch.recorder import BatchRecorder
from taxiway.stages.batch.version import Version, find_version, load_version, row_model
from taxiway.stages.context import bullets
from taxiway.stages.upstream import files_read, upstream_tags
from taxiway.tracking import tags

if TYPE_CHECKING:
    from taxiway.data.engine.duckdb_table import Table
    from taxiway.data.schema.model import Schema
    from taxiway.data.sources.reader import FoundSpan
    from taxiway.models.row_model import RowModel
    from taxiway.records import DataReport, JoinMatch
    from taxiway.spec.source import Source
    from taxiway.stages.ingest import IngestPlan


def score(context: ScoringContext, settings: ScoringSettings, rows: RowsToScore, *, retried: bool) -> Scored | str:
    """Score the rows of a span, of files or of a query.

    Args:
        context: The run.
        settings: How its rows are scored.
        rows: The rows.
        retried: Whether the run may have scored a span before, as when it was cleared; it then scores the same one.

    Returns:
        The predictions, or why there is nothing to score.

    Raises:
        ConfigError: The rows are not of one kind, the version or the span does not exist, a key is not a column, or the folder
            cannot be used.
        DataError: The rows cannot be read, did not pass the schema, or do not fit the model.
        TransientError: A file was removed or changed while it was read, the database does not answer, or another process scores
            the same rows.
    """
    from taxiway.data.sources.find import located

    if rows.source is not None and rows.data is None:
        source = located(rows.source, context.services.data)
        again = _span_of_run(context) if retried and rows.span is None else None
        plan = _plan(context, source, rows.span or again)
        if not plan.window.spans:
            return plan.nothing_to_do("give it as the parameter span")
        return _score_span(context, settings, source, plan)
    if rows.data is not None and rows.source is None:
        return _score_data(context, settings, rows.data, rows.connection)
    raise ConfigError(f"{context.name} needs exactly one of source and data")


def _plan(context: ScoringContext, source: "Source", requested: str | None) -> "IngestPlan":
    """Choose the span that a run scores: the oldest that is not scored, or the requested one."""
    from taxiway.stages.ingest import plan_ingest

    now, connect = datetime.now(UTC), context.services.connect
    return plan_ingest(source, index_name(context.name), context.store, connect, now=now, requested=requested)


def _span_of_run(context: ScoringContext) -> str | None:
    """The name of the span that this run has scored before, as when it was cleared; None if it has not."""
    from taxiway.lineage.batches import runs_with

    found = runs_with(context.ledger.client, {tags.DAG_RUN: context.run, tags.BATCH_SCORING: context.name}, newest=1)
    return found[0].data.tags.get(tags.SPAN_NAME) if found else None


def _score_span(context: ScoringContext, settings: ScoringSettings, source: "Source", plan: "IngestPlan") -> Scored:
    """Score the rows of the planned span, and note that it is scored."""
    (found,) = plan.window.spans
    loaded = _load(context, settings)
    with _rows_of(context, loaded, source, plan, found) as (path, rows):
        label = span_label(found.name, found.version)
        upstream = upstream_tags(files_read(source, (found,), plan.joined))
        span_tags = {tags.BATCH_SPAN: label, tags.SPAN_NAME: found.name, **upstream}
        folder = context.folder(settings.output, (found.name, found.version))
        with open_rows(path, f"span {label}") as table:
            scored = _score(context, loaded, table, replace(rows, tags=span_tags), folder)
    context.index.add(found.name, found.version, scored.batch.run or "")
    return replace(scored, span=label)


def _score_data(context: ScoringContext, settings: ScoringSettings, data: str, connection: str | None) -> Scored:
    """Score files; with a connection, the rows of a query."""
    from taxiway.data.formats.convert import ReadOptions
    from taxiway.data.formats.open_data import files_of, open_data

    loaded, folder = _load(context, settings), context.folder(settings.output, None)
    if connection is None:
        path = context.services.filled(data)
        with open_data(path, ReadOptions(types=loaded.types)) as table:
            return _score(context, loaded, table, _Rows(path, tags=upstream_tags(files_of(path))), folder)
    with queried(context.services.connect, connection, data) as table:
        return _score(context, loaded, table, _Rows(query_name(connection, data)), folder)


@dataclass(frozen=True)
class _Rows:
    """What the rows of a run are called, the match rates of the tables that were joined to them, and tags of their span."""

    data: str
    joins: "tuple[JoinMatch, ...]" = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Loaded:
    """The version that scores, its model, and the schema of its rows."""

    settings: ScoringSettings
    version: Version
    model: "RowModel"
    schema: "Schema | None"

    @property
    def types(self) -> Mapping[str, str]:
        """The types by which text files are read."""
        return self.schema.types if self.schema is not None else self.model.columns.types


def _load(context: ScoringContext, settings: ScoringSettings) -> _Loaded:
    from taxiway.data.schema.file import load_schema

    schema = load_schema(Path(settings.schema)).without_label() if settings.schema is not None else None
    version = find_version(context.ledger, settings.model)
    context.log.info("scoring with %s version %d", version.model, version.version)
    code = Path(settings.code) if settings.code is not None else None
    loaded = load_version(context.ledger.client, version, code)
    return _Loaded(settings, version, row_model(loaded, version), schema)


@contextmanager
def _rows_of(
    context: ScoringContext, loaded: _Loaded, source: "Source", plan: "IngestPlan", found: "FoundSpan"
) -> "Iterator[tuple[Path, _Rows]]":
    """The Parquet file with the rows of a span, filtered and joined."""
    from taxiway.data.ingest.ingest import rows_of_span
    from taxiway.data.ingest.read_spec import read_spec_of
    from taxiway.data.sources.find import reader_of

    def note(text: str) -> None:
        context.log.warning("%s", without_credentials(text))

    read = reader_of(source, context.services.connect, lambda: loaded.types, note=note)
    spec = read_spec_of(source, plan.joined, lambda: loaded.types)
    for text in plan.window.notes:
        note(text)
    with rows_of_span(found, source=source.text, read=read, read_spec=spec) as (path, joins):
        yield path, _Rows(found.path, joins)


def _score(context: ScoringContext, loaded: _Loaded, table: "Table", rows: _Rows, folder: Path) -> Scored:
    """Check rows and score them beside their folder, which then replaces another batch in it."""
    settings, version = loaded.settings, loaded.version
    report = _checked(context, loaded, table, rows)
    run_tags = {**context.tags, tags.DAG_RUN: context.run, tags.BATCH_SCORING: context.name, **rows.tags}
    urls = []

    def opened(url: str) -> None:
        urls.append(url)
        context.log.info("MLflow run: %s", url)

    known = predict_batch(
        loaded.model,
        version,
        table,
        rows.data,
        folder,
        recorder=BatchRecorder(context.ledger.client, version, folder, report, rows.joins, run_tags, opened),
        keys=settings.keys,
        rows_per_file=settings.rows_per_file,
        whole=True,
        progress=lambda done, count: context.log.info("%s of %s rows scored", f"{done:,}", f"{count:,}"),
    )
    context.log.info("%s rows scored with %s version %d into %s", f"{known.rows:,}", known.model, known.version, folder)
    return Scored(known, folder, None, urls[0] if urls else _url(context, known))


def _checked(context: ScoringContext, loaded: _Loaded, table: "Table", rows: _Rows) -> "DataReport | None":
    """The report on rows by the schema; None without one.

    Raises:
        DataError: They did not pass, and are not to be scored.
    """
    from taxiway.data.schema.model import SERVING
    from taxiway.data.validation.validate import validate_table

    if loaded.schema is None:
        return None
    report = validate_table(table, rows.data, loaded.schema, SERVING, rows.joins)
    blocking = bullets([anomaly.message for anomaly in report.blocking])
    if report.blocking and loaded.settings.on_invalid_data == "fail":
        raise DataError(
            f"{rows.data} did not pass the schema, so nothing was scored; correct the data, or set on_invalid_data: continue\n{blocking}"
        )
    if report.blocking:
        context.log.warning("%s did not pass the schema, and is scored by on_invalid_data: continue\n%s", rows.data, blocking)
    return report


def _url(context: ScoringContext, batch: Batch) -> str:
    from taxiway.tracking.run import run_url

    client = context.ledger.client
    if batch.run is None:
        return ""
    return run_url(client.tracking_uri, client.get_run(batch.run).info.experiment_id, batch.run)
