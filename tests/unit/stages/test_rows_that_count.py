"""Which rows count: a filter and missing labels, from the pipeline file to the model, and what is said about the rows left out."""

import logging
import re
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from stages.conftest import SCHEMA, Site

from taxiway.errors import ConfigError, DataError
from taxiway.lineage.outcomes import processed_spans
from taxiway.lineage.run_records import RunRecords
from taxiway.records import Outcome, RemovedRows
from taxiway.records.recorder import InMemoryRun
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext
from taxiway.stages.ingest import plan_ingest
from taxiway.stages.installation import Installation
from taxiway.stages.runner import Watcher, run_in
from taxiway.stages.validate_data import failure_reason

OPTIONAL = SCHEMA.replace("y: {type: boolean, presence: required}", "y: {type: boolean, presence: optional}")
SWEEP = {"search": "grid", "space": {"C": [0.1, 1.0]}}


class Reasons(Watcher):
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def stopped(self, reason: str) -> None:
        self.reasons.append(reason)


def pipeline(site: Site, schema: str = OPTIONAL, **source: Any) -> Pipeline:
    window = {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y"}
    made = site.pipeline(source={**window, **source})
    (site.folder / "small.schema.yaml").write_text(schema)
    return made


def forget_labels(site: Site, span: int, count: int) -> None:
    """Remove the labels of the last `count` rows of a span."""
    path = site.data / f"{span}.parquet"
    rows = pd.read_parquet(path)
    rows["y"] = rows["y"].astype("boolean")
    rows.loc[len(rows) - count :, "y"] = pd.NA
    rows.to_parquet(path)


def run(installation: Installation, made: Pipeline, **options: Any) -> tuple[RunRecords, list[str]]:
    seen = Reasons()
    return run_in(installation, made, watcher=seen, **options), seen.reasons


def test_a_filter_holds_for_every_stage_and_is_counted_everywhere(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "taxiway.stages")
    broken = pd.read_parquet(site.data / "2.parquet")
    broken.loc[:9, ["a", "b"]] = [1000.0, "test"]
    broken.to_parquet(site.data / "2.parquet")
    found, _ = run(installation, pipeline(site, SCHEMA, rows="b <> 'test' and b <> 'z'"))
    assert found.summary is not None
    assert found.snapshot is not None
    assert found.features is not None
    assert found.report is not None
    assert (found.summary.outcome, found.summary.span.name) == (Outcome.FIRST_CHAMPION, "2")
    removed = found.snapshot.removed
    assert removed[1] == RemovedRows(span="2", rows=1000, filtered=1000 - found.snapshot.evaluation_span.rows)
    assert found.features.row_count == found.snapshot.training[0].rows == 1000 - removed[0].filtered < 1000
    assert {f"{span.describe()}; the checks are about the other rows." for span in removed} <= set(found.report.notes)
    assert removed[1].describe() in caplog.text
    logged = installation.client.get_run(found.summary.mlflow_run).data
    assert logged.params["source.rows"] == found.snapshot.rows
    assert logged.metrics["ingest.rows_filtered"] == sum(span.filtered for span in removed)
    assert logged.metrics["ingest.rows_kept"] == sum(span.rows for span in found.snapshot.spans)


@pytest.mark.parametrize("changes", [{}, {"window": 2, "split": {"by": "id", "evaluation": 0.3}}])
def test_rows_without_a_label_are_dropped_from_training_and_evaluation(
    changes: dict[str, Any], site: Site, installation: Installation
) -> None:
    for span in (1, 2):
        forget_labels(site, span, 100)
    found, _ = run(installation, pipeline(site, SCHEMA, unlabelled="drop", **changes))
    assert found.summary is not None
    assert found.snapshot is not None
    assert found.summary.outcome is Outcome.FIRST_CHAMPION
    assert [span.unlabelled for span in found.snapshot.removed] == [100, 100]
    for span in found.snapshot.spans:
        with installation.store.local_file(span.content) as path:
            assert pq.read_table(path)["y"].null_count == 0


def test_rows_without_a_label_are_dropped_from_the_trials_of_a_sweep(site: Site, installation: Installation) -> None:
    site.arrive(3)
    for span in (1, 2, 3):
        forget_labels(site, span, 100)
    source = {"spans": "{data}/{SPAN}.parquet", "window": 2, "label": "y", "unlabelled": "drop"}
    made = site.pipeline(source=source, sweep=SWEEP)
    found, _ = run(installation, made, until="tune")
    assert found.snapshot is not None
    assert [span.rows for span in found.snapshot.training] == [900, 900]


def test_a_missing_label_blocks_the_run_in_words_that_name_the_key_and_the_count(
    site: Site, installation: Installation
) -> None:
    forget_labels(site, 2, 12)
    found, _ = run(installation, pipeline(site))
    assert found.summary is not None
    assert found.summary.outcome is Outcome.BLOCKED
    assert re.search(r"y in span 2 is the label.* 12 of 1,000 rows.*source.unlabelled: drop", found.summary.reasons[0])


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            None,
            "wait decides a span when all of its labels are known; source.exclude leaves the span out. If no span has labels, check ",
        ),
        (
            True,
            "Check source.label, and whether source.rows or the source itself leaves only one value; source.exclude leaves the span",
        ),
    ],
)
def test_a_label_without_values_or_with_one_comes_with_advice_that_helps(
    site: Site, installation: Installation, labels: bool | None, words: str
) -> None:
    path = site.data / "2.parquet"
    rows = pd.read_parquet(path)
    rows.assign(y=pd.array([labels] * len(rows), dtype="boolean")).to_parquet(path)
    made = pipeline(site)
    found, _ = run(installation, made, until="validate_data")
    assert found.report is not None
    context = StageContext(made, installation.store, InMemoryRun(), installation.client, "dag/run")
    said = failure_reason(context, found.report)
    assert said is not None
    assert words in said
    assert "drop leaves such rows out" not in said
    assert "taxiway schema update" not in said, "no change of the schema makes it right"


