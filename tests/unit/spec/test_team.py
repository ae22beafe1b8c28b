"""The team file: its mistakes are named, and no pipeline of the team is looser than it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minimal import MINIMAL

from taxiway.errors import ConfigError
from taxiway.spec.files.pipeline_file import read_pipeline, read_team
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.team import Team, loosened

PIPELINE = (
    MINIMAL.replace("{metric: roc_auc}", "{metric: roc_auc, min_improvement: -0.01}")
    + """\
  slices: {by: [origin], max_drop: 0.05}
  confidence: 0.99
gateway: g
shadow: {min_requests: 2000, min_agreement: 0.8}
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "late.schema.yaml").write_text("features: {}")
    (tmp_path / "late.pipeline.yaml").write_text(PIPELINE)
    return tmp_path


def write(folder: Path, team: str) -> Path:
    (folder / "team.yaml").write_text(f"team: flights\n{team}\n")
    return folder / "late.pipeline.yaml"


@pytest.mark.parametrize(
    "team",
    [
        "",
        "gate: {thresholds: {roc_auc: 0.6}, min_improvement: {roc_auc: -0.01}, max_drop: {roc_auc: 0.05}, confidence: 0.99}",
        "gate: {thresholds: {rmse: 3}, min_improvement: {mae: 0}, max_drop: {r2: 0.1}}",
        "shadow: {min_requests: 1000, min_agreement: 0.8, max_p99_ratio: 2}",
    ],
    ids=["nothing asked", "exactly as much", "of another problem", "shadow"],
)
def test_a_pipeline_that_keeps_what_the_team_asks_is_read(folder: Path, team: str) -> None:
    assert read_pipeline(write(folder, team)).name == "flights.late_arrivals"


@pytest.mark.parametrize(
    ("team", "expected"),
    [
        (
            "gate: {thresholds: {roc_auc: 0.65}}",
            ":10: gate.thresholds.roc_auc is 0.6; required by the team: at least 0.65 (team.yaml)",
        ),
        ("gate: {thresholds: {brier: 0.2}}", ":10: gate.thresholds has no brier; required by the team: at most 0.2"),
        (
            "gate: {min_improvement: {roc_auc: 0}}",
            ":11: gate.against_champion.min_improvement is -0.01; required by the team: at least 0",
        ),
        ("gate: {min_improvement: {brier: 0}}", ':11: gate.against_champion.metric is "roc_auc"; required by the team: brier'),
        ("gate: {max_drop: {roc_auc: 0.02}}", ":12: gate.slices.max_drop is 0.05; required by the team: at most 0.02"),
        ("gate: {confidence: 0.999}", ":13: gate.confidence is 0.99; required by the team: at least 0.999"),
        ("gate: {min_rows: 500}", "gate.min_rows is 300; required by the team: at least 500"),
        ("shadow: {min_requests: 3000}", ":15: shadow.min_requests is 2000; required by the team: at least 3000"),
        (
            "gate: {slices: [origin, carrier]}",
            ":12: gate.slices leaves out carrier; required by the team: slices by origin, carrier",
        ),
        ("gate: {max_slice_min_rows: 200}", "gate.slices.min_rows is 300; required by the team: at most 200"),
        ("shadow: {max_error_rate: 0.0001}", "shadow.max_error_rate is 0.001; required by the team: at most 0.0001"),
    ],
)
def test_a_looser_pipeline_is_refused_with_both_numbers(folder: Path, team: str, expected: str) -> None:
    path = write(folder, team)
    with pytest.raises(ConfigError) as refused:
        read_pipeline(path)
    assert expected in str(refused.value)


