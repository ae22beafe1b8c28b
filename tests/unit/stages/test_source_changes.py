"""A source that loses a column and gains another: one command and one run later, the pipeline goes on."""

import logging

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from stages.conftest import SCHEMA, Site
from stages.seen import Seen

from taxiway.cli.main import main
from taxiway.errors import TerminalError
from taxiway.records import Outcome, Status
from taxiway.records.recorder import InMemoryRun
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import StageContext
from taxiway.stages.installation import Installation
from taxiway.stages.push import push
from taxiway.stages.runner import run_in


def change_source(site: Site, span: int) -> None:
    """From this span on, the source has `c` instead of `b`."""
    path = site.arrive(span)
    rows = pd.read_parquet(path).drop(columns="b")
    rows.assign(c=np.arange(len(rows)) % 7).to_parquet(path)


def test_a_column_that_left_and_one_that_came_cost_one_command_and_one_run(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = site.pipeline()
    first = run_in(installation, pipeline)
    assert (first.features.numeric, first.features.categorical) == (("a",), ("b",)) if first.features else None
    change_source(site, 3)
    blocked = run_in(installation, pipeline)
    assert blocked.summary is not None
    assert blocked.summary.outcome is Outcome.BLOCKED

    schema = str(site.folder / "small.schema.yaml")
    done = CliRunner().invoke(main, ["schema", "update", schema, "--from", str(site.data / "3.parquet"), "--accept", "all"])
    assert done.exit_code == 0, done.output
    with caplog.at_level(logging.INFO):
        decided = run_in(installation, pipeline.model_copy(), span="3")
    assert decided.summary is not None
    assert decided.summary.outcome in (Outcome.PROMOTED, Outcome.REJECTED, Outcome.UNDECIDED)
    # The new column has no values in the training spans yet, and the old one has none in the evaluated span.
    assert decided.features is not None
    assert decided.features.columns == ("a", "b")
    assert 'without a value in the training spans, and so not in the model: "c"' in caplog.text
    assert decided.verdict is not None
    told = [reason.message for reason in decided.verdict.reasons if reason.status is Status.INFO]
    assert "the linear model" in told.pop(), "simple models are scored without values of the column, too"
    assert told == [
        f'{model} was scored without values of "b", which the data no longer has'
        for model in ("version 2", "champion version 1")
    ]

    change_source(site, 4)
    following = run_in(installation, pipeline)
    assert following.features is not None
    assert following.features.columns == ("a", "c")
    assert following.verdict is not None
    assert [reason.message for reason in following.verdict.reasons if "was scored without" in reason.message] == [
        f'champion version {following.verdict.champion} was scored without values of "b", which the data no longer has'
    ]


def recode_label(site: Site, span: int, names: tuple[str, str]) -> None:
    path = site.arrive(span)
    rows = pd.read_parquet(path)
    rows.assign(y=rows["y"].map({False: names[0], True: names[1]})).to_parquet(path)


def test_a_champion_that_cannot_be_scored_does_not_end_the_pipeline(site: Site, installation: Installation) -> None:
    """The label is recoded at the source, so champion and candidate have no class in common."""
    pipeline = site.pipeline()
    text_label = SCHEMA.replace("y: {type: boolean, presence: required}", "y: {type: string, presence: required, domain: open}")
    (site.folder / "small.schema.yaml").write_text(text_label)
    for span, names in enumerate((("no", "yes"), ("no", "yes"), ("off", "on"), ("off", "on")), start=1):
        recode_label(site, span, names)
    first = run_in(installation, pipeline)
    assert first.promotion is not None
    source = {"spans": "{data}/{SPAN}.parquet", "window": 1, "label": "y", "exclude": ["1", "2"]}
    pipeline = site.pipeline(source=source)
    (site.folder / "small.schema.yaml").write_text(text_label)
    refused = run_in(installation, pipeline)
    assert refused.summary is not None
    assert refused.summary.outcome is Outcome.REJECTED
    assert len(refused.summary.reasons) == 1
    for words in ("cannot be compared", "champion_unscorable is `fail`", "taxiway force", "taxiway retire"):
        assert words in refused.summary.reasons[0]

    asking = with_unscorable(pipeline, "approval")
    told = Seen()
    waiting = run_in(installation, asking, span="4", watcher=told)
    assert waiting.verdict is not None
    assert (waiting.verdict.status, waiting.verdict.champion, waiting.verdict.needs_approval) == (Status.PASS, 1, True)
    assert waiting.promotion is None
    assert "waits for an approval" in told.reasons[-1]
    with pytest.raises(TerminalError, match="it requires an approval"):
        context = StageContext(asking, installation.store, InMemoryRun(), installation.client, "dag/run")
        assert waiting.shadow is not None
        push(context, waiting.verdict, waiting.shadow)

    decided = run_in(installation, with_unscorable(pipeline, "thresholds"), span="4")
    assert decided.verdict is not None
    assert (decided.verdict.status, decided.verdict.needs_approval) == (Status.PASS, False)
    assert any("judged without a comparison (" in reason.message for reason in decided.verdict.reasons)
    assert decided.promotion is not None
    assert (decided.promotion.from_version, decided.promotion.to_version) == (1, decided.verdict.version)


def with_unscorable(pipeline: Pipeline, value: str) -> Pipeline:
    return pipeline.model_copy(update={"gate": pipeline.gate.model_copy(update={"champion_unscorable": value})})
