"""Run `taxiway lint` in this process, on copies of this repository's pipelines that have a mistake."""

from pathlib import Path

from click.testing import CliRunner

from taxiway.cli import main

DAGS = Path(__file__).parents[3] / "dags"


def lint(*paths: Path) -> tuple[int, str]:
    shown = CliRunner().invoke(main, ["lint", *map(str, paths)])
    return shown.exit_code, shown.output


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