def test_what_is_switched_off_is_looser(folder: Path) -> None:
    path = write(folder, "gate: {max_drop: {roc_auc: 0.05}}\nshadow: {}")
    path.write_text(PIPELINE.replace("  slices: {by: [origin], max_drop: 0.05}\n", "").replace("shadow: {", "shadow: off #"))
    with pytest.raises(ConfigError) as refused:
        read_pipeline(path)
    assert "gate.slices is missing; required by the team: slices" in str(refused.value)
    assert "shadow is off; required by the team: a shadow" in str(refused.value)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("", "approval is none; required by the team: approval: required"),
        ("approval: off\n", "approval is none; required by the team: approval: required"),
        ("approval: {timeout: 1d, on_timeout: approve}\n", "approval.on_timeout is approve; required by the team: reject"),
        ("approval: required\n", None),
        ("approval: {timeout: 1d, approvers: [ann]}\n", None),
    ],
)
def test_a_team_may_require_that_a_person_approves(folder: Path, own: str, expected: str | None) -> None:
    path = write(folder, "approval: required")
    path.write_text(own + PIPELINE)
    if expected is None:
        assert read_pipeline(path).approval is not None
        return
    with pytest.raises(ConfigError) as refused:
        read_pipeline(path)
    assert expected in str(refused.value)


def test_the_pipeline_of_another_team_does_not_belong_here(folder: Path) -> None:
    path = write(folder, "")
    path.write_text(PIPELINE.replace("team: flights", "team: trains"))
    with pytest.raises(ConfigError, match='team is "trains", but the team file in this folder is for "flights"'):
        read_pipeline(path)


@pytest.mark.parametrize(
    ("team", "expected"),
    [
        (
            "gates: {}",
            'team.yaml:2: gates is not an allowed key\n    allowed: approval, gate, notification, owner, pool, shadow, team   (did you mean "gate"?)',
        ),
        ("gate: {thresholds: {auc: 0.5}}", 'team.yaml:2: gate.thresholds.auc is "auc"'),
        ("notification: {notifier: a.B, events: [LOST]}", "FIRST_CHAMPION"),
        ("gate: {confidence: 2}", "team.yaml:2: gate.confidence is 2"),
    ],
)
def test_a_mistake_in_the_team_file_is_named(folder: Path, team: str, expected: str) -> None:
    write(folder, team)
    with pytest.raises(ConfigError) as refused:
        read_team(folder)
    assert expected in str(refused.value)


def test_a_folder_without_a_team_file_has_no_team(folder: Path) -> None:
    assert read_team(folder) is None


def gate_of(threshold: float, gain: float, drop: float, confidence: float) -> dict[str, Any]:
    return {
        "thresholds": {"mae": threshold},
        "min_improvement": {"mae": gain},
        "max_drop": {"mae": drop},
        "confidence": confidence,
    }


@given(
    asked=st.tuples(st.floats(1, 9), st.floats(-9, 9), st.floats(1, 9), st.floats(0.6, 0.99)),
    own=st.tuples(st.floats(1, 9), st.floats(-9, 9), st.floats(1, 9), st.floats(0.6, 0.99)),
)
def test_looser_is_looser_in_any_of_its_numbers(asked: tuple[float, ...], own: tuple[float, ...]) -> None:
    team = Team.model_validate({"team": "t", "gate": gate_of(*asked)})
    threshold, gain, drop, confidence = own
    pipeline = Pipeline.model_validate(
        {
            "pipeline": "p",
            "team": "t",
            "source": {"spans": "{SPAN}.parquet", "label": "y"},
            "schema": "s",
            "model": {"estimator": "sklearn.linear_model.Ridge"},
            "gate": {
                "thresholds": {"mae": threshold},
                "against_champion": {"metric": "mae", "min_improvement": gain},
                "slices": {"by": ["a"], "max_drop": drop},
                "confidence": confidence,
            },
        }
    )
    expected = (threshold > asked[0]) + (gain < asked[1]) + (drop > asked[2]) + (confidence < asked[3])
    assert len(loosened(pipeline, team)) == expected


def test_estimates_that_agree_whatever_they_say_are_looser_too() -> None:
    team = Team.model_validate({"team": "t", "shadow": {"max_agree_within": 10}})
    body = {
        "pipeline": "p",
        "team": "t",
        "source": {"spans": "{SPAN}.parquet", "label": "y"},
        "schema": "s",
        "model": {"estimator": "sklearn.linear_model.Ridge"},
        "gate": {"thresholds": {"mae": 3}, "against_champion": {"metric": "mae"}},
        "gateway": "g",
        "shadow": {"agree_within": 1e12},
    }
    assert loosened(Pipeline.model_validate(body), team) == (
        (("shadow", "agree_within"), "is 1000000000000; required by the team: at most 10"),
    )
