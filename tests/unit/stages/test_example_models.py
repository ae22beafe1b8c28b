"""The example pipelines of the guide, on public data: several classes, XGBoost, costs and a function of a team."""

import shutil
import subprocess
from pathlib import Path

import pytest

from helping import require
from taxiway import run
from taxiway.records import Outcome, RowGroups, Status

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "models"
DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the public data in ../shared/data")


def reasons_of(name: str, home: Path) -> dict[str, str]:
    """The reasons that the first run passes by, by their first word."""
    found = run(EXAMPLES / f"{name}.pipeline.yaml", data=str(DATA), home=home)
    assert found.verdict is not None
    assert found.summary is not None
    assert (found.verdict.status, found.summary.outcome) == (Status.PASS, Outcome.FIRST_CHAMPION), found.verdict.reasons
    messages = [reason.message for reason in found.verdict.reasons if reason.status is Status.PASS]
    return {message.partition(" ")[0]: message for message in messages}


def test_three_species_of_penguins(tmp_path: Path) -> None:
    reasons = reasons_of("species", tmp_path)
    assert {"balanced_accuracy", "recall(class=1)", "top_k_accuracy(k=2)"} <= reasons.keys()


def test_species_by_a_function_that_returns_onnx(tmp_path: Path) -> None:
    assert "balanced_accuracy" in reasons_of("species_by_function", tmp_path)


def test_species_by_a_class_of_the_team(tmp_path: Path) -> None:
    assert "balanced_accuracy" in reasons_of("species_by_class", tmp_path)


def test_species_by_a_program_in_r_that_writes_onnx(tmp_path: Path) -> None:
    require("r", shutil.which("Rscript") is not None, "Rscript is not installed")
    assert "balanced_accuracy" in reasons_of("species_in_r", tmp_path)


def test_species_by_a_network_in_pytorch_on_another_python(tmp_path: Path) -> None:
    other = Path("/usr/bin/python3")
    present = other.exists() and subprocess.run([other, "-c", "import torch"], check=False, capture_output=True).returncode == 0
    require("torch", present, f"{other} has no PyTorch")
    assert "balanced_accuracy" in reasons_of("species_in_torch", tmp_path)


def test_incomes_by_xgboost_are_judged_by_what_mistakes_cost(tmp_path: Path) -> None:
    reasons = reasons_of("income", tmp_path)
    assert reasons["cost"].endswith("below the threshold 5")
    assert "missed_gains" in reasons
    assert "recall(class=>50K)" in reasons
    assert "roc_auc" in reasons


def test_survivors_by_their_names(tmp_path: Path) -> None:
    assert "roc_auc" in reasons_of("survival", tmp_path)


def test_survivors_by_a_function_that_trains_on_raw_columns(tmp_path: Path) -> None:
    assert "roc_auc" in reasons_of("survival_by_function", tmp_path)


def test_rentals_by_lightgbm_from_a_table_with_intervals_of_whole_days(tmp_path: Path) -> None:
    found = run(EXAMPLES / "rentals.pipeline.yaml", data=str(DATA), home=tmp_path)
    assert found.summary is not None
    assert found.evaluation is not None
    assert (found.summary.span.name, found.summary.outcome) == ("2011-07", Outcome.FIRST_CHAMPION)
    assert found.evaluation.groups == RowGroups(column="dteday", groups=31)


def test_income_by_conditions(tmp_path: Path) -> None:
    found = run(EXAMPLES / "income_by_condition.pipeline.yaml", data=str(DATA), home=tmp_path)
    assert found.verdict is not None
    assert found.verdict.status is Status.PASS
    messages = [reason.message for reason in found.verdict.reasons]
    assert any(message.startswith("n > 0.84 +/- 0.02 is met: n = 0.8") for message in messages), messages
    assert sum(message.startswith("no champion: ") for message in messages) == 2
