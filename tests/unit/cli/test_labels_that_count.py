"""Labels decide about a model only if their rows were drawn at random, from the export to the promotion, on the records of local runs."""

import re

import numpy as np
import pandas as pd
import pytest
from cli.local_runs import NAME, PIPELINE, done, run
from stages.conftest import SCHEMA, Site

WHERE = ("--dags", "small.pipeline.yaml", "--data", "data")
GATE = """\
gate:
  conditions: [n - o > 0.06 +/- 0.04]
  min_rows: 100
"""
ROWS = 5_000
GAIN = 0.033
"""By how much the version is better than the champion on all of these rows: less than the condition requires."""


def arrive(site: Site, span: int, rows: int, weight: float, labelled: float = 1.0) -> "pd.Series[bool]":
    """A span in which the label depends on `a`, and by a weight on `c`; of the labels, only a random share is known."""
    rng = np.random.default_rng(span)
    a, c = rng.normal(size=rows), rng.normal(size=rows)
    y = pd.Series(rng.random(rows) < 1 / (1 + np.exp(-2 * a - weight * c)), index=10_000 * span + np.arange(rows))
    known = y.astype("boolean").where(rng.random(rows) < labelled)
    site.data.mkdir(exist_ok=True)
    pd.DataFrame({"id": y.index, "a": a, "b": "x", "c": c, "y": known.to_numpy()}).to_parquet(site.data / f"{span}.parquet")
    return y


@pytest.fixture
def labels(site: Site) -> "pd.Series[bool]":
    """A champion that does not know that `c` matters, and a version that does; 3% of the rows that decide between them have a label."""
    source = PIPELINE[: PIPELINE.index("gate:")].replace("label: y}", "label: y, unlabelled: drop}")
    (site.folder / "small.pipeline.yaml").write_text(source + GATE)
    schema = SCHEMA.replace("  b:", "  c: {type: number, presence: required}\n  b:")
    (site.folder / "small.schema.yaml").write_text(schema)
    arrive(site, 1, 2_000, 0.0)
    arrive(site, 2, 2_000, 0.8)
    assert run().exit_code == 0, "the first champion"
    truth = arrive(site, 3, ROWS, 0.8, labelled=0.03)
    undecided = run().output
    assert "UNDECIDED 3, version 2" in undecided
    assert (
        "4,844 rows of the evaluation spans only lack a label, and labels of them would decide it: taxiway label exp"
        in undecided
    )
    return truth


def label_rows(labels: "pd.Series[bool]", name: str, *options: str) -> pd.DataFrame:
    """Have the rows of an export labelled; returns them."""
    told = done("label", "export", f"{NAME}/2", "-o", f"{name}.csv", *options, *WHERE)
    rows = pd.read_csv(f"{name}.csv").assign(told=told)
    rows.drop(columns="told").assign(y=labels.loc[rows["id"]].to_numpy()).to_csv(f"{name}.csv", index=False)
    return rows


def import_(name: str) -> str:
    return done("label", "import", f"{NAME}/2", f"{name}.csv", "--by", "ann", *WHERE)


def test_labels_of_the_rows_on_which_the_models_differ_pass_no_model_and_those_of_drawn_rows_decide(
    labels: "pd.Series[bool]",
) -> None:
    differing = label_rows(labels, "differing", "--rows", "800", "--differing-first")
    assert "note: 800 labels are of rows that no `taxiway label export` has drawn at random" in import_("differing")
    again = run("--span", "3").output
    assert "3: imported labels for 800 rows; 800 of them left out of the evaluation" in again
    assert "UNDECIDED 3, attempt 2, version 3" in again
    assert "n - o > 0.06 +/- 0.04: undecided on the 156 evaluation rows" in again
    assert "4,844 rows of the evaluation spans only lack a label that counts, and labels of them would decide it" in again

    drawn = label_rows(labels, "drawn", "--rows", "2500")
    assert not set(drawn["id"]) & set(differing["id"])
    assert "not drawn" not in import_("drawn")
    again = run("--span", "3").output
    left_out = re.search(r"3: imported labels for 3,300 rows; (\d+) of them left out", again)
    assert left_out is not None
    rows = 156 + 3300 - int(left_out[1])
    assert rows > 2500 + 156, "rows that were labelled before are drawn, too"
    assert f"n - o > 0.06 +/- 0.04: not shown to be met on the {rows:,} evaluation rows" in again
    assert "REJECTED 3, attempt 3, version 4" in again

    shown = done("gate", "show", f"{NAME}/4", "--yes", *WHERE)
    gain = re.search(r"n - o = \+(\d\.\d+) ", shown)
    assert gain is not None
    assert abs(float(gain[1]) - GAIN) < 0.01
    assert f"{int(left_out[1])} rows have labels and are left out of the evaluation, because they were not drawn" in shown
