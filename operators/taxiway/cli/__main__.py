"""The entry point of `python -m taxiway.cli`."""

from taxiway.cli.main import main

main()
