"""`taxiway log`: what a gateway has logged is written to Parquet files and queried, and a query reads nothing else."""

import asyncio
import json
import os
import runpy
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from taxiway.cli.main import main
from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.rolling.settings import RollSettings, store_settings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog


@pytest.fixture
def state(tmp_path: Path) -> Path:
    log = RequestLog(tmp_path / "state", keep_rows=100, keep_bytes=1 << 30)
    store_settings(tmp_path / "state", RollSettings(folder=tmp_path / "log"))

    log.versions.note("a/b", 1, LoggedVersion(ModelColumns(("x",), ())))

    async def add() -> None:
        body = '{"dataframe_records": [{"x": 1}, {"x": 2}]}'
        await log.add([LoggedRequest("r1", 86_400.0, "a/b", body, "r1", 1, 200, "[0.5, 0.25]", "", 1.0, None, None, None)])
        await log.add_labels(
            [("r1", 0, "a/b", 86_400.0, "0", 172_800.0, "me"), ("r1", 0, "a/b", 86_400.0, "1", 172_801.0, "me")]
        )

    asyncio.run(add())
    log.close()
    return tmp_path / "state"


def test_a_log_is_rolled_and_queried(state: Path, tmp_path: Path) -> None:
    folder = str(tmp_path / "log")
    assert CliRunner().invoke(main, ["log", "roll", "--state", str(state)]).output.startswith("1 request and 2 labels ")
    joined = 'SELECT model, day, prediction_value, "input.x", label_value FROM requests JOIN labels USING (model, day, request_id, row)'
    query = ["log", "query", joined, "--log", folder]
    assert CliRunner().invoke(main, query).output.split() == [
        "model,day,prediction_value,input.x,label_value",
        "a/b,1970-01-02,0.5,1,1.0",
    ]
    found = json.loads(CliRunner().invoke(main, [*query, "--json"]).output)
    assert found == {"model": "a/b", "day": "1970-01-02", "prediction_value": 0.5, "input.x": "1", "label_value": 1.0}
    arrived = CliRunner().invoke(main, ["log", "labels", "--log", folder]).output.splitlines()[1]
    assert arrived.split() == ["a/b", "1970-01-02", "2", "1", "50.0%", "1970-01-03", "00:00"]
    assert "the query is empty" in CliRunner().invoke(main, ["log", "query", "", "--log", folder]).output
    other = CliRunner().invoke(main, ["log", "labels", "--log", folder, "--model", "other"])
    assert other.output == f'no rows of other were predicted, by the files in {folder}; models: "a/b"\n'
    wide = CliRunner().invoke(main, ["log", "labels", "--log", folder], env={"COLUMNS": "20"})
    assert "2024" not in wide.output
    assert "50.0%" in wide.output


