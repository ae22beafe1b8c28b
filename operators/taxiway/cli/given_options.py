"""Commands that the command line prints, completed by the options that the user has given, so that they can be copied."""

import re
from shlex import quote

import click
from click.core import ParameterSource

from taxiway.credentials import without_credentials

_COMMAND = re.compile(r"\btaxiway((?: [a-z][a-z-]*)+)")
_OPTIONS = ("dags", "data", "tracking_uri", "store", "gateway", "home")
"""The options that say which installation and which files a command is about."""


def with_given_options(text: str) -> str:
    """A message with the commands in it completed: each gets those options of the present command line that it knows.

    Options from the environment are left out, because the next command finds them there, too.

    Args:
        text: The message, with commands such as `taxiway run FILE`.
    """
    context = click.get_current_context(silent=True)
    root = context.find_root().command if context is not None else None
    if context is None or not isinstance(root, click.Group):
        return text
    given = _given(context)
    return _COMMAND.sub(lambda found: _completed(root, context, found, given), text) if given else text


def _given(context: click.Context) -> dict[str, str]:
    """The options of `_OPTIONS` on the command line, as they are written, by their names."""
    found = {}
    for option in context.command.params:
        name = option.name
        if name in _OPTIONS and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            found[option.opts[0]] = f"{option.opts[0]} {quote(without_credentials(str(context.params[name])))}"
    return found


def _completed(root: click.Group, context: click.Context, found: re.Match[str], given: dict[str, str]) -> str:
    command: click.Command | None = root
    words, rest = [], found.group(1).split()
    while isinstance(command, click.Group) and rest:
        words.append(rest.pop(0))
        command = command.get_command(context, words[-1])
    if command is None or isinstance(command, click.Group):
        return found.group(0)
    known = {name for option in command.params for name in option.opts}
    return " ".join(["taxiway", *words, *(text for name, text in given.items() if name in known), *rest])
