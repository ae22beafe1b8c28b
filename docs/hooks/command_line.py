"""Generates the page of the command line: the help of every command."""

import re
from collections.abc import Iterator
from typing import Any

import click

PAGE = "reference/command-line.md"
INTRODUCTION = """\
# The command line

`make setup` puts the command `taxiway` into `.venv/bin`; the wheel brings it along. Each command shows this text with `--help`.
"""


def on_files(files: Any, config: Any) -> Any:
    """Adds the page."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, PAGE, content=page()))
    return files


def page() -> str:
    """The Markdown of the page."""
    from taxiway.cli import main

    return "\n".join([INTRODUCTION, *_described(main, click.Context(main, info_name="taxiway"), level=2)])


def _described(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}\n"
    yield f"{_text(command.help or '')}\n"
    yield f"```text\n{' '.join([context.command_path, *command.collect_usage_pieces(context)])}\n```\n"
    records = [param.get_help_record(context) for param in command.params]
    rows = [f"| `{option}` | {_cell(about)} |" for option, about in filter(None, records)]
    if rows:
        yield "\n".join(["| option | description |", "|---|---|", *rows, ""])
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            if not inner.hidden:
                yield from _described(inner, click.Context(inner, info_name=name, parent=context), min(level + 1, 3))


def _text(help_text: str) -> str:
    """The help of a command as Markdown, with characters escaped that Markdown would interpret."""
    return re.sub(r"([*<_\[])", r"\\\1", help_text.replace("\b", "").strip())


def _cell(about: str) -> str:
    return re.sub(r"([*<_|])", r"\\\1", " ".join(about.split()))
