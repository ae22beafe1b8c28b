"""The `taxiway` command."""

from taxiway.cli.main import main

__all__ = ["main"]