def test_training_and_evaluation_refuse_a_missing_label_with_the_key_the_file_and_the_count(
    site: Site, installation: Installation
) -> None:
    made = pipeline(site).model_copy(update={"on_invalid_data": "continue"})
    forget_labels(site, 2, 7)
    with pytest.raises(DataError, match=r"missing in 7 evaluation rows\n    7 of 1,000 in span 2 of"):
        run(installation, made)
    forget_labels(site, 1, 12)
    with pytest.raises(DataError) as refused:
        run(installation, made)
    assert str(refused.value).splitlines()[:2] == [
        "the label y is missing in 12 training rows",
        "    12 of 1,000 in span 1 of {data}/{SPAN}.parquet",
    ]
    assert "source.unlabelled: drop" in str(refused.value)


def test_a_span_waits_until_all_of_its_labels_are_known(site: Site, installation: Installation) -> None:
    made = pipeline(site, unlabelled="wait", rows="id % 2 = 0")
    forget_labels(site, 2, 12)
    found, reasons = run(installation, made)
    assert found.snapshot is None
    assert "span 2 cannot be read yet: the label y is missing in 6 of 500 rows" in reasons[0]
    assert processed_spans(installation.store, made.name) == frozenset()
    with pytest.raises(ConfigError, match="span 2 cannot be processed: it cannot be read yet: the label y is missing"):
        run(installation, made, span="2")
    site.arrive(2)
    forget_labels(site, 2, 1)  # that of the last row, which the filter removes
    found, _ = run(installation, made)
    assert found.summary is not None
    assert (found.summary.outcome, found.summary.span.name) == (Outcome.FIRST_CHAMPION, "2")


def test_a_span_whose_labels_are_not_there_yet_is_left_out_of_windows(site: Site, installation: Installation) -> None:
    site.arrive(3)
    pd.read_parquet(site.data / "2.parquet").drop(columns="y").to_parquet(site.data / "2.parquet")
    made = pipeline(site, unlabelled="wait")
    source = made.source.with_data(str(site.data))
    plan = plan_ingest(source, made.name, installation.store, installation.services.connect, now=datetime.now(UTC))
    assert [span.name for span in plan.window.spans] == ["1", "3"]
    assert plan.window.notes == ("span 2 cannot be read yet: there is no column y yet",)


def test_labels_of_a_joined_table_are_dropped_or_waited_for(site: Site, installation: Installation) -> None:
    for span in (1, 2):
        path = site.data / f"{span}.parquet"
        rows = pd.read_parquet(path)
        rows[["id", "y"]].iloc[: 900 + 50 * (2 - span)].to_parquet(site.data / f"labels-{span}.parquet")
        rows.drop(columns="y").to_parquet(path)
    join = {"labels": {"spans": "{data}/labels-{SPAN}.parquet", "on": {"id": "id"}, "columns": ["y"], "min_match_rate": 0.8}}
    with pytest.raises(ConfigError, match='"y", but span 1 has no such column before joins'):
        run(installation, pipeline(site, unlabelled="drop", join=join, rows="y is not null"))
    _, reasons = run(installation, pipeline(site, unlabelled="wait", join=join))
    assert "span 1 cannot be read yet: the label y is missing in 50 of 1,000 rows" in reasons[0]
    assert "span 2 cannot be read yet: the label y is missing in 100 of 1,000 rows" in reasons[0]
    found, _ = run(installation, pipeline(site, unlabelled="drop", join=join))
    assert found.summary is not None
    assert found.snapshot is not None
    assert found.summary.outcome is Outcome.FIRST_CHAMPION
    assert [span.unlabelled for span in found.snapshot.removed] == [50, 100]
