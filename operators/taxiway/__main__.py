"""The entry point of the command `taxiway`, and of `python -m taxiway`."""

import signal
import sys


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback, also while its modules are imported."""
    try:
        from taxiway.cli import main as command

        command()
    except KeyboardInterrupt:
        print("taxiway: interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
