"""The output of `taxiway lineage` and `taxiway history`: trees and tables, or JSON with the records themselves."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from taxiway.ledger.effects import without_effect
from taxiway.ledger.entry import Entry
from taxiway.lineage.batches import BatchRun
from taxiway.lineage.queries import DataUse, ModelLineage
from taxiway.lineage.run_records import RunRecords
from taxiway.messages import printable
from taxiway.records import Decision, DecisionKind, Promotion, Record

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


_TRIALS = 5
_UPSTREAM = 5


def as_json_text(answer: "DataclassInstance | Sequence[DataclassInstance]") -> str:
    """The result of a query as JSON; records are written in their own format."""
    plain = [asdict(a) for a in answer] if isinstance(answer, Sequence) else asdict(answer)
    return json.dumps(plain, default=_record, indent=2)


def show_model(console: Console, found: ModelLineage) -> None:
    """Print how a model version was made, as a tree from its data to its promotions."""
    records, tree = found.records, Tree(f"[bold]{escape(found.model)}[/bold] version {found.version}")
    _add_data(tree, records)
    _add_upstream(tree, found)
    _add_training(tree, found)
    for name, decision in (("Verdict", records.verdict), ("ShadowReport", records.shadow)):
        node = tree.add(f"{name}: {decision.status if decision else 'none'}")
        for reason in decision.reasons if decision else ():
            node.add(escape(f"{reason.status}: {reason.message}"))
    promotions = tree.add("promotions" if found.promotions else "never promoted")
    for promotion in found.promotions:
        promotions.add(escape(_promotion_text(promotion)))
    _add_uses(tree, found)
    for unread in records.unread:
        tree.add(escape(unread))
    tree.add(f"MLflow run {found.mlflow_run}")
    if found.airflow_url:
        tree.add(f"Airflow {escape(found.airflow_url)}")
    console.print(tree, highlight=False)


def _add_data(tree: Tree, records: RunRecords) -> None:
    if records.snapshot is not None:
        data = tree.add(f"data: snapshot {records.snapshot.digest}")
        for role, spans in (("trained on", records.snapshot.training), ("evaluated on", records.snapshot.evaluation)):
            for span in spans:
                of_file = f" of {span.original.rows:,} in the file {span.original.content}" if span.original else ""
                data.add(f"{role} {escape(span.label)}: {span.rows:,} rows{of_file}, content {span.content}")
        if records.snapshot.rows is not None:
            data.add(escape(f"source.rows: {records.snapshot.rows}"))
        for labels in records.snapshot.labels:
            data.add(escape(labels.describe()))
        for removed in records.snapshot.removed:
            data.add(escape(removed.describe()))
        for join in records.snapshot.joins:
            matched = f"a match for {join.matched:,} of {join.rows:,} rows"
            data.add(escape(f"joined {join.name} to {join.span}: {matched} in {join.table}, content {join.content}"))
    if records.report is not None:
        report = tree.add(
            f"DataReport: {records.report.status}, {records.report.checks:,} checks, schema {records.report.schema_version}"
        )
        for anomaly in records.report.anomalies:
            report.add(escape(f"{anomaly.severity}: {anomaly.message}"))


def _add_upstream(tree: Tree, found: ModelLineage) -> None:
    for upstream in found.upstream:
        node = tree.add(escape(f"read predictions of {upstream.model} version {upstream.version}"))
        for run in upstream.mlflow_runs[-_UPSTREAM:]:
            node.add(f"batch, MLflow run {run}")


def _add_uses(tree: Tree, found: ModelLineage) -> None:
    if found.batches:
        batches = tree.add("newest batches of predictions")
        for batch in found.batches:
            batches.add(escape(_batch_text(batch)))
    if found.downstream:
        readers = tree.add("newest runs that read its predictions")
        for reader in found.downstream:
            version = f"version {reader.version}" if reader.version is not None else "no version"
            readers.add(
                escape(f"{reader.pipeline}, {'scored with' if reader.is_batch else 'trained'} {version}, {reader.mlflow_run}")
            )


def _add_training(tree: Tree, found: ModelLineage) -> None:
    records = found.records
    if records.features is not None:
        tree.add(f"features: {records.features.describe()}, transform {records.features.transform}")
    if records.candidate is not None:
        threshold = records.candidate.threshold
        decides = f", decision threshold {threshold:.3g}" if threshold is not None else ""
        tree.add(escape(f"trained: {records.candidate.estimator} {records.candidate.params}{decides}"))
    if records.sweep is not None:
        best = records.sweep.best
        node = tree.add(
            f"sweep: best of {len(records.sweep.trials)} trials by {best.metric} {best.score:.4f}, on {best.rows:,} rows"
        )
        for trial in records.sweep.trials[:_TRIALS]:
            node.add(escape(f"{f'{trial.score:.4f}' if trial.score is not None else 'failed'} {trial.params}"))
    for name, value in (("environment", found.environment), ("code", found.code)):
        tree.add(f"{name}: {escape(value) or 'not recorded'}")


def show_batch(console: Console, predictions: str, found: BatchRun) -> None:
    """Print what predictions are of."""
    tree = Tree(f"[bold]{escape(predictions)}[/bold] has predictions of {escape(found.model)} version {found.version}")
    tree.add(f"files of the version: {found.files or 'no digest'}")
    span = f"span {found.span} of " if found.span else ""
    tree.add(escape(f"data: {span}{found.data}, content {found.data_digest}"))
    tree.add(f"validation: {found.validation or 'the data was not checked'}")
    tree.add(escape(f"batch: {_batch_text(found)}"))
    tree.add(f"written to {escape(found.folder)} on {escape(found.host)}, keys: {escape(', '.join(found.keys)) or 'none'}")
    tree.add(f"MLflow run {found.mlflow_run}")
    if found.airflow_url:
        tree.add(f"Airflow {escape(found.airflow_url)}")
    console.print(tree, highlight=False)


def show_batches(console: Console, model: str, found: Sequence[BatchRun]) -> None:
    """Print the newest batches of a model, newest first."""
    table = Table(title=f"Newest batches of predictions of {model}", title_justify="left")
    for heading in ("time (UTC)", "version", "data", "rows", "validation", "folder", "state"):
        table.add_column(heading, overflow="fold")
    for batch in found:
        rows = "" if batch.rows is None else f"{batch.rows:,}"
        cells = (str(batch.version), batch.span or batch.data, rows, batch.validation or "none", batch.folder, batch.status)
        table.add_row(*map(_cell, (f"{batch.started_at:%Y-%m-%d %H:%M:%S}", *cells)))
    console.print(table)


def show_uses(console: Console, data: str, found: Sequence[DataUse]) -> None:
    """Print the runs that read some data, with their outcomes and promotions."""
    tree = Tree(f"[bold]{escape(data)}[/bold] was read by {len(found)} {'run' if len(found) == 1 else 'runs'}")
    for use in found:
        made = f"version {use.version}" if use.version else "no model"
        if use.folder:
            made = f"with {made}, predictions in {use.folder}"
        node = tree.add(escape(f"{use.pipeline}: {use.context} on {use.span}, {use.outcome.replace('_', ' ')}, {made}"))
        node.add(f"content {use.content}")
        for promotion in use.promotions:
            node.add(escape(_promotion_text(promotion)))
        if use.airflow_url:
            node.add(f"Airflow {escape(use.airflow_url)}")
    console.print(tree, highlight=False)


def show_history(console: Console, model: str, found: Sequence[Entry], suspects: Collection[str] = ()) -> None:
    """Print the promotions of a model, newest first; those in the MLflow runs `suspects` are marked as not signed."""
    table = Table(title=f"Champions of {model}", title_justify="left")
    for heading in ("time (UTC)", "from", "to", "by", "reason", "state"):
        table.add_column(heading, overflow="fold")
    for entry in found:
        p = entry.promotion
        state = f"{entry.state}, NOT SIGNED" if entry.run_id in suspects else str(entry.state)
        versions = (str(p.from_version or "none"), str(p.to_version or "none"))
        table.add_row(*map(_cell, (f"{p.at:%Y-%m-%d %H:%M:%S}", *versions, p.by, p.reason, state)))
    console.print(table)


def show_decisions(console: Console, found: Sequence[Decision], promotions: Sequence[Entry]) -> None:
    """Print decisions of people, newest first; those without effect are marked, by the promotions of the model."""
    table = Table(title="Decisions of people", title_justify="left")
    for heading in ("time (UTC)", "decision", "about", "by", "reason"):
        table.add_column(heading, overflow="fold")
    ineffective = without_effect(found, promotions)
    for made in found:
        what = str(made.kind)
        if (why := ineffective.get(made.digest)) is not None:
            what = f"{what} (without effect: {why})"
        if made.anomaly is not None:
            what = f"{what} of {made.anomaly}{f' in {made.column}' if made.column else ''} until {made.until}"
        about = _decision_about(made)
        table.add_row(*map(_cell, (f"{made.at:%Y-%m-%d %H:%M:%S}", what, about, made.by, made.reason)))
    console.print(table)


def _decision_about(made: Decision) -> str:
    if made.kind is DecisionKind.RUN:
        return made.about
    if made.kind is DecisionKind.AGAIN:
        return f"span {made.span}"
    return f"version {made.version}" if made.version is not None else f"report {made.about[:8]}"


def _cell(text: str) -> str:
    return escape(printable(text))


def _batch_text(batch: BatchRun) -> str:
    rows = "no rows yet" if batch.rows is None else f"{batch.rows:,} rows"
    return f"{batch.started_at:%Y-%m-%d %H:%M:%S} UTC: {batch.status}, {rows} of {batch.span or batch.data} to {batch.folder}"


def _promotion_text(promotion: Promotion) -> str:
    return (
        f"{promotion.at:%Y-%m-%d %H:%M:%S} UTC: {promotion.alias} from version {promotion.from_version or 'none'} to "
        f"{promotion.to_version or 'none'}, by {promotion.by}: {promotion.reason}"
    )


def _record(value: Any) -> Any:
    return json.loads(value.to_full_json()) if isinstance(value, Record) else str(value)
