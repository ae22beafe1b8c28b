"""`taxiway audit`: when labels are needed next, and of which rows."""

import csv
import re
from pathlib import Path

import pytest
from cli.local_runs import NAME, done, refused, taxiway
from cli.logged_weeks import log_week
from click.testing import Result
from stages.conftest import Site

FIXED = ("--tolerance", "0.05", "--max-change", "0.00001")


def audit(*arguments: str) -> Result:
    return taxiway("audit", NAME, "--log", "log", *arguments)


def ids(path: str) -> list[str]:
    """The rows of a file that is to be labelled."""
    with Path(path).open() as lines:
        return [row["row"] for row in csv.DictReader(lines)]


@pytest.fixture(autouse=True)
def champion(champion_site: Site) -> Site:
    log_week(0, 2000)
    return champion_site


def test_an_answer_that_the_evaluation_gives_needs_no_labels_yet() -> None:
    result = audit("--target", "0.6", *FIXED)
    assert result.exit_code == 0, result.output
    band, due, labels = result.output.splitlines()
    assert re.match(r"\d days? after the last audit, roc_auc is 0\.\d+ to 0\.\d+: it was 0\.", band)
    assert re.match(r"it is at least 0\.6, with a tolerance of 0\.05; the next audit is due on \d{4}-\d\d-\d\d, or on ", due)
    assert labels.startswith("the audit needs 200 labels of the window from 2026-01-05 (2,000 rows, 0 of them with a label)")


def test_an_open_answer_writes_a_random_sample_that_a_larger_one_contains() -> None:
    evaluated = float(re.search(r"evaluation rows (0\.\d+)", taxiway("monitor", NAME, "--log", "log").output).group(1))  # type: ignore[union-attr]
    log_week(1, 4000, labelled=2)
    result = audit("--target", str(evaluated), "--tolerance", "0.03", "--max-change", "0.01", "-o", "some.csv")
    assert result.exit_code == 3, result.output
    assert "labels do not say whether it is at least 0." in result.output
    needed = int(re.search(r"needs ([\d,]+) labels", result.output).group(1).replace(",", ""))  # type: ignore[union-attr]
    header = Path("some.csv").read_text().splitlines()[0]
    assert header == "request_id,row,input.a,input.b,other_inputs,label", "without predictions"
    some = ids("some.csv")
    assert needed - 2 <= len(some) == len(set(some)) <= needed
    audit("--target", str(evaluated), "--tolerance", "0.001", "--max-change", "0.01", "-o", "all.csv")
    everything = ids("all.csv")
    assert everything[: len(some)] == some
    assert not {"0", "1"} & set(everything), "these rows have labels"
    places = [int(row) for row in some]
    assert 0.4 < sum(place < 2000 for place in places) / len(places) < 0.6


def test_labels_of_a_window_are_an_audit() -> None:
    log_week(1, 2000, labelled=2000)
    result = audit("--target", "0.6", *FIXED)
    assert "on 2026-01-15, and changes by at most 1e-05 a day" in result.output, "the middle of the week"
    log_week(2, 2000, flipped=True, labelled=2000)
    flipped = audit("--target", "0.6", *FIXED)
    assert re.search(r"it was 0\.[0-4]\d+ \(0\.\d+ to 0\.\d+\) on 2026-01-22", flipped.output), "the newest window counts"


def test_what_cannot_be_asked_or_written_says_why() -> None:
    assert "the target of roc_auc is 85; allowed: 0 to 1" in refused("audit", NAME, "--log", "log", "--target", "85", *FIXED)
    Path("labels.csv").write_text("labels of somebody")
    denied = refused("audit", NAME, "--log", "log", "--target", "0.6", *FIXED, "-o", "labels.csv")
    assert "allowed: a new file whose name ends in .csv" in denied
    assert Path("labels.csv").read_text() == "labels of somebody"
    assert (
        "how fast it changes is not known"
        in taxiway("audit", NAME, "--log", "log", "--target", "0.6", "--tolerance", "0.05").output
    )
    assert "--max-change" in done("audit", "--help")
