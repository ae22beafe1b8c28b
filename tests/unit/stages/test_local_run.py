"""`taxiway run` and `taxiway.run`: models and records in a local folder, and messages for mistakes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from stages.conftest import Site

import taxiway
from taxiway.cli import main
from taxiway.errors import ConfigError
from taxiway.records import Status
from taxiway.registry.aliases import CHAMPION
from taxiway.stages.installation import Sharing, open_installation


def test_two_runs_do_not_share_a_local_folder_at_once(site: Site) -> None:
    with (
        open_installation(None, None, None, site.folder / "home"),
        pytest.raises(ConfigError, match="another run uses"),
        open_installation(None, None, None, site.folder / "home"),
    ):
        pass


def test_a_store_needs_the_mlflow_server_that_belongs_to_it(site: Site) -> None:
    with pytest.raises(ConfigError, match="--tracking-uri"), open_installation(None, None, "s3://bucket", site.folder):
        pass


def test_records_of_a_shared_server_are_kept_apart_from_those_of_local_runs(site: Site) -> None:
    home, mlflow_url = site.folder / "home", "http://127.0.0.1:9"
    with open_installation(None, None, None, home) as local, open_installation(None, mlflow_url, None, home) as tracked:
        assert local.store.url != tracked.store.url
        assert (local.sharing, tracked.sharing) == (Sharing.NOBODY, Sharing.MLFLOW)


def pipeline_file(site: Site) -> Path:
    site.pipeline()
    path = site.folder / f"{site.name}.pipeline.yaml"
    path.write_text(
        f"pipeline: {site.name}\nteam: runner\n"
        'source: {spans: "{data}/{SPAN}.parquet", window: 1, label: y}\nschema: small.schema.yaml\n'
        "model: {estimator: sklearn.linear_model.LogisticRegression}\n"
        "gate: {thresholds: {roc_auc: 0.6}, against_champion: {metric: roc_auc}}\n"
    )
    return path


def test_the_command_line_and_the_function_keep_models_in_a_local_folder(site: Site) -> None:
    """Slow, by 5 s, because MLflow makes its database: that is what is tried."""
    path, home = pipeline_file(site), site.folder / "home"
    arguments = ["run", str(path), "--data", str(site.data), "--home", str(home)]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    assert "✓ validate_model" in shown.output
    assert "FIRST CHAMPION 2, version 1" in shown.output
    uri = f"sqlite:///{home}/mlflow.db"
    assert f"mlflow ui --backend-store-uri {uri}" in shown.output
    assert MlflowClient(uri, uri).get_model_version_by_alias(f"runner.{site.name}", CHAMPION).version == 1

    site.arrive(3, scale=1000)
    shown = CliRunner().invoke(main, arguments)
    assert (shown.exit_code, "BLOCKED 3" in shown.output) == (1, True)
    assert "a in span 3 is outside -100 to 100" in shown.output

    shown = CliRunner().invoke(main, arguments)
    assert (shown.exit_code, "nothing to do" in shown.output) == (0, True)

    site.arrive(4)
    found = taxiway.run(path, span="4", until="validate_data", data=str(site.data), home=home)
    assert found.report is not None
    assert found.report.status is Status.FAIL, "span 3 is in the window"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.pipeline.yaml"], "nothing.pipeline.yaml does not exist"),
        (["{file}", "--data", "/nowhere"], "data is /nowhere, which is not a folder"),
        (["{file}", "--data", "foo://x"], "Protocol not known: foo"),
        (["{file}", "--home", "/proc/x"], "the folder /proc/x cannot be written"),
        (["{file}", "--span", "9"], "span 9 does not exist at the source"),
        (["{file}", "--until", "tune"], 'until is "tune"'),
    ],
)
def test_a_usage_error_ends_with_code_2(site: Site, arguments: list[str], message: str) -> None:
    given = [part.replace("{file}", str(pipeline_file(site))) for part in arguments]
    shown = CliRunner().invoke(main, ["run", "--data", str(site.data), "--home", str(site.folder / "home"), *given])
    assert shown.exit_code == 2, shown.output
    assert message in shown.output


def test_the_default_data_folder_is_the_one_that_example_data_writes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path, folder = pipeline_file(site), site.folder / "elsewhere" / ".taxiway"
    folder.mkdir(parents=True)
    site.data.rename(folder / "data")
    monkeypatch.chdir(folder.parent)
    assert taxiway.run(path, until="ingest").snapshot is not None


@pytest.mark.parametrize("home", ["a?b", "a%20b"])
def test_a_home_that_mlflow_would_read_as_part_of_a_url_is_refused(site: Site, home: str) -> None:
    with pytest.raises(ConfigError, match="which MLflow reads as part of a URL"):
        taxiway.run(pipeline_file(site), data=str(site.data), home=site.folder / home)


@pytest.mark.usefixtures("database_is_made")
def test_a_database_whose_making_was_interrupted_is_made_again(site: Site) -> None:
    """Slow, by 5 s, because MLflow makes its database: that is what is tried."""
    home = site.folder / "home with a space"
    home.mkdir()
    half = home / "mlflow.db.new"
    with closing(sqlite3.connect(half)) as connection:
        connection.execute("CREATE TABLE datasets (x)")
    assert taxiway.run(pipeline_file(site), until="ingest", data=str(site.data), home=home).snapshot is not None
    assert not half.exists()


def test_a_file_that_is_not_a_database_is_named(site: Site) -> None:
    home = site.folder / "home"
    home.mkdir()
    (home / "mlflow.db").write_bytes(b"junk" * 1000)
    with pytest.raises(ConfigError, match=r"mlflow.db cannot be used as MLflow's database .*file is not a database"):
        taxiway.run(pipeline_file(site), data=str(site.data), home=home)


def test_a_folder_is_not_a_pipeline_file(site: Site) -> None:
    with pytest.raises(ConfigError, match=f"{site.folder} cannot be read: Is a directory"):
        taxiway.run(site.folder)
