"""The environment file of docker-compose.yml: complete, private, never overwritten."""

import re
from pathlib import Path

import yaml
from click.testing import CliRunner

from taxiway.cli.main import main

COMPOSE = (Path(__file__).parents[3] / "docker-compose.yml").read_text()


def write(path: Path) -> str:
    done = CliRunner().invoke(main, ["compose-env", "-o", str(path)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def secrets_in(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if line and not line.startswith("#"))


def test_it_holds_every_secret_that_compose_asks_for_and_no_other(tmp_path: Path) -> None:
    write(tmp_path / "env")
    assert secrets_in(tmp_path / "env").keys() == set(re.findall(r"\$\{(\w+):\?", COMPOSE))


def test_settings_that_it_names_are_those_of_compose_with_their_defaults(tmp_path: Path) -> None:
    write(tmp_path / "env")
    named = set(re.findall(r"^#(\w+)=(.*)$", (tmp_path / "env").read_text(), re.M))
    assert named <= set(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE))


def test_compose_has_no_secret_of_its_own() -> None:
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE):
        assert not re.search("PASSWORD|KEY|SECRET|TOKEN", name), f"{name} would be {default} where nobody sets it"


def test_secrets_are_fresh_and_long_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    said = write(tmp_path / "one")
    write(tmp_path / "two")
    one, two = secrets_in(tmp_path / "one"), secrets_in(tmp_path / "two")
    assert all(len(one[name]) >= 16 and one[name] != two[name] for name in one)
    assert all(re.fullmatch(r"[\w=-]+", value) for value in one.values()), (
        "addresses and shells read other characters as theirs"
    )
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    assert "docker compose" in said
    assert not [value for value in one.values() if value in said]


def test_a_second_one_is_refused_and_the_first_stays(tmp_path: Path) -> None:
    write(tmp_path / "env")
    before = (tmp_path / "env").read_text()
    refused = CliRunner().invoke(main, ["compose-env", "-o", str(tmp_path / "env")])
    assert refused.exit_code == 1
    assert "exists already" in refused.output
    assert (tmp_path / "env").read_text() == before


def test_mlflow_which_has_no_login_has_a_port_only_if_it_is_asked_for() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    assert {name for name, service in services.items() if "ports" in service} == {"airflow-api-server", "gateway"}
