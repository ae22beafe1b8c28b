"""What estimated performance costs, relative to scikit-learn's area under the ROC curve of the same rows with labels.

A classifier of two classes with a million different probabilities. Each time is of one metric with its interval; the memory is the
largest that Python and NumPy have allocated in addition to the rows.

    python benchmarks/monitoring.py --rows 1000000
"""

import argparse
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from measuring import seconds, show
from sklearn.metrics import roc_auc_score

from taxiway.evaluation.predictions import Predictions
from taxiway.monitoring.calibration import calibrate
from taxiway.monitoring.estimate import estimated
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
    arguments = parser.parse_args()
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


if __name__ == "__main__":
    main()
