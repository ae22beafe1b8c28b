"""What the ledger costs as it grows: a decision, a query about a model, what pages and runs read, and the gateway's look.

The bound is taken in the same run: at most twice the time after 100 entries. CPU milliseconds, on an MLflow without a server, in a
local database. A verification reads everything, so its time is given for each link.

    python benchmarks/ledger.py
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from history import cpu_ms
from measuring import show

from taxiway.evaluation.evaluation_set import evaluation_set
from taxiway.ledger.answers.asking import answer, ask
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import decisions, record_decision
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.ledger.promotions import entries
from taxiway.ledger.verify import verify
from taxiway.records import Answered, Asked, Decision, DecisionKind, ShadowReport, Status, Verdict
from taxiway.registry.promote import push
from taxiway.tracking import tags
from taxiway.tracking.local import local_mlflow

SIZES = (100, 1_000, 3_000)
MODELS = 10
SHOWN = 10
"""How many decisions a page shows."""


def decision(number: int) -> Decision:
    return Decision(
        kind=DecisionKind.WAIVER,
        model=f"team.model{number % MODELS}",
        about=f"{number:032}",
        by="ann@host",
        via="command line",
        at=datetime.now(UTC),
        reason=f"reason {number}",
        anomaly="range",
        column="a",
    )


def ask_and_answer(ledger: Ledger, number: int) -> None:
    """A query about a model on new rows, and its answer, as the model gate records them."""
    rows = evaluation_set(pd.DataFrame({"a": np.random.default_rng(number).normal(size=1000)}), ())
    common: dict[str, Any] = {"key": f"{number:032}", "by": "dag/run", "at": datetime.now(UTC)}
    asked = Asked(model="team.model0", version=1, evaluation_set=rows, steps=8, passes=1, **common)
    ask(ledger, asked)
    answer(ledger, asked, Answered(log_share=-2.0, status=Status.FAIL, shown="decision", **common))


def promote(ledger: Ledger) -> None:
    """A champion of the first model."""
    model = "team.model0"
    ledger.client.create_registered_model(model)
    ledger.client.create_model_version(model, "file:///nowhere", tags={tags.NEWEST_SPAN: "1", tags.FILES: "f"})
    verdict = Verdict(model=model, version=1, snapshot="s", evaluation="e", status=Status.PASS, reasons=())
    shadow = ShadowReport(model=model, version=1, status=Status.NOT_APPLICABLE, reasons=())
    push(ledger, verdict, shadow, by="dag/run", at=datetime.now(UTC))


def operations(ledger: Ledger, numbers: Iterator[int], size: int) -> dict[str, Callable[[], Any]]:
    """What is measured."""
    return {
        "append a decision": lambda: record_decision(ledger, decision(next(numbers))),
        "ask about a model and answer": lambda: ask_and_answer(ledger, next(numbers)),
        "the decisions about a report": lambda: decisions(ledger, about=f"{size // 2:032}"),
        f"the newest {SHOWN} decisions of a model": lambda: decisions(ledger, model="team.model1", limit=SHOWN),
        "the gateway's look at the promotions": lambda: entries(ledger.client, "team.model0", limit=50),
    }


def measure(sizes: tuple[int, ...]) -> list[tuple[str, ...]]:
    """A row for each operation: its times after each size, and the ratio of the last to the first."""
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, local_mlflow(Path(folder)) as client:
        ledger, numbers, written = Ledger(client, LedgerKeys((new_key(),))), itertools.count(), 0
        promote(ledger)
        for size in sizes:
            while written < size:
                record_decision(ledger, decision(next(numbers)))
                ask_and_answer(ledger, next(numbers))
                written += 1
            for name, work in operations(ledger, numbers, size).items():
                times.setdefault(name, []).append(cpu_ms(work))
            found = verify(ledger)
            assert found.problems == ()
            times.setdefault("verification, for each link", []).append(cpu_ms(lambda: verify(ledger)) / found.links)
    return [(name, *(f"{ms:.2f}" for ms in row), f"{row[-1] / row[0]:.1f}") for name, row in times.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="How many entries.")
    sizes = tuple(parser.parse_args().sizes)
    show("The ledger", ("CPU ms", *(f"{size:,} entries" for size in sizes), "last / first"), measure(sizes))


if __name__ == "__main__":
    main()
