"""`taxiway new`: a draft from real data that lints, passes its own data, and says what people have to decide."""

import json
import re
import shlex
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml
from cli.drafting import drafted, new, rentals, unlike
from click.testing import CliRunner

from taxiway.cli import main
from taxiway.cli.new.draft import draft_pipeline
from taxiway.cli.new.page import readme_text
from taxiway.cli.new.texts import pipeline_text
from taxiway.data.ingest.ingest import ingest
from taxiway.data.schema.file import load_schema
from taxiway.data.sources.files import find_spans
from taxiway.data.validation.snapshot import validate_snapshot
from taxiway.records import Status
from taxiway.spec.purpose import Purpose
from taxiway.store import Store


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rentals(tmp_path_factory.mktemp("data"), 2)


def test_rentals_become_a_regression_that_its_own_data_pass(tmp_path: Path) -> None:
    data = rentals(tmp_path / "data", 8)
    pipeline = drafted(tmp_path, data, str(data / "rentals"), "cnt")
    assert pipeline.source.spans == "{data}/rentals/{YYYY}-{MM}.parquet"
    assert (pipeline.gate.problem, pipeline.source.window) == ("regression", 3)
    schema = load_schema(pipeline.schema_file)
    assert schema.key == ("instant",)
    readme = (tmp_path / "ours" / "drafted.md").read_text()
    assert re.search(r"`registered` alone reaches r2 0\.9\d\d\. Drop it if it is only known after the label\.", readme)
    store = Store(str(tmp_path / "store"))
    spans = find_spans(str(data / "rentals" / "{YYYY}-{MM}.parquet"))
    for at in range(3, len(spans)):
        report = validate_snapshot(
            ingest(spans[at - 3 : at + 1], pipeline="p", source="s", store=store), schema, store=store, today=date(2026, 1, 1)
        )
        assert report.status is Status.PASS
        assert report.anomalies == (), report.anomalies


def test_flights_become_a_classification_without_the_names_of_aircraft(tmp_path: Path, flights_folder: Path) -> None:
    source = tmp_path / "data" / "flights"
    source.mkdir(parents=True)
    for month in ("2013-01", "2013-02"):
        shutil.copy(flights_folder / f"{month}.parquet", source)
    pipeline = drafted(tmp_path / "dags", tmp_path / "data", str(source), "late")
    assert (pipeline.gate.problem, pipeline.source.window) == ("classification", 1)
    assert pipeline.features.drop == ("tailnum",)
    assert load_schema(pipeline.schema_file).key == ("flight_id",)
    lint = CliRunner().invoke(main, ["lint", str(tmp_path / "dags")])
    assert lint.exit_code == 0, lint.output


def test_a_pattern_may_say_data_itself(tmp_path: Path, data: Path) -> None:
    assert drafted(tmp_path, data, "{data}/rentals/{YYYY}-{MM}.parquet", "cnt").source.spans.startswith("{data}/rentals/")


def test_nothing_is_overwritten(tmp_path: Path, data: Path) -> None:
    drafted(tmp_path, data, str(data / "rentals"), "cnt")
    before = {path: path.read_text() for path in (tmp_path / "ours").iterdir()}
    code, shown = new(tmp_path, data, "drafted", "--from", str(data / "rentals"), "--label", "cnt", "--team", "ours")
    assert (code, "nothing is overwritten" in shown) == (1, True)
    assert {path: path.read_text() for path in (tmp_path / "ours").iterdir()} == before


