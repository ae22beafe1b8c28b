"""The last scenario of the demonstration: labels come late, people label rows, approve a version and roll it back.

A pipeline of its own is run by the commands that people use, beside the stack; they print what they do.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from rich.console import Console

from taxiway.demo.flights import write_span
from taxiway.ledger.keys import VARIABLE
from taxiway.lineage.outcomes import summaries
from taxiway.local.stack import Stack
from taxiway.records import Outcome
from taxiway.store import Store
from taxiway.tracking.local import environment

if TYPE_CHECKING:
    import pandas as pd

LABELLED = "flights.labelled_arrivals"
EXPECTED = {"2013-02": Outcome.FIRST_CHAMPION, "2013-03": Outcome.PROMOTED}
_SPAN = "2013-03"
_ROWS, _KNOWN, _ASKED = 4_000, 250, 300
_COLUMNS = ["flight_id", "carrier", "origin", "distance", "weekday", "hour", "precip", "visib", "late"]

Command = Callable[[Sequence[str]], int]
"""Runs a command of `taxiway`, given as its arguments, in this process; returns its exit code."""


class PeopleScenario:
    """People decide about flights whose labels come late.

    Args:
        console: Where to print.
        stack: The running stack.
        dags: The folder of the pipeline files.
        months: The flights of each month.
        taxiway: Runs a command.
    """

    def __init__(
        self, console: Console, stack: Stack, dags: Path, months: "Mapping[str, pd.DataFrame]", taxiway: Command
    ) -> None:
        self.console = console
        self.stack = stack
        self.file = dags.joinpath(*LABELLED.split(".")).with_suffix(".pipeline.yaml")
        self.dags = dags
        self.taxiway = taxiway
        self.months = {
            name: months[name][_COLUMNS].sample(_ROWS, random_state=0).sort_index().reset_index(drop=True)
            for name in ("2013-01", "2013-02", _SPAN)
        }

    def play(self) -> None:
        """Play the scenario from its beginning to its end."""
        rows = self.stack.home.root / "rows_to_label.csv"
        rows.unlink(missing_ok=True)
        with environment(_variables(self.stack)):
            self._say("A first model needs an approval, as each version of this pipeline does:")
            for month in ("2013-01", "2013-02"):
                write_span(self.months[month], self._source, month)
            self._run()
            self._do("approve", f"{LABELLED}/{self._newest_version()}", "--reason", "better than no model")
            self._say("March arrives before anybody knows which flights were late. Its other columns are validated at once:")
            self._arrive(0)
            self._run()
            self._say(f"The labels of {_KNOWN} flights come, too few to decide:")
            self._arrive(_KNOWN)
            self._run()
            self._say(f"So a person labels {_ASKED} more:")
            asked = f"{LABELLED}/{self._newest_version()}"
            where = ("--dags", str(self.dags), "--data", str(self.stack.home.data))
            self._do("label", "export", asked, "-o", str(rows), "--rows", str(_ASKED), "--at-random", *where)
            self._label(rows)
            self._do("label", "import", asked, str(rows), "--by", "Ada", *where)
            self._run("--span", _SPAN)
            self._do("approve", f"{LABELLED}/{self._newest_version()}", "--reason", "as good on new flights")
            self._say("It is rolled back all the same:")
            self._do("rollback", LABELLED, "--reason", "it is slower than the service allows")

    @property
    def _source(self) -> Path:
        return self.stack.home.data / "flights_labelled"

    def _arrive(self, known: int) -> None:
        """Write March with so many labels, evenly over the month."""
        rows = self.months[_SPAN]
        kept = rows.index % (_ROWS // _KNOWN) == 0
        late = rows["late"].astype("boolean").where(kept & (known > 0))
        write_span(rows.assign(late=late), self._source, _SPAN)

    def _label(self, file: Path) -> None:
        """Fill in the labels, as a person would."""
        import pandas as pd

        late = self.months[_SPAN].set_index("flight_id")["late"]
        rows = pd.read_csv(file)
        rows.assign(late=late.loc[rows["flight_id"]].to_numpy()).to_csv(file, index=False)

    def _newest_version(self) -> int:
        from mlflow import MlflowClient

        found = MlflowClient(self.stack.url("mlflow")).search_model_versions(f"name='{LABELLED}'")
        return max(int(version.version) for version in found)

    def _run(self, *more: str) -> None:
        home = self.stack.home
        where = ("--data", str(home.data), "--tracking-uri", self.stack.url("mlflow"), "--store", str(home.store))
        self._do("run", os.path.relpath(self.file), *more, *where)

    def _do(self, *arguments: str) -> None:
        self.console.print(f"  [bold]$ {join(('taxiway', *arguments))}[/bold]", soft_wrap=True, highlight=False)
        with redirect_stdout(self.console.file), redirect_stderr(self.console.file):
            self.taxiway(arguments)

    def _say(self, text: str) -> None:
        self.console.print(f"\n  {text}", highlight=False, soft_wrap=True)


def problem_of(stack: Stack) -> str:
    """Why the scenario did not end as expected; empty if it did."""
    found = {summary.span.name: summary for summary in summaries(Store(str(stack.home.store)), LABELLED)}
    for span, expected in EXPECTED.items():
        outcome = found[span].outcome if span in found else "missing"
        if outcome != expected:
            return f"the outcome of {LABELLED} on {span} is {outcome}, expected {expected}"
    return ""


def _variables(stack: Stack) -> dict[str, str]:
    """By which commands find the stack wherever its home is."""
    return {
        "MLFLOW_TRACKING_URI": stack.url("mlflow"),
        "TAXIWAY_STORE": str(stack.home.store),
        "TAXIWAY_GATEWAY": stack.url("gateway"),
        "TAXIWAY_ADMIN_TOKEN": stack.secrets.gateway_admin_token,
        VARIABLE: stack.secrets.ledger_keys,
    }
