"""The `taxiway` command line."""

from taxiway.cli.main import main

__all__ = ["main"]
