"""`taxiway gate plan`: the paper's table, text that explains itself, and mistakes that are pointed at."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from taxiway.cli.main import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("gate", "plan", *arguments))


def planned(*arguments: str) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


@pytest.mark.parametrize("word", ["--confidence", "--reliability"])
@pytest.mark.parametrize(
    ("adaptivity", "rows"), [("none", 2_536), ("full", 6_279), ("first-change", 2_536), ("passes:3", 3_565)]
)
def test_the_paper_s_table_comes_out(word: str, adaptivity: str, rows: int) -> None:
    asked = ("n > 0.8 +/- 0.05", word, "0.9999", "--steps", "32", "--adaptivity", adaptivity)
    found = planned(*asked, "--method", "hoeffding")
    assert found["rows"] == rows
    assert found["clauses"] == [{"clause": "n > 0.8 +/- 0.05", "tolerance": 0.05, "method": "Hoeffding", "rows": rows}]
    assert planned(*asked)["rows"] < rows


def test_rows_that_are_there_are_put_to_use() -> None:
    found = planned("n > 0.8 +/- 0.03", "--steps", "81", "--adaptivity", "none", "--method", "hoeffding", "--rows", "5000")
    assert found["available"] == {
        "rows": 5000,
        "enough": True,
        "steps": 81,
        "passes": 1,
        "condition": "n > 0.8 +/- 0.03",
        "tolerances": [0.03],
    }
    few = planned("n > 0.95 +/- 0.01", "--rows", "20")["available"]
    assert (few["enough"], few["steps"], few["condition"]) == (False, 0, None)


def test_the_text_says_after_how_many_passes_new_rows_would_do() -> None:
    asked = ("n - o > 0 +/- 0.01", "--disagreement", "0.1", "--rows", "13000", "--adaptivity")
    words = " ".join(run(*asked, "passes:4").output.split())
    assert "They are too few: 2,115 more rows are needed." in words
    assert "they can answer for 8 models if there are new rows after 2 passes (--adaptivity passes:2)." in words
    assert "new rows after" not in run(*asked, "first-change").output.partition("What 13,000 rows can answer")[2]


def test_the_text_says_what_one_gets_and_what_would_be_cheaper() -> None:
    done = run("n - o > 0.02 +/- 0.01 and d < 0.1 +/- 0.01", "--rows", "5000")
    assert done.exit_code == 0
    words = " ".join(done.output.split())
    assert "evaluation rows are needed for: n - o > 0.02 +/- 0.01 and d < 0.1 +/- 0.01" in words
    assert "d is the share of rows on which they predict differently" in words
    assert "the probability that any passes which does not meet the condition is at most 1%" in words
    assert "A model passes if its estimates meet n - o > 0.03 and d < 0.09" in words
    assert "Each row needs a label, because the gate leaves out rows without one." in words
    assert "What 5,000 rows can answer: * They are too few" in words
    assert "for a single model (--steps 1)" in words
    assert all(len(line) <= 100 for line in done.output.splitlines())


def test_the_text_of_fn_free_says_what_is_rejected() -> None:
    words = " ".join(run("n - o > 0 +/- 0.01 and d < 0.2 +/- 0.05", "--mode", "fn-free").output.split())
    assert "the probability that any is rejected which meets the condition is at most 1%" in words
    assert "A model is rejected if n - o < -0.01 or d > 0.25" in words


def test_a_claim_that_the_old_model_is_better_is_the_mirror_image() -> None:
    new = planned("n - o > 0.01 +/- 0.01", "--disagreement", "0.1")
    old = planned("o - n > 0.01 +/- 0.01", "--disagreement", "0.1")
    less = planned("n - o < -0.01 +/- 0.01", "--disagreement", "0.1")
    twice = planned("2 * n - 2 * o > 0.02 +/- 0.02", "--disagreement", "0.1")
    assert new["labels_one_by_one"] < new["differing_rows"] < new["rows"]
    for other in (old, less, twice):
        assert [other[key] for key in ("rows", "differing_rows", "labels_one_by_one")] == [
            new[key] for key in ("rows", "differing_rows", "labels_one_by_one")
        ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("n - p > 0.1 +/- 0.1",), 'instead of "p"\n    n - p > 0.1 +/- 0.1\n        ^\n    allowed: n (new model)'),
        (("n > 2 +/- 0.1",), "is always false: n is from 0 to 1"),
        (("n > 0.5 +/- 0.1", "--adaptivity", "some"), '"some"; allowed: none'),
        (("n > 0.5 +/- 0.1", "--confidence", "1"), "1.0 is not in the range 0.5<x<1"),
        (("n > 0.5 +/- 0.00000001", "--confidence", "0.9999"), "needs more than 10^12 rows"),
    ],
)
def test_a_mistake_is_a_usage_error_that_says_what_is_allowed(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_the_plan_in_the_guide_is_what_the_command_prints() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "gates-with-guarantees.md").read_text()
    line, _, rest = guide.partition("$ taxiway gate plan ")[2].partition("\n")
    assert run(*shlex.split(line)).output == rest.partition("```")[0]
