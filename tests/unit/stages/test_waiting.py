"""Spans that wait for their labels: their other columns are validated, and a few labels may be missing for ever."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from stages.conftest import SCHEMA, Site

from taxiway.errors import ConfigError
from taxiway.lineage.labels_due import labels_due, pipelines_with_labels_due
from taxiway.lineage.outcomes import processed_spans
from taxiway.lineage.run_records import RunRecords
from taxiway.records import DataReport, Outcome, Snapshot, WaitingSpan
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.installation import Installation
from taxiway.stages.runner import Watcher, run_in


class Told(Watcher):
    def __init__(self) -> None:
        self.noted: list[str] = []
        self.reasons: list[str] = []

    def noticed(self, message: str) -> None:
        self.noted.append(message)

    def stopped(self, reason: str) -> None:
        self.reasons.append(reason)


def pipeline(site: Site, schema: str = SCHEMA, **source: Any) -> Pipeline:
    keys = {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y", "unlabelled": "wait"}
    made = site.pipeline(source={**keys, **source})
    (site.folder / "small.schema.yaml").write_text(schema)
    return made


def forget(site: Site, span: int, *, labels: int | None, a: float | None = None) -> Path:
    """Remove the last labels of a span, or with None the whole column; and set the first value of `a`."""
    path = site.data / f"{span}.parquet"
    rows = pd.read_parquet(path)
    if a is not None:
        rows.loc[0, "a"] = a
    if labels is None:
        rows = rows.drop(columns="y")
    else:
        rows["y"] = rows["y"].astype("boolean").where(rows.index < len(rows) - labels)
    rows.to_parquet(path)
    return path


def run(installation: Installation, made: Pipeline, **options: Any) -> tuple[RunRecords, Told]:
    told = Told()
    return run_in(installation, made, watcher=told, **options), told


def waiting(installation: Installation, made: Pipeline) -> dict[str, WaitingSpan]:
    due = labels_due(installation.store, made.name)
    return {span.name: span for span in due.spans} if due is not None else {}


def test_every_span_that_waits_is_validated_and_told_of_once(site: Site, installation: Installation) -> None:
    for span in (3, 4, 5):
        site.arrive(span)
    made = pipeline(site)
    assert run(installation, made)[0].summary is not None
    assert (waiting(installation, made), pipelines_with_labels_due(installation.store)) == ({}, ())
    forget(site, 3, labels=12)
    forget(site, 4, labels=None, a=1000.0)
    forget(site, 5, labels=1000)
    found, told = run(installation, made)
    assert found.snapshot is None
    assert [note.partition("\n")[0] for note in told.noted] == [
        "span 3 waits for 12 of 1,000 labels; its other columns passed validation",
        "span 4 waits for 1,000 of 1,000 labels; its other columns did not pass validation",
        "span 5 waits for 1,000 of 1,000 labels; its other columns passed validation",
    ]
    assert "a in span 4" in told.noted[1]
    assert processed_spans(installation.store, made.name) == {("2", 0)}
    assert pipelines_with_labels_due(installation.store) == (made.name,)
    first = waiting(installation, made)
    _, told = run(installation, made)
    assert told.noted == []
    assert waiting(installation, made) == first, "a span keeps the time since which it waits"


def test_the_report_on_a_waiting_span_is_about_all_but_its_label(site: Site, installation: Installation) -> None:
    checks = "- {metric: missing_fraction, column: y, strategy: bounds, max: 0}\n- {metric: rows, strategy: bounds, max: 999}\n"
    rules = "rules:\n  labelled: {sql: Y IS NOT NULL}\n  letters: {sql: b > 'x'}\nmetric_checks:\n" + checks
    for span in (1, 2):
        forget(site, span, labels=None)
    made = pipeline(site, SCHEMA + rules)
    _, told = run(installation, made)
    found = waiting(installation, made)["2"]
    assert found.report is not None
    report = installation.store.get(DataReport, found.report)
    assert [(anomaly.kind, anomaly.column) for anomaly in report.anomalies] == [("rule", "letters"), ("history", None)], (
        told.noted
    )
    (span,) = installation.store.get(Snapshot, report.snapshot).spans
    assert (span.name, span.rows) == ("2", 1000)


def test_a_span_that_is_corrected_is_news_and_one_with_labels_is_decided(site: Site, installation: Installation) -> None:
    for span in (3, 4):
        site.arrive(span)
    made = pipeline(site)
    run(installation, made)
    forget(site, 3, labels=None, a=1000.0)
    forget(site, 4, labels=5)
    run(installation, made)
    since = waiting(installation, made)["3"].since
    site.arrive(3)
    forget(site, 3, labels=None)
    _, told = run(installation, made)
    assert told.noted == ["span 3 waits for 1,000 of 1,000 labels; its other columns passed validation"]
    assert waiting(installation, made)["3"].since == since
    site.arrive(3)
    found, told = run(installation, made)
    assert found.summary is not None
    assert found.summary.span.name == "3"
    assert set(waiting(installation, made)) == {"4"}, "a span that this run did not read still waits"
    site.arrive(4)
    run(installation, made)
    assert waiting(installation, made) == {}
    assert pipelines_with_labels_due(installation.store) == ()


def test_a_span_that_cannot_be_validated_does_not_stop_the_run(site: Site, installation: Installation) -> None:
    site.arrive(3)
    made = pipeline(site, SCHEMA + "rules:\n  broken: {sql: a > no_such_column}\n")
    forget(site, 1, labels=5)
    forget(site, 2, labels=5)
    forget(site, 3, labels=5)
    _, told = run(installation, made)
    assert len(told.noted) == 3
    assert "could not be validated: the rule broken is not valid SQL" in told.noted[0]


def test_the_rows_of_a_few_missing_labels_are_left_out(site: Site, installation: Installation) -> None:
    forget(site, 1, labels=50)
    forget(site, 2, labels=51)
    made = pipeline(site, label_wait={"max_missing": 0.05})
    _, told = run(installation, made)
    assert (
        "span 2 cannot be read yet: the label y is missing in 51 of 1,000 rows (source.label_wait.max_missing: 0.05)"
        in told.reasons[0]
    )
    assert set(waiting(installation, made)) == {"2"}
    site.arrive(2)
    forget(site, 2, labels=50)
    found, _ = run(installation, made)
    assert found.summary is not None
    assert found.snapshot is not None
    assert found.summary.outcome is Outcome.FIRST_CHAMPION
    assert [removed.unlabelled for removed in found.snapshot.removed] == [50, 50]
    assert [span.rows for span in found.snapshot.spans] == [950, 950]


def test_label_wait_without_waiting_is_an_error_that_names_both(site: Site) -> None:
    with pytest.raises(ValueError, match="it has label_wait, but unlabelled is drop, so no span waits for labels"):
        pipeline(site, unlabelled="drop", label_wait={"max_missing": 0.05})


def test_a_requested_span_that_waits_is_an_error_and_changes_nothing(site: Site, installation: Installation) -> None:
    forget(site, 2, labels=3)
    made = pipeline(site)
    with pytest.raises(ConfigError, match="span 2 cannot be processed: it cannot be read yet"):
        run(installation, made, span="2")
    assert waiting(installation, made) == {}


def test_nothing_waits_any_more_once_the_pipeline_file_does_not_say_so(site: Site, installation: Installation) -> None:
    forget(site, 2, labels=3)
    made = pipeline(site)
    run(installation, made)
    assert set(waiting(installation, made)) == {"2"}
    run(installation, pipeline(site, unlabelled="drop"))
    assert waiting(installation, made) == {}


def test_of_many_spans_the_newest_are_validated_and_all_are_known(site: Site, installation: Installation) -> None:
    for span in range(1, 30):
        site.arrive(span)
        forget(site, span, labels=None)
    made = pipeline(site)
    _, told = run(installation, made)
    found = waiting(installation, made)
    assert [name for name, span in found.items() if span.is_validated] == [str(span) for span in range(6, 30)]
    assert len(told.noted) == 24
    assert found["5"].describe() == "span 5 waits for 1,000 of 1,000 labels"
