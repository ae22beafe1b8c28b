"""What a trial of a sweep costs beyond training and scoring it by hand.

The bike rentals' pipeline, its eight trials on five months, scored on the sixth. In one process, in turns: the same fits and
predictions by plain scikit-learn on matrices in memory (the limit); Taxiway's `run_trial` with records kept in a store; the same
trials once more, when the store has their scores; and what the nested runs cost, on a real MLflow server on this machine.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring import seconds, show

BIKES = Path(__file__).parents[1] / "dags" / "bikes"


class Sweep:
    """The bike rentals' sweep, planned in a store of its own."""

    def __init__(self, folder: Path) -> None:
        from taxiway.data.engine.read_rows import read_rows
        from taxiway.data.ingest.ingest import ingest
        from taxiway.data.schema.file import load_schema
        from taxiway.data.sources.files import find_spans
        from taxiway.demo.bikes import lay_out_rentals
        from taxiway.records import FeatureSet, Snapshot
        from taxiway.spec.files.pipeline_file import read_pipeline
        from taxiway.store import Store
        from taxiway.tuning.trials import plan_sweep

        lay_out_rentals(folder / "bikes")
        self.store, self.pipeline = Store(str(folder / "store")), read_pipeline(BIKES / "hourly_rentals.pipeline.yaml")
        found = find_spans(f"{folder}/bikes/{{YYYY}}-{{MM}}.parquet")[:7]
        snapshot = ingest(found, pipeline=self.pipeline.name, source="bikes", store=self.store)
        schema = load_schema(BIKES / "hourly_rentals.schema.yaml")
        plan = plan_sweep(self.pipeline, snapshot, schema, {}, store=self.store)
        self.trials = [json.loads(params) for params in plan.trials]
        self.features = self.store.get(FeatureSet, plan.features)
        tuning = self.store.get(Snapshot, plan.snapshot)
        self.training, self.rows = read_rows(tuning.training, self.store), read_rows(tuning.evaluation, self.store)

    def by_hand(self) -> None:
        """Fit and score with scikit-learn alone; the matrices are made once."""
        from sklearn.metrics import mean_absolute_error

        from taxiway.training.estimator import build_estimator

        for params in self.trials:
            fitted = build_estimator(self.pipeline.model, params, "regression").fit(*self._matrix(self.training))
            mean_absolute_error(self.rows["cnt"], fitted.predict(self._matrix(self.rows)[0]))

    def by_taxiway(self) -> None:
        """Every trial as a task runs it, with a recorder that only remembers."""
        from taxiway.records.recorder import InMemoryRecorder
        from taxiway.tuning.trials import run_trial

        for params in self.trials:
            run_trial(params, self.features, self.rows, self.pipeline, store=self.store, recorder=InMemoryRecorder())

    def forget(self) -> None:
        """Take the scores out of the store."""
        for name in self.store.list_refs("cache/trials"):
            self.store.delete_ref(f"cache/trials/{name}")

    def _matrix(self, rows: Any) -> tuple[Any, Any]:
        from taxiway.features import raw_frame

        return raw_frame(rows, self.features.numeric, ()).to_numpy(), rows["cnt"].to_numpy()


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """A real MLflow server with SQLite, for as long as the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = (sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    stores = ("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts"))
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "mlflow.log").open("wb") as log:
        server = subprocess.Popen([*command, *stores], env=environment, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{url}/health", timeout=2).close()
                break
            except OSError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise SystemExit(f"MLflow did not start:\n{(folder / 'mlflow.log').read_text()[-2000:]}") from None
                time.sleep(0.1)
        yield url
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def nested_run_seconds(url: str, times: int) -> float:
    """The median time of what a task says to MLflow of one trial: the nested run, its rows, parameters, metrics, its end."""
    from mlflow import MlflowClient

    from taxiway.records import Span
    from taxiway.tracking.run import MlflowRun

    parent = MlflowRun.find_or_make(MlflowClient(url), "bikes/hourly_rentals", "dag/run", {})
    spans = tuple(Span(source="bikes", name=f"2011-{month:02d}", rows=700, content=f"{month:032x}") for month in range(8, 13))
    taken = []
    for number in range(times):
        began = time.perf_counter()
        nested = parent.nested(f"{number:032x}", f"trial {number}")
        nested.datasets(spans[:-1], "training")
        nested.datasets(spans[-1:], "tuning")
        nested.params({"model.learning_rate": 0.1, "model.max_leaf_nodes": 31, "model.min_samples_leaf": 20})
        nested.metrics({"train.seconds": 1.0, "train.rows": 3651})
        nested.metrics({"tuning.mae": 40.0})
        nested.end("FINISHED")
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3, help="how often the eight trials are run (default: 3)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        sweep = Sweep(Path(name))
        sweep.by_hand()
        count = len(sweep.trials)
        turns = [
            (seconds(sweep.by_hand, 1), seconds(sweep.by_taxiway, 1, before=sweep.forget), seconds(sweep.by_taxiway, 1))
            for _ in range(asked.times)
        ]
        hand, ours, again = (statistics.median(column) / count * 1e3 for column in zip(*turns, strict=True))
        with mlflow_server(Path(name)) as url:
            nested = nested_run_seconds(url, 20) * 1e3
    rows = [
        ("scikit-learn by hand: fit and score", f"{hand:.0f}", "1.00"),
        ("Taxiway: run_trial, nothing kept yet", f"{ours:.0f}", f"{ours / hand:.2f}"),
        ("Taxiway: run_trial, scored before", f"{again:.1f}", f"{again / hand:.2f}"),
        ("MLflow: one nested run", f"{nested:.0f}", f"{nested / hand:.2f}"),
    ]
    show(f"One trial of {count}: bike rentals, 3,700 rows to learn from", ("what", "ms", "times by hand"), rows)


if __name__ == "__main__":
    main()
