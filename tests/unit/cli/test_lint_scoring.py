"""`taxiway lint` on scoring files."""

import shutil
from pathlib import Path

import pytest
from cli.linting import change, lint

EXAMPLE = Path(__file__).parents[3] / "docs/examples/scoring"


@pytest.fixture
def scored(team: Path) -> Path:
    """The example beside the pipelines of flights."""
    for name in ("arrivals_scored.scoring.yaml", "arrivals_scored.py"):
        shutil.copy(EXAMPLE / name, team)
    return team / "arrivals_scored.scoring.yaml"


def test_the_example_has_no_mistakes(scored: Path) -> None:
    code, shown = lint(scored.parent)
    assert (code, "and 1 scoring file, no mistakes" in shown) == (0, True), shown
    code, shown = lint(scored)
    assert (code, "0 pipeline files and 1 scoring file, no mistakes" in shown) == (0, True), shown


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("team: flights", "teem: flights", "arrivals_scored.scoring.yaml:2: teem is not an allowed key"),
        ("[flight_id]", "[flight_ids]", "arrivals_scored.scoring.yaml:8: keys has flight_ids, which the schema does not have"),
        (".parquet", ".xls", "arrivals_scored.scoring.yaml:5: "),
    ],
)
def test_a_mistake_is_found(scored: Path, old: str, new: str, expected: str) -> None:
    change(scored, old, new)
    code, shown = lint(scored)
    assert code == 1
    assert expected in shown


def test_a_missing_dag_file_is_shown_with_its_content(scored: Path) -> None:
    scored.with_name("arrivals_scored.py").write_text("")
    assert "it does not load the scoring file beside it" in lint(scored)[1]
    scored.with_name("arrivals_scored.py").unlink()
    assert "dag = load_scoring(__file__)" in lint(scored)[1]
