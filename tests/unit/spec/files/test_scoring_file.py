"""Scoring files: what is allowed, and what errors say, with the line."""

import shutil
from pathlib import Path

import pytest

from taxiway.errors import ConfigError
from taxiway.spec.files.scoring_file import read_scoring
from taxiway.spec.scoring import Scoring, fill_output

REPOSITORY = Path(__file__).parents[4]
EXAMPLE = REPOSITORY / "docs/examples/scoring/arrivals_scored.scoring.yaml"
SMALL = """\
scoring: scored
team: own
model: own.small
source: {spans: "{data}/{SPAN}.parquet"}
output: "{data}/predictions/{SPAN}"
"""


def read(folder: Path, text: str) -> Scoring:
    path = folder / "scored.scoring.yaml"
    path.write_text(text)
    return read_scoring(path)[0]


def test_the_example_can_be_read_beside_its_schema(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    shutil.copy(REPOSITORY / "dags/flights/late_arrivals.schema.yaml", tmp_path)
    scoring, _ = read_scoring(tmp_path / EXAMPLE.name)
    assert scoring.name == "flights.arrivals_scored"
    assert scoring.predictions == "flights.arrivals_scored.predictions"
    assert scoring.schema_file == str(tmp_path / "late_arrivals.schema.yaml")
    assert fill_output(scoring.output, "2013-04", 2) == "{data}/predictions/2013-04"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("{SPAN}.parquet", "{SPAN}.parquet\", window: 3, label: \"y", "source: it has window, label, which is for training"),
        ("/{SPAN}\"\n", '"\n', ':5: output is "{data}/predictions"; every span would replace the predictions of the one before'),
        ('"{data}/predictions/{SPAN}"', "s3://bucket/{SPAN}", "allowed: a folder that the tasks and their readers mount"),
        ("model: own.small", "model: own.small\nkey: [id]", 'did you mean "keys"'),
        ("model: own.small", "model: own.small\nschema: none.yaml", ":4: schema is \"none.yaml\", which is not a file"),
        ("model: own.small", "model: own.small\nschedule: sometimes", "a cron expression of five fields"),
        ("model: own.small", "model: own.small\nschedule: 61 * * * *", "a cron expression of five fields"),
        ("model: own.small", "model: own.small\nschedule: {assets: x}", "asset"),
        ("spans:", "span:", "none of spans, file, sql and function is given"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in SMALL
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, SMALL.replace(before, after))
    assert message in str(caught.value)


def test_a_scoring_belongs_to_the_team_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text("team: others\n")
    with pytest.raises(ConfigError, match=r':2: team is "own", but the team file in this folder is for "others"'):
        read(tmp_path, SMALL)


def test_one_table_needs_no_folder_for_each_span(tmp_path: Path) -> None:
    text = SMALL.replace("{data}/{SPAN}.parquet", "{data}/rows.parquet").replace("/{SPAN}", "")
    assert read(tmp_path, text).output == "{data}/predictions"


def test_a_schedule_is_a_word_or_an_asset(tmp_path: Path) -> None:
    assert read(tmp_path, f"{SMALL}schedule: new_span\n").schedule == ("new_span",)
    several = read(tmp_path, f'{SMALL}schedule: ["@daily", {{asset: own.x.predictions}}]\n')
    assert several.model_dump()["schedule"] == ("@daily", {"asset": "own.x.predictions"})
