"""The console on which commands print tables, trees and their progress."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_WIDTH = 1000


def stdout_console(*, highlight: bool = True) -> "Console":
    """A console on stdout. A pipe or a file has no width, so nothing is cut or wrapped there.

    Args:
        highlight: Whether numbers, paths and the like are colored.
    """
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=highlight)
