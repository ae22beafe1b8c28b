"""Commands that the command line prints are those of the same installation."""

from pathlib import Path

import click

from taxiway.cli import main
from taxiway.cli.given_options import with_given_options


def completed(text: str, *given: str) -> str:
    """A message that `taxiway review` prints, if it is called with these options."""
    root = click.Context(main)
    command = main.get_command(root, "review")
    assert command is not None
    with command.make_context("review", list(given), parent=root):
        return with_given_options(text)


def test_each_command_gets_the_options_that_it_knows(tmp_path: Path) -> None:
    given = ("--dags", str(tmp_path), "--data", "my data", "--tracking-uri", "http://host:5000")
    shown = completed("taxiway run FILE --span 3, or taxiway label import a.b/3 FILE; see taxiway lint dags", *given)
    assert shown == (
        "taxiway run --data 'my data' --tracking-uri http://host:5000 FILE --span 3, or "
        f"taxiway label import --dags {tmp_path} --data 'my data' --tracking-uri http://host:5000 a.b/3 FILE; see taxiway lint dags"
    )


def test_a_password_is_not_printed(tmp_path: Path) -> None:
    shown = completed("taxiway approve a.b/3", "--dags", str(tmp_path), "--tracking-uri", "http://ann:secret@host")
    assert "--tracking-uri" in shown
    assert "secret" not in shown


def test_outside_of_a_command_a_message_is_left_as_it_is() -> None:
    assert with_given_options("taxiway run FILE") == "taxiway run FILE"