def test_files_that_are_damaged_or_of_others_are_left_out(
    state: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = str(tmp_path / "log")
    CliRunner().invoke(main, ["log", "roll", "--state", str(state)])
    for kind in ("requests", "labels"):
        (path,) = (tmp_path / "log" / kind).glob("*/*/*.parquet")
        path.with_name("notes.parquet").write_text("a file of somebody")
        path.with_name(f"{'0' * 16}-{1:012}-{2:012}.parquet").write_bytes(path.read_bytes()[:-1])
        path.with_name(f"{'0' * 16}-{2:012}-{3:012}.parquet").write_bytes(b"")
    found = CliRunner().invoke(main, ["log", "query", "SELECT count(*), count(prediction) FROM requests", "--log", folder])
    assert (found.exit_code, found.stdout.split()[-1]) == (0, "2,2")
    assert caplog.text.count("is damaged, so its rows are left out") == 4
    exported = CliRunner().invoke(main, ["log", "export", "a/b", "--log", folder, "-o", str(tmp_path / "rows.parquet")])
    assert exported.output.startswith("2 rows written")


@pytest.mark.parametrize("sql", ["SELECT * FROM '{other}'", "COPY requests TO '{other}'", "SET enable_external_access = true"])
def test_a_query_neither_reads_nor_writes_other_files(state: Path, tmp_path: Path, sql: str) -> None:
    other, folder = tmp_path / "other.csv", str(tmp_path / "log")
    other.write_text("secret\n1\n")
    CliRunner().invoke(main, ["log", "roll", "--state", str(state)])
    refused = CliRunner().invoke(main, ["log", "query", sql.format(other=other), "--log", folder])
    assert refused.exit_code == 1
    assert other.read_text() == "secret\n1\n"


def test_a_file_that_is_damaged_inside_is_named_and_left_out(
    state: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, out = str(tmp_path / "log"), tmp_path / "rows.parquet"
    CliRunner().invoke(main, ["log", "roll", "--state", str(state)])
    (path,) = (tmp_path / "log/requests").glob("*/*/*.parquet")
    damaged = path.with_name(f"{'0' * 16}-{1:012}-{2:012}.parquet")
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    damaged.write_bytes(content)
    for command in (["query", "SELECT * FROM requests"], ["labels"], ["export", "a/b", "-o", str(out)]):
        caplog.clear()
        found = CliRunner().invoke(main, ["log", *command, "--log", folder])
        assert (found.exit_code, found.exception) == (0, None), found.output
        assert caplog.messages == [f"{damaged} is damaged, so its rows are left out; restore it from a backup, or delete it"]
    path.unlink()
    refused = CliRunner().invoke(main, ["log", "export", "a/b", "--log", folder, "-o", str(out)])
    assert (refused.exit_code, list(tmp_path.glob(".rows*"))) == (1, [])
    assert "has no logged requests of a/b" in refused.output


def test_folders_and_pipes_among_the_files_are_left_out(state: Path, tmp_path: Path) -> None:
    CliRunner().invoke(main, ["log", "roll", "--state", str(state)])
    (path,) = (tmp_path / "log/requests").glob("*/*/*.parquet")
    os.mkfifo(path.with_name(f"{'0' * 16}-{1:012}-{2:012}.parquet"))
    path.with_name(f"{'0' * 16}-{2:012}-{3:012}.parquet").mkdir()
    odd = path.parent.with_name("day=2013-13-45")
    odd.mkdir()
    (odd / path.name).write_bytes(path.read_bytes())
    query = ["log", "query", "SELECT count(*) FROM requests", "--log", str(tmp_path / "log")]
    assert CliRunner().invoke(main, query).stdout.split()[-1] == "2"


def test_a_file_that_no_gateway_has_written_is_named_and_left_out(
    state: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    CliRunner().invoke(main, ["log", "roll", "--state", str(state)])
    (path,) = (tmp_path / "log/requests").glob("*/*/*.parquet")
    foreign = path.with_name(f"{'0' * 16}-{1:012}-{2:012}.parquet")
    pq.write_table(
        pa.table({"request_id": ["r"], "row": ["x"], "champion_version": ["one"], "champion_status": ["ok"]}), foreign
    )
    query = ["log", "query", "SELECT count(*) FROM requests WHERE champion_version = 1", "--log", str(tmp_path / "log")]
    result = CliRunner().invoke(main, query)
    assert result.exit_code == 0, result.output
    assert f"no gateway has written {foreign}: row is VARCHAR instead of BIGINT" in caplog.text


def test_an_input_of_another_type_than_the_schema_is_exported_as_text_with_a_warning(state: Path, tmp_path: Path) -> None:
    CliRunner().invoke(main, ["log", "roll", "--state", str(state)])
    schema = tmp_path / "schema.yaml"
    schema.write_text("features:\n  x: {type: boolean}\n")
    export = ["log", "export", "a/b", "--log", str(tmp_path / "log"), "-o", str(tmp_path / "rows.parquet")]
    found = CliRunner().invoke(main, [*export, "--schema", str(schema)])
    assert found.stderr == (
        'warning: x is written as text, because 1 of 2 rows has a value that is not of its type, boolean, such as "2"\n'
    )
    assert pq.read_schema(tmp_path / "rows.parquet").field("x").type == "string"


def test_a_file_in_place_of_the_folder_is_named(state: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    result = CliRunner().invoke(main, ["log", "roll", "--state", str(state)])
    assert (result.exit_code, result.output.count(f"cannot be written to {tmp_path / 'log'}: it is a file; ")) == (1, 1)


def test_a_folder_that_cannot_be_made_is_told_before_there_is_something_to_write(tmp_path: Path) -> None:
    store_settings(tmp_path, RollSettings(folder=Path("/proc/nope")))
    RequestLog(tmp_path, keep_rows=1000, keep_bytes=1 << 30).close()
    result = CliRunner().invoke(main, ["log", "roll", "--state", str(tmp_path)])
    assert (result.exit_code, result.output.count("cannot be written to /proc/nope: ")) == (1, 1)


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, ["log", "roll", "--state", str(tmp_path)])
    assert "is not the state folder of a gateway that has been started" in refused.output
    assert list(tmp_path.iterdir()) == []
    assert "no logged requests" in CliRunner().invoke(main, ["log", "query", "SELECT 1", "--log", str(tmp_path)]).output
    nowhere = ["log", "export", "m", "-o", str(tmp_path / "x.parquet"), "--log", str(tmp_path / "no")]
    assert "is not a folder; give the folder of the request log" in CliRunner().invoke(main, nowhere).output


def test_the_example_of_the_guide_reads_the_files(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    CliRunner().invoke(main, ["log", "roll", "--state", str(state)])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(Path(__file__).parents[3] / "docs/examples/request_log.py"))
    assert capsys.readouterr().out.split() == ["model,day,champion_version,requests,mean", "a/b,1970-01-02,1,1,0.375"]


def test_a_log_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "state").mkdir()
    log = RequestLog(tmp_path / "state", keep_rows=10, keep_bytes=1 << 20)
    store_settings(tmp_path / "state", RollSettings(folder=tmp_path / "file" / "log", hash_columns=("a",)))
    log.close()
    made = CliRunner().invoke(main, ["log", "roll", "--state", str(tmp_path / "state")])
    assert (made.exit_code, made.exception.__class__) == (1, SystemExit), made.output
    assert "check the folder that taxiway serve --log-folder names" in made.output


def test_a_url_is_no_log_folder(tmp_path: Path) -> None:
    made = CliRunner().invoke(main, ["serve", "--state", str(tmp_path), "--log-folder", "s3://bucket/log"])
    assert made.exit_code == 2
    assert "is a URL; allowed: a folder" in made.output
