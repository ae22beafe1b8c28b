"""The condition that `taxiway new` suggests: one that the drafted pipeline's rows support."""

import re
from pathlib import Path

import pytest
from cli.drafting import drafted, unlike
from cli.linting import lint

from taxiway.cli.lint.conditions import planned_condition
from taxiway.cli.new.conditions import TOLERANCES, tightest_condition
from taxiway.gates.sample_size import rows_suffice, sample_size
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.gate import Gate


def uncommented(text: str) -> str:
    """The draft with the suggested condition in use."""
    return re.sub(r"^  # (conditions|min_rows): ", r"  \1: ", text, flags=re.M)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_suggested_condition_is_a_comment_and_has_enough_rows_once_it_is_none(tmp_path: Path, classes: int) -> None:
    rows = unlike(20_000)
    label = rows["late"] if classes == 2 else rows["late"].where(rows["code"] > 1, "never")
    rows.assign(late=label).to_csv(tmp_path / "all.csv", index=False)
    gate = drafted(tmp_path / "dags", tmp_path, str(tmp_path / "all.csv"), "late").gate
    assert (gate.conditions, gate.min_rows, gate.shown) == ((), 300, "exact")
    file = tmp_path / "dags" / "ours" / "drafted.pipeline.yaml"
    text = file.read_text()
    assert "  # conditions: [n - o > -0.04 +/- 0.04]\n  # min_rows: 2230 " in text
    comment = text.replace("\n  # ", " ")
    assert "any of 8 models tried on the same rows passes although its accuracy is 4 points or more below" in comment
    assert "These rows support it if the predictions of two models differ on 10% of them." in comment
    assert "`drafted.pipeline.yaml`: the condition in the comment below `gate`" in file.with_name("drafted.md").read_text()
    file.write_text(uncommented(text))
    used = read_pipeline(file).gate
    assert ([str(entry.parsed) for entry in used.conditions], used.min_rows) == (["n - o > -0.04 +/- 0.04"], 2230)
    code, shown = lint(file)
    notes = [line for line in shown.splitlines() if "drafted.pipeline.yaml" in line and "purpose" not in line]
    assert (code, notes) == (0, []), shown


@pytest.mark.parametrize("rows", [400, 5_000])
def test_nothing_is_suggested_that_too_few_rows_support(tmp_path: Path, rows: int) -> None:
    unlike(rows).to_csv(tmp_path / "all.csv", index=False)
    drafted(tmp_path / "dags", tmp_path, str(tmp_path / "all.csv"), "late")
    folder = tmp_path / "dags" / "ours"
    assert "conditions" not in (folder / "drafted.pipeline.yaml").read_text()
    assert "condition in the comment" not in (folder / "drafted.md").read_text()


def test_nothing_is_suggested_for_a_regression(tmp_path: Path) -> None:
    unlike(20_000).to_csv(tmp_path / "all.csv", index=False)
    gate = drafted(tmp_path / "dags", tmp_path, str(tmp_path / "all.csv"), "x").gate
    assert gate.problem == "regression"
    assert "conditions" not in (tmp_path / "dags" / "ours" / "drafted.pipeline.yaml").read_text()


@pytest.mark.parametrize("rows", [1_500, 1_533, 7_289, 7_290, 50_000, 10**7])
def test_the_tolerance_is_the_smallest_round_one_that_the_rows_support(rows: int) -> None:
    found = tightest_condition(rows)
    supported = []
    for tolerance in TOLERANCES:
        text = f"n - o > -{tolerance} +/- {tolerance}"
        gate = Gate.model_validate({"thresholds": {"roc_auc": 0.5}, "conditions": [text]})
        guaranteed = planned_condition(gate.conditions[0], gate)
        if rows_suffice(guaranteed, rows):
            supported.append((tolerance, sample_size(guaranteed).rows))
    assert found == (min(supported) if supported else None)