def test_a_team_that_asks_for_more_is_told(tmp_path: Path, data: Path) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "team.yaml").write_text("team: ours\ngate: {thresholds: {r2: 0.7}}\n")
    code, shown = new(tmp_path, data, "drafted", "--from", str(data / "rentals"), "--label", "cnt", "--team", "ours")
    assert code == 1
    assert "gate.thresholds.r2 is 0; required by the team: at least 0.7 (team.yaml)" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("p", "--from", "nowhere", "--label", "cnt", "--team", "t"),
            "--from nowhere does not exist; allowed: a file, a folder of files, or a pattern",
        ),
        (("p", "--from", "{rentals}", "--label", "count", "--team", "t"), 'did you mean "cnt"'),
        (("p", "--from", "{rentals}", "--label", "season", "--team", "t"), ""),
        (("My Pipeline", "--from", "{rentals}", "--label", "cnt", "--team", "t"), 'the name of the pipeline is "My Pipeline"'),
        (("p", "--from", "{rentals}", "--label", "cnt", "--team", "../t"), 'the name of the team is "../t"'),
        (("p", "--from", "{rentals}/2011-{MM}.parquet", "--label", "cnt", "--team", "t"), "{MM}"),
    ],
)
def test_a_draft_that_fails_is_a_message_and_writes_nothing(
    tmp_path: Path, data: Path, arguments: tuple[str, ...], words: str
) -> None:
    given = [argument.replace("{rentals}", str(data / "rentals")) for argument in arguments]
    code, shown = new(tmp_path, data, *given)
    assert (code, words in shown) == (1 if words else 0, True), shown
    if words:
        assert list(tmp_path.iterdir()) == []


def test_the_page_names_the_commands_that_fit_the_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / ".taxiway" / "data"
    data.mkdir(parents=True)
    unlike(400).to_csv(data / "all.csv", index=False)
    given = ["--from", "{data}/all.csv", "--label", "late", "--team", "t"]
    assert CliRunner().invoke(main, ["new", "here", *given]).exit_code == 0
    here = Path("dags/t/here.md").read_text()
    assert "taxiway run dags/t/here.pipeline.yaml\ntaxiway up --dags dags " in here
    assert CliRunner().invoke(main, ["new", "there", *given, "--data", str(data)]).exit_code == 0
    there = Path("dags/t/there.md").read_text()
    assert f"taxiway run dags/t/there.pipeline.yaml --data {data}\n```" in there
    assert f"the setting `[taxiway] data`, which must be `{data}`" in there


def test_a_draft_beside_a_running_stack_names_its_gateway_and_a_request(tmp_path: Path) -> None:
    unlike(400).assign(plan=lambda r: np.where(r.code > 2, "it's", "é"), open=lambda r: r.code > 1).to_csv(
        tmp_path / "all.csv", index=False
    )
    draft = draft_pipeline(str(tmp_path / "all.csv"), "late")
    assert "gateway: taxiway_gateway  " in pipeline_text("m", "t", draft, str(tmp_path), has_gateway=True)
    assert "gateway:" not in pipeline_text("m", "t", draft, str(tmp_path), has_gateway=False)
    page = readme_text("m", "t", draft, Path("dags"), str(tmp_path), "http://127.0.0.1:8500")
    request = shlex.split(page[page.index("curl ") : page.index("```\n\n## Then")])
    assert request[-1] == "http://127.0.0.1:8500/models/t.m/invocations"
    (row,) = json.loads(request[request.index("-d") + 1])["dataframe_records"]
    assert {name: type(value) for name, value in row.items()} == {"code": int, "x": float, "plan": str, "open": bool}
    assert "curl" not in readme_text("m", "t", draft, Path("dags"), str(tmp_path), None)


def test_a_draft_has_a_purpose_that_people_fill_in(tmp_path: Path) -> None:
    unlike(400).to_csv(tmp_path / "all.csv", index=False)
    text = pipeline_text("m", "t", draft_pipeline(str(tmp_path / "all.csv"), "late"), str(tmp_path), has_gateway=False)
    drafted = yaml.safe_load(text)["purpose"]
    harm = {"false_positive": "", "false_negative": ""}
    assert drafted == {"description": "", "users": "", "goal": None, "harm": harm, "not_for": []}
    assert list(Purpose.model_validate(drafted).blank()) == list(Purpose().blank())
    assert "# what late is predicted for" in text
    assert "# Non-inferiority: it may be worse than the champion by 0.01. 0 asks for a better model." in text
