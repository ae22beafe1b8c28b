"""What a pipeline's past costs: each thing that runs often, after 100, 1,000 and 10,000 processed spans of an hour.

The bound is taken in the same run: at most twice the time after 100 spans. Seconds are CPU seconds, because other work on the
machine would drown what is measured here; the store and the source are local folders. A look is what the trigger of `schedule:
new_span` does every 10 seconds, in a process that has looked before. A run is closed, and history is read, as in a new process.

    python benchmarks/history.py
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from measuring import show

from taxiway.data.profiling.profile import ColumnProfile, Profile
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.schema.watch import MetricMonitor
from taxiway.data.sources.files import listing
from taxiway.data.validation.profile_history import load_profile_history
from taxiway.ledger.chain import Ledger
from taxiway.lineage.outcomes import mark_processed, summaries, summary_of
from taxiway.records import (
    DataReport,
    Evaluation,
    Interval,
    MetricResult,
    Outcome,
    RecordRef,
    RunSummary,
    Snapshot,
    Span,
    Status,
    Verdict,
)
from taxiway.spec.source import Source, read_source
from taxiway.stages.ingest import next_span
from taxiway.stages.review import PipelineReview, Standing, review_versions
from taxiway.stages.review.versions import MAX_FORMER
from taxiway.store import SpanIndex, Store, index
from taxiway.triggers.new_span import NewSpanTrigger
from taxiway_ui.airflow_db import Decided
from taxiway_ui.clients import RememberingStore
from taxiway_ui.history.metric_history import metric_history
from taxiway_ui.reviews.reviews import Subject

if TYPE_CHECKING:
    from mlflow import MlflowClient

SIZES = (100, 1_000, 10_000)
PIPELINE = "team.hourly"
REPEATS = 20
NOW = datetime.now(UTC)
SCHEMA = Schema(
    label="y", features=(Feature(name="y", type="number"),), metric_checks=(MetricMonitor(metric="rows", strategy="normal"),)
)


def cpu_ms(work: Callable[[], Any], *, before: Callable[[], Any] = lambda: None) -> float:
    """The least CPU time of `work` in milliseconds; `before` is called before each repetition, and not timed."""
    taken = []
    for _ in range(REPEATS):
        before()
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken) * 1000


def hour(hours_ago: int) -> str:
    """The name of the hour that began so many hours ago."""
    return (NOW - timedelta(hours=hours_ago)).isoformat()[:13]


def span(name: str) -> Span:
    return Span(source="db: hours", name=name, rows=1000, content="0" * 32)


def summary(name: str) -> RunSummary:
    reasons = ("roc_auc is 0.700 (27,564 rows, 99% interval 0.690 to 0.710); at least 0.6 is asked",)
    return RunSummary(
        pipeline=PIPELINE, run="r", span=span(name), outcome=Outcome.PROMOTED, reasons=reasons, version=1, mlflow_run="m"
    )


def fill(store: Store, source: Path, size: int) -> None:
    """`size` hours that were processed, and one more at the source."""
    columns = tuple(ColumnProfile(name=f"c{n}", type="number", storage="DOUBLE", rows=1000, missing=0) for n in range(15))
    profile = store.put(Profile(rows=1000, columns=columns)).digest
    past = SpanIndex(store, f"past/{PIPELINE}")
    source.mkdir()
    (source / f"{size}.parquet").touch()
    for number in range(size):
        name = hour(size - number + 1)
        mark_processed(store, summary(name))
        past.add(name, 0, profile)
        (source / f"{number}.parquet").touch()


def evaluated(store: Store, size: int) -> tuple[dict[str, Decided], Subject]:
    """Verdicts on the newest spans, and a champion with 20 former ones, as the page of a pipeline reads them."""
    verdicts, versions = {}, {}
    interval = Interval(value=0.7, low=0.69, high=0.71, rows=1000)
    for number in range(min(size, 100)):
        version = size - number
        metric = MetricResult(metric="roc_auc", candidate=interval, champion=interval, difference=interval)
        spans = tuple(span(hour(number + past + 2)) for past in range(13))
        snapshot = Snapshot(pipeline=PIPELINE, training=spans[1:], evaluation=spans[:1])
        evaluation = Evaluation(snapshot=snapshot.digest, model=PIPELINE, candidate=version, confidence=0.99, metrics=(metric,))
        report = DataReport(snapshot=snapshot.digest, schema_version="v", status=Status.PASS, checks=1, anomalies=())
        verdict = Verdict(
            model=PIPELINE,
            version=version,
            snapshot=snapshot.digest,
            report=report.digest,
            evaluation=evaluation.digest,
            status=Status.PASS,
            reasons=(),
        )
        for record in (snapshot, evaluation, report, verdict):
            store.put(record)
        verdicts[f"r{number}"] = Decided(RecordRef(record="Verdict", digest=verdict.digest), NOW)
        if number <= MAX_FORMER:
            versions[version] = (Standing.FORMER if number else Standing.PRODUCTION, verdict.digest)
    return verdicts, Subject(PIPELINE, versions, lambda: _review(RememberingStore(store.url)))


def _review(store: Store) -> PipelineReview:
    nobody = Ledger(cast("MlflowClient", None))  # nothing of these reviews needs the ledger
    return PipelineReview(PIPELINE, nobody, store, lambda: NOW, "FILE", "team", "the benchmark has no file")


def watcher(source: Source) -> NewSpanTrigger:
    """A trigger that has looked before."""
    made = NewSpanTrigger(
        source=source.model_dump_json(by_alias=True, exclude_defaults=True), pipeline=PIPELINE, poll_seconds=10
    )
    made.due()
    return made


def forget() -> None:
    """As a new process: no segment of an index has been read."""
    index._segments.clear()


def measure(size: int, folder: Path) -> dict[str, float]:
    """CPU milliseconds of each, after `size` processed spans."""
    os.environ["AIRFLOW__TAXIWAY__STORE"] = str(folder / "store")
    store, files = Store(str(folder / "store")), folder / "source"
    fill(store, files, size)
    queried = {"sql": "SELECT {begin}, {end}", "connection": "c", "every": "hour", "first": hour(size + 1), "label": "y"}
    by_query = read_source(queried)
    by_file = read_source({"spans": f"{files}/{{SPAN}}.parquet", "label": "y"})
    newest = Snapshot(pipeline=PIPELINE, training=(span(hour(2)),), evaluation=(span(hour(1)),))
    later = iter(range(10**6))
    verdicts, subject = evaluated(store, size)

    def close() -> None:
        made = summary(hour(-next(later)))
        summary_of(store, PIPELINE, made.span)
        mark_processed(store, made)

    def chart() -> None:
        attempts = [
            one.model_copy(update={"run": f"r{number}", "version": size - number})
            for number, one in enumerate(reversed(summaries(store, PIPELINE)))
        ]
        assert metric_history(store, attempts, verdicts, (), "the benchmark has no file") is not None

    def review() -> None:
        assert review_versions(subject.open(), subject.versions, with_schema=False).versions

    return {
        "look, periods": cpu_ms(watcher(by_query).due),
        "look, files": cpu_ms(watcher(by_file).due),
        "  of it, listing the files": cpu_ms(lambda: listing(by_file.text)),
        "page of a pipeline": cpu_ms(lambda: summaries(store, PIPELINE)),
        "  and its chart": cpu_ms(chart),
        "review of a pipeline": cpu_ms(review),
        "history for data validation": cpu_ms(lambda: load_profile_history(newest, SCHEMA, store), before=forget),
        "once a span: what to run": cpu_ms(lambda: next_span(by_query, PIPELINE, store, now=NOW)),
        "once a span: close": cpu_ms(close, before=forget),
    }


def main() -> None:
    """Print milliseconds and ratios."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    found = {}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            found[size] = measure(size, Path(folder))
    few = found[SIZES[0]]
    rows = [
        [
            what,
            *(f"{found[size][what]:.2f}" for size in SIZES),
            *(f"{found[size][what] / few[what]:.1f}" for size in SIZES[1:]),
        ]
        for what in few
    ]
    show("CPU ms after so many spans", ["", *(f"{n:,}" for n in SIZES), *(f"{n:,} / 100" for n in SIZES[1:])], rows)


if __name__ == "__main__":
    main()
