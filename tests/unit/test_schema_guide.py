"""What the guide to schemas says, command by command, on deliveries made for it."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from taxiway.cli import main
from taxiway.data.schema.file import load_schema
from taxiway.data.validation.checks.lifecycle import missing_meaning

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "schemas" / "deliveries.schema.yaml"
ROWS = 60


def deliveries(month: int) -> pd.DataFrame:
    left = pd.date_range(f"2026-0{month}-01 08:00", periods=ROWS, freq="h")
    numbers = range(ROWS)
    return pd.DataFrame(
        {
            "delivery_id": [1000 * month + at for at in numbers],
            "district": [("north", "south", "west")[at % 3] for at in numbers],
            "weight": [None if at % 20 == 0 else 0.5 + at / 10 for at in numbers],
            "traffic": [float(at) for at in numbers],
            "left": left,
            "arrived": left + pd.Timedelta("20min"),
            "late": [at % 4 == 0 for at in numbers],
        }
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four months of deliveries as CSV, with the guide's schema."""
    for month in range(1, 5):
        deliveries(month).to_csv(tmp_path / f"2026-0{month}.csv", index=False)
    (tmp_path / "deliveries.schema.yaml").write_text(EXAMPLE.read_text())
    return tmp_path


def run(folder: Path, *arguments: str, answers: str | None = None) -> Result:
    words = [str(folder / word) if word.endswith((".csv", ".yaml")) else word for word in arguments]
    return CliRunner().invoke(main, words, input=answers)


def kinds(found: Result) -> dict[str, str]:
    return {f"{a['kind']} {a['column']}": a["severity"] for a in json.loads(found.stdout)["anomalies"]}


def test_the_guides_schema_leaves_nothing_blank() -> None:
    assert set(missing_meaning(load_schema(EXAMPLE))) <= {"delivery_id"}, "a number that is a name has no unit"


def test_deliveries_pass_and_what_is_wrong_is_weighed_by_its_stage(folder: Path) -> None:
    good = run(folder, "validate", "2026-02.csv", "--schema", "deliveries.schema.yaml", "--previous", "2026-01.csv", "--json")
    assert (good.exit_code, kinds(good)) == (0, {}), good.output
    rows = deliveries(2)
    rows.loc[5, "traffic"] = 400
    rows.to_csv(folder / "2026-02.csv", index=False)
    trial = run(folder, "validate", "2026-02.csv", "--schema", "deliveries.schema.yaml", "--json")
    assert (trial.exit_code, kinds(trial)) == (0, {"range traffic": "warning"})
    rows.loc[7, "arrived"] = rows.loc[7, "left"] - pd.Timedelta("1h")
    rows.to_csv(folder / "2026-02.csv", index=False)
    clock = run(folder, "validate", "2026-02.csv", "--schema", "deliveries.schema.yaml", "--json")
    assert clock.exit_code == 1
    assert kinds(clock) == {"range traffic": "warning", "rule arrives after it left": "error"}


def test_requests_need_not_know_what_comes_after(folder: Path) -> None:
    deliveries(3).drop(columns=["arrived", "late"]).to_csv(folder / "requests.csv", index=False)
    for environment, code in (("SERVING", 0), ("TRAINING", 1)):
        found = run(folder, "validate", "requests.csv", "--schema", "deliveries.schema.yaml", "--environment", environment)
        assert found.exit_code == code, found.output


def test_a_heavier_parcel_is_accepted_and_every_comment_stays(folder: Path) -> None:
    rows = deliveries(2)
    rows.loc[5, "weight"] = 31.5
    rows.to_csv(folder / "2026-02.csv", index=False)
    done = run(folder, "schema", "update", "deliveries.schema.yaml", "--from", "2026-02.csv", "--accept", "weight.range")
    assert done.exit_code == 0, done.output
    changed = (folder / "deliveries.schema.yaml").read_text()
    assert changed == EXAMPLE.read_text().replace("{min: 0, max: 30}", "{min: 0, max: 31.5}")


def test_traffic_matures_on_the_months_that_are_there(folder: Path) -> None:
    done = run(folder, "schema", "promote", "deliveries.schema.yaml", "traffic", "--to", "beta", "--on", "2026-0*.csv")
    assert done.exit_code == 0, done.output
    assert "4 clean spans" in done.output
    traffic = load_schema(folder / "deliveries.schema.yaml").feature("traffic")
    assert traffic is not None
    assert (traffic.stage, traffic.since is not None) == ("beta", True)


def test_the_guides_draft_is_a_schema_that_the_next_month_passes(folder: Path) -> None:
    done = run(folder, "schema", "infer", "2026-01.csv", "-o", "new.yaml", "--label", "late", "--suggest")
    assert done.exit_code == 0, done.output
    assert run(folder, "validate", "2026-02.csv", "--schema", "new.yaml").exit_code == 0
    assert "# suggested: unique: true (UniqueIfApproxUnique: 60 rows" in (folder / "new.yaml").read_text()
