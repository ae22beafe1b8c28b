"""`taxiway predict`: a champion of local runs scores files, continues where it was killed, and replaces nothing unasked."""

import fcntl
import json
import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli.local_runs import NAME, done, refused, taxiway
from stages.conftest import Site

from helping import PATIENCE_S
from taxiway.cli.main import main
from taxiway.errors import ConfigError
from taxiway.models.predictor import predictor_of
from taxiway.registry.load import load_trusted
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.process import predict_with
from taxiway.stages.batch.version import Version, row_model
from taxiway.stages.installation import DEFAULT_HOME
from taxiway.tracking.local import database_uri


@pytest.fixture
def champion(champion_site: Site) -> Site:
    return champion_site


def predictions(folder: str = "out") -> pd.DataFrame:
    """The predictions of all files, in order, as people read them."""
    return pd.read_parquet(folder)


def test_the_champion_scores_a_file_as_the_gateway_does(champion: Site) -> None:
    rows = pd.read_parquet("data/2.parquet")
    output = done("predict", NAME, "data/2.parquet", "-o", "out", "--key", "y", "--rows-per-file", "64")
    assert f"{len(rows):,} rows scored with {NAME} version 1" in output
    found = predictions()
    assert list(found["y"]) == list(rows["y"])
    assert set(found["model"]) == {NAME}
    assert set(found["version"]) == {1}
    assert [len(pd.read_parquet(path)) for path in sorted(Path("out").glob("part-*"))[:-1]] == [64] * (len(rows) // 64)
    model = load_trusted(database_uri(DEFAULT_HOME), NAME, 1)
    names = [name for name in rows.columns if name != "y"]
    cells = rows[names].astype("object").where(rows[names].notna(), None).to_numpy().tolist()
    (outcome,) = predict_with(predictor_of(model), [Rows(tuple(names), cells)])
    probabilities = found[[name for name in found.columns if name.startswith("probability_")]]
    assert json.loads(outcome.predictions) == probabilities.to_numpy().tolist()
    assert json.loads(Path("out/_batch.json").read_text())["finished_at"]


def test_the_forms_of_a_version(champion: Site) -> None:
    for name in (f"{NAME}/1", f"{NAME}@champion"):
        done("predict", name, "data/1.parquet", "-o", f"out-{name[-1]}")
    for name, says in (
        (f"{NAME}/9", "has no version 9; it has the versions 1"),
        (f"{NAME}/x", "is not the name of a model; allowed: MODEL, MODEL@alias or MODEL/version"),
        (f"{NAME}@canary", 'has no alias "canary"'),
        ("nobody.trained", "has no champion"),
    ):
        assert says in refused("predict", name, "data/1.parquet", "-o", "none")
    assert not Path("none").exists()


def test_nothing_is_replaced_unasked(champion: Site) -> None:
    predict = ("predict", NAME, "data/1.parquet", "-o", "out")
    done(*predict)
    before = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    done("predict", NAME, "./data/1.parquet", "-o", "out")  # finished already
    assert {path: path.stat().st_mtime_ns for path in Path("out").iterdir()} == before
    other = ("predict", NAME, "data/2.parquet", "-o", "out")
    assert "has other predictions (their digest of the data is" in refused(*other)
    assert {path: path.stat().st_mtime_ns for path in Path("out").iterdir()} == before
    done(*other, "--overwrite")
    assert len(predictions()) == len(pd.read_parquet("data/2.parquet"))
    assert "has other files, such as " in refused("predict", NAME, "data/1.parquet", "-o", "data", "--overwrite")


def _killed(*command: str) -> None:
    """Run a command in this process, which is killed while it writes its fourth file."""
    write_table = pq.write_table

    def dying(table: pa.Table, where: Any, **options: Any) -> None:
        write_table(table, where, **options)
        if "part-00003" in str(where):
            os.truncate(where, 100)
            os.kill(os.getpid(), signal.SIGKILL)

    pq.write_table = dying
    main(command)


def test_a_killed_batch_continues(champion: Site) -> None:
    command = ("predict", NAME, "data/2.parquet", "-o", "out", "--rows-per-file", "50")
    killed = multiprocessing.get_context("fork").Process(target=_killed, args=command)
    killed.start()
    killed.join(PATIENCE_S)
    assert killed.exitcode == -signal.SIGKILL
    written = {path: path.stat().st_mtime_ns for path in Path("out").glob("part-*.parquet")}
    assert len(written) == 3
    assert list(Path("out").glob(".*"))
    assert json.loads(Path("out/_batch.json").read_text())["finished_at"] is None
    done(*command)
    assert {path: path.stat().st_mtime_ns for path in written} == written  # not scored again
    assert len(list(Path("out").glob("part-*.parquet"))) == 20
    done(*command[:3], "-o", "whole")
    assert predictions("out").equals(predictions("whole"))
    assert not list(Path("out").glob(".*"))


def test_two_processes_do_not_write_one_folder(champion: Site) -> None:
    Path("out").mkdir()
    Path("out/._batch.json.partial").write_text("{")  # of a process that was killed
    folder = os.open("out", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    predict = ("predict", NAME, "data/1.parquet", "-o", "out")
    assert "another process writes predictions into out" in refused(*predict)
    os.close(folder)
    done(*predict)


def test_rows_are_read_in_parts(champion: Site) -> None:
    rows = pd.read_parquet("data/2.parquet")
    pq.write_table(pq.read_table("data/2.parquet"), "groups.parquet", row_group_size=70)
    rows.to_csv("rows-1.csv", index=False)
    rows.to_csv("rows-2.csv", index=False)
    done("predict", NAME, "groups.parquet", "-o", "out", "--rows-per-file", "100")
    done("predict", NAME, "rows-*.csv", "-o", "twice", "--rows-per-file", "330")
    assert predictions("twice").equals(pd.concat([predictions("out")] * 2, ignore_index=True))


def test_the_rows_of_a_query_are_scored(champion: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect("rows.db")) as database:
        pd.read_parquet("data/1.parquet").drop(columns="y").to_sql("arrived", database, index=False)
    monkeypatch.setenv("TAXIWAY_DATABASE", "sqlite:///rows.db")
    done("predict", NAME, "SELECT * FROM arrived ORDER BY id", "-o", "query", "--key", "id")
    monkeypatch.delenv("TAXIWAY_DATABASE")
    done("predict", NAME, "data/1.parquet", "-o", "file", "--key", "id")
    assert predictions("query").equals(predictions("file"))
    assert json.loads(Path("query/_batch.json").read_text())["data"] == "sqlite:///rows.db: SELECT * FROM arrived ORDER BY id"
    refusal = refused("predict", NAME, "SELECT 1", "-o", "none", "--database", "nothing://ann:secret@host/rows")
    assert "the database nothing://host/rows cannot be used" in refusal
    assert "secret" not in refusal


def test_digits_in_a_category_are_text(champion: Site) -> None:
    rows = pd.read_parquet("data/1.parquet").assign(b="007")
    rows.to_parquet("text.parquet")
    rows.to_csv("digits.csv", index=False)
    for data in ("text.parquet", "digits.csv"):
        done("predict", NAME, data, "-o", data.partition(".")[0], "--key", "b")
    assert set(predictions("digits")["b"]) == {"007"}
    assert predictions("digits").equals(predictions("text"))


def test_a_key_has_one_type_in_all_files(champion: Site) -> None:
    rows = pd.read_parquet("data/1.parquet")
    rows.astype({"id": "int32"}).to_parquet("some-1.parquet")
    rows.to_parquet("some-2.parquet")
    done("predict", NAME, "some-*.parquet", "-o", "out", "--key", "id", "--rows-per-file", "300")
    assert {pq.read_schema(path).field("id").type for path in Path("out").glob("part-*")} == {pa.int64()}
    assert list(predictions()["id"]) == [*rows["id"], *rows["id"]]


def test_bad_input_is_named(champion: Site) -> None:
    rows = pd.read_parquet("data/1.parquet")
    predict = ("predict", NAME, "data/1.parquet", "-o", "out")
    assert 'no column "z" for --key; allowed: ' in refused(*predict, "--key", "z")
    rows.drop(columns="a").to_parquet("narrow.parquet")
    assert "which the model needs" in refused("predict", NAME, "narrow.parquet", "-o", "narrow")
    assert "does not exist" in refused("predict", NAME, "none.parquet", "-o", "out")
    Path("file").write_text("")
    assert taxiway("predict", NAME, "data/1.parquet", "-o", "file").exit_code == 2
    rows.rename(columns={"y": "prediction"}).to_parquet("taken.parquet")
    assert "is the name of a column of the predictions" in refused(
        "predict", NAME, "taken.parquet", "-o", "out", "--key", "prediction"
    )


def test_a_model_of_no_pipeline_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"a\.b version 3 was not trained by a pipeline"):
        row_model(object(), Version("a.b", 3, None))


def test_invalid_data_is_not_scored(champion: Site) -> None:
    rows = pd.read_parquet("data/1.parquet")
    rows.assign(a=rows["a"] * 1000).to_parquet("scaled.parquet")
    predict = ("predict", NAME, "scaled.parquet", "-o", "out", "--schema", "small.schema.yaml")
    refusal = refused(*predict)
    assert "range" in refusal
    assert "nothing was scored; correct the data, or score it anyway: --on-invalid-data continue" in refusal
    assert not Path("out").exists()
    assert "range" in done(*predict, "--on-invalid-data", "continue")
    assert len(predictions()) == len(rows)
    done("predict", NAME, "data/1.parquet", "-o", "valid", "--schema", "small.schema.yaml")
    rows.drop(columns="y").to_parquet("unlabelled.parquet")
    done("predict", NAME, "unlabelled.parquet", "-o", "unlabelled", "--schema", "small.schema.yaml")


def test_a_batch_is_one_mlflow_run_from_data_to_predictions_and_back(champion: Site) -> None:
    command = ("predict", NAME, "data/1.parquet", "-o", "out", "--key", "id", "--schema", "small.schema.yaml")
    done(*command)
    written = json.loads(Path("out/_batch.json").read_text())
    (part,) = Path("out").glob("part-*.parquet")
    assert pq.read_schema(part).metadata[b"taxiway.run"].decode() == written["run"]
    moved = part.rename("moved.parquet")
    found = json.loads(done("lineage", "predictions", str(moved), "--json"))
    assert (found["mlflow_run"], found["model"], found["version"]) == (written["run"], NAME, 1)
    assert (found["files"], found["data_digest"], found["rows"]) == (written["files"], written["data_digest"], written["rows"])
    assert (found["validation"], found["status"], found["keys"]) == ("PASS", "FINISHED", ["id"])
    assert found["folder"] == str(Path("out").absolute())
    assert Path(".taxiway/local/artifacts").is_dir()
    assert not Path("mlruns").exists()
    made = json.loads(done("lineage", "model", NAME, "--json"))
    assert made["mlflow_run"] == found["training_run"]
    assert [batch["mlflow_run"] for batch in made["batches"]] == [written["run"]]
    (use,) = json.loads(done("lineage", "data", written["data_digest"], "--json"))
    assert (use["mlflow_run"], use["context"], use["version"], use["folder"]) == (written["run"], "scoring", 1, found["folder"])
    shown = done("lineage", "predictions", "out")
    for text in (
        f"out has predictions of {NAME} version 1",
        "validation: PASS",
        "newest batches of predictions",
        "trained on 1",
    ):
        assert text in shown
    assert "Newest batches of predictions" in done("history", NAME)


def test_a_repeated_or_interrupted_batch_is_one_run(champion: Site) -> None:
    pd.read_parquet("data/1.parquet").drop(columns="a").to_parquet("narrow.parquet")
    predict = ("predict", NAME, "data/1.parquet", "-o", "out", "--rows-per-file", "50")
    done(*predict)
    first = json.loads(Path("out/_batch.json").read_text())
    Path("out/part-00001.parquet").unlink()
    Path("out/_batch.json").write_text(json.dumps({**first, "finished_at": None}))  # as if it had been killed
    done(*predict)
    done(*predict)
    done(*predict, "--overwrite")
    refused("predict", NAME, "narrow.parquet", "-o", "narrow")
    narrow, whole = json.loads(done("lineage", "model", NAME, "--json"))["batches"]
    assert (narrow["data"], narrow["status"], narrow["rows"]) == ("narrow.parquet", "FAILED", None)
    assert (whole["mlflow_run"], whole["status"]) == (first["run"], "FINISHED")
    assert len(json.loads(done("lineage", "data", first["data_digest"], "--json"))) == 1


def test_files_of_no_batch_are_named(champion: Site) -> None:
    done("predict", NAME, "data/1.parquet", "-o", "out")
    assert "does not name the MLflow run of a batch" in refused("lineage", "predictions", "data/1.parquet")
    assert "does not name the MLflow run of a batch" in refused("lineage", "predictions", "small.pipeline.yaml")
    assert "has no readable _batch.json" in refused("lineage", "predictions", "data")
    batch = json.loads(Path("out/_batch.json").read_text())
    Path("out/_batch.json").write_text(json.dumps({**batch, "run": "0" * 32}))
    assert "which this server does not have" in refused("lineage", "predictions", "out")
