"""What a window of monitoring costs, and the estimated performance alone, relative to scikit-learn's area under the ROC curve.

A classifier of two classes with a million different probabilities. Each time is of one metric with its interval; the memory is the
largest that Python and NumPy have allocated in addition to the rows. Then a whole window of as many requests with 15 inputs and a label
each, in a process of its own: all that a run of monitoring does with the rows of a window. Its memory is that above the imports.

    python benchmarks/monitoring.py --rows 1000000
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import drift as inputs
import numpy as np
from measuring import seconds, show
from sklearn.metrics import roc_auc_score

from taxiway.evaluation.predictions import Predictions
from taxiway.monitoring.calibration import calibrate
from taxiway.monitoring.estimate import estimated
from taxiway.monitoring.outliers.detectors import DETECTORS, Method
from taxiway.monitoring.realised import realised

SEED = 20130101
REFERENCE = 50_000
CLASSES = ("no", "yes")
METRICS = ("roc_auc", "accuracy", "precision", "recall", "f1", "log_loss")


def megabytes(work: Callable[[], Any]) -> float:
    """The largest memory that `work` has allocated at one time."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="Rows.")
    parser.add_argument("--times", type=int, default=3, help="Measurements of which the median is shown.")
    parser.add_argument("--compare", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.compare:
        print(json.dumps(compared(Path(arguments.compare))))
        return
    performance(arguments)
    window(arguments.rows)


def performance(arguments: argparse.Namespace) -> None:
    """Print what the estimated and the realised performance cost."""
    rng = np.random.default_rng(SEED)
    truth = rng.random(arguments.rows)
    labels = (rng.random(arguments.rows) < truth).astype(float)
    values = np.stack([1 - truth**2, truth**2], axis=1)
    made = Predictions(values, (values[:, 1] >= 0.5).astype(np.intp), 1)
    calibration = calibrate(values[:REFERENCE], labels[:REFERENCE])
    probabilities = calibration.probabilities(values)

    def estimate(metric: str) -> Callable[[], Any]:
        return lambda: estimated(metric, made, probabilities, CLASSES, 0.99)

    works: dict[str, Callable[[], Any]] = {
        "roc_auc_score of scikit-learn, with labels": lambda: roc_auc_score(labels, values[:, 1]),
        f"fit a calibration, {REFERENCE:,} rows": lambda: calibrate(values[:REFERENCE], labels[:REFERENCE]),
        "calibrate": lambda: calibration.probabilities(values),
        **{f"estimate {metric}": estimate(metric) for metric in METRICS},
        "realised accuracy": lambda: realised("accuracy", made, labels, CLASSES, 0.99),
    }
    taken = [seconds(work, arguments.times) for work in works.values()]
    rows = [
        (name, f"{each:.2f}", f"{each / taken[0]:.1f}", f"{megabytes(work):,.0f}")
        for (name, work), each in zip(works.items(), taken, strict=True)
    ]
    show(f"Estimated performance of {arguments.rows:,} rows", ("", "s", "relative", "MB"), rows)


def window(rows: int) -> None:
    """Print what a window costs."""
    with tempfile.TemporaryDirectory() as folder:
        inputs.write_log(Path(folder), rows)
        command = [sys.executable, __file__, "--compare", folder]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    peak = found.pop("peak")
    lines = [(name, *(f"{each:.1f}" for each in taken)) for name, taken in found.items()]
    total = [f"{sum(taken[at] for taken in found.values()):.1f}" for at in range(2)]
    show(f"A window of {rows:,} requests, 15 inputs; {peak:,.0f} MB", ("", "s", "CPU s"), [*lines, ("together", *total)])


def compared(log: Path) -> dict[str, Any]:
    """What a run of monitoring does with the rows of a window: the wall and CPU seconds of its parts, and the peak memory in MB."""
    import scipy.stats  # noqa: F401 (the imports are not measured)
    import sklearn.ensemble  # noqa: F401

    from taxiway.data.schema.feature import Feature
    from taxiway.data.schema.model import Schema
    from taxiway.features.encoding import raw_frame
    from taxiway.serving.request_log.files import read_request_log
    from taxiway.stages.monitor.outliers.found import found_outliers, outlier_scores
    from taxiway.stages.monitor.windows import inputs as window_inputs
    from taxiway.stages.monitor.windows.drift import window_drift
    from taxiway.stages.monitor.windows.log_windows import read_windows
    from taxiway.stages.monitor.windows.operation import operation
    from taxiway.stages.monitor.windows.performance import Reference, performance
    from taxiway.store import Store

    columns, day, model = inputs.COLUMNS, inputs.DAY, inputs.MODEL
    before = raw_frame(inputs.made_frame(REFERENCE, SEED - 1), columns.numeric, columns.categorical, columns.types)
    second, is_second = inputs.made_answers(REFERENCE, SEED - 1)
    made = Predictions(np.stack([1 - second, second], axis=1), (second >= 0.5).astype(np.intp), 1)
    labels = is_second.astype(float)
    reference = Reference(
        "accuracy", CLASSES, None, realised("accuracy", made, labels, CLASSES, 0.99), calibrate(made.values, labels), None, ""
    )
    schema = Schema(label="late", features=tuple(Feature(name=name, type=columns.types[name]) for name in columns.names))
    by, taken = window_inputs.RequestSchema(schema, None), dict[str, tuple[float, float]]()
    imported = inputs.peak_mb()

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began, cpu = time.perf_counter(), time.process_time()
        result = work()
        taken[name] = time.perf_counter() - began, time.process_time() - cpu
        return result

    def read(connection: Any) -> Any:
        found = timed(
            "performance, estimated and realised",
            lambda: list(performance(reference, read_windows(connection, model, 1, CLASSES, "day"))),
        )
        timed("requests, errors and latency", lambda: operation(connection, model, 1, "day", None, day))
        return found, timed(
            "which columns the requests have", lambda: window_inputs.compared_columns(connection, model, 1, columns)
        )

    (window,), known = read_request_log(log, read, model=model)
    assert window.realised is not None
    assert window.estimated is not None
    rows = window_inputs.window_rows(log, model, 1, day, "day", known, with_ids=True)
    path = timed("reading the inputs", rows.__enter__)
    with tempfile.TemporaryDirectory() as store:
        timed("drift", lambda: window_drift(before, path, known, Store(store)))

    def outliers(method: Method) -> Any:
        return found_outliers(outlier_scores(before, known, method), before, path, known)

    for method in DETECTORS:
        timed(f"outliers, {method}", partial(outliers, method))
    timed("validation by the schema", lambda: window_inputs.validated(path, "the model", by, ended=True))
    peak = inputs.peak_mb() - imported
    rows.__exit__(None, None, None)
    return {**taken, "peak": peak}


if __name__ == "__main__":
    main()
