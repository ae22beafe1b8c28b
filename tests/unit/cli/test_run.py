"""What the terminal of `taxiway run` shows while a stage runs."""

import io
import logging

from rich.console import Console

from taxiway.cli.run import Terminal, showing
from taxiway.training.history import PROGRESS


def test_the_progress_of_a_fit_is_beside_the_spinner_and_not_among_the_lines_of_the_stage() -> None:
    terminal = Terminal(Console(file=io.StringIO(), force_terminal=True))
    with showing(terminal):
        terminal.began("train")
        logging.getLogger(PROGRESS).debug("iteration 3 of 9, [2] per second")
        logging.getLogger("taxiway.training.train").debug("too much")
        logging.getLogger("taxiway.training.train").warning("it is overfitted")
        assert str(terminal.status.status) == "train: iteration 3 of 9, [2] per second"
        terminal.ended("train", 1.0, None)
    logging.getLogger("taxiway.training.train").warning("after the run")
    assert terminal.lines == ["it is overfitted"]
