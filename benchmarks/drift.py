"""What drift of inputs costs: `window_drift` of one window of the request log, in a process of its own.

Made-up rows of ten numbers and five categories, one of them with 100,000 different values, in files as a gateway writes them. The
reference has a tenth of the rows, at most 50,000. The peak memory is that above the imports.

    python benchmarks/drift.py --rows 100000 1000000
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from measuring import show

from taxiway.features.signature import ModelColumns

SEED = 20130101
MODEL = "drift.model"
DAY = date(2026, 1, 5)
NUMBERS = tuple(f"x{at}" for at in range(10))
CATEGORIES = {"c0": 3, "c1": 20, "c2": 300, "c3": 5000, "c4": 100_000}
COLUMNS = ModelColumns(NUMBERS, tuple(CATEGORIES), dict.fromkeys(NUMBERS, "number") | dict.fromkeys(CATEGORIES, "string"))
_FILE_ROWS = 100_000


def main() -> None:
    """Print the table, or compare in this process for another one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--compare", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compare:
        print(json.dumps(_compared(Path(options.compare[0]), int(options.compare[1]))))
        return
    lines = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            write_log(Path(folder), rows)
            command = [sys.executable, __file__, "--compare", folder, str(min(50_000, rows // 10))]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        lines.append(
            (f"{rows:,}", *(f"{found[name]:,.1f}" for name in ("seconds", "cpu", "classifier")), f"{found['peak_mb']:,.0f}")
        )
    show("Drift of 15 inputs of a window", ("rows", "s", "CPU s", "of which the classifier, s", "peak memory, MB"), lines)


def made_frame(rows: int, seed: int) -> Any:
    import pandas as pd

    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = dict(zip(NUMBERS, rng.normal(size=(len(NUMBERS), rows)), strict=True))
    for name, count in CATEGORIES.items():
        texts = np.array([f"{name}-{at}" for at in range(count)], dtype=object)
        columns[name] = texts[np.minimum(rng.geometric(3 / count, rows) - 1, count - 1)]
    return pd.DataFrame(columns)


def write_log(folder: Path, rows: int) -> None:
    """Write requests of one day, with probabilities and a label for each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from taxiway.serving.gateway.rolling.predicted_rows import PrivateColumns, predicted_rows
    from taxiway.serving.gateway.state.logged_version import LoggedVersion
    from taxiway.serving.request_log.columns import INPUT

    schema = predicted_rows([], {1: LoggedVersion(COLUMNS)}, PrivateColumns()).schema
    day, labels = (folder / kind / f"model={MODEL}" / f"day={DAY}" for kind in ("requests", "labels"))
    day.mkdir(parents=True)
    labels.mkdir(parents=True)
    at = int(datetime(DAY.year, DAY.month, DAY.day, 12, tzinfo=UTC).timestamp() * 1e6)
    for first in range(0, rows, _FILE_ROWS):
        frame = made_frame(count := min(_FILE_ROWS, rows - first), SEED + first)
        cells: dict[str, Any] = {INPUT + name: list(map(json.dumps, frame[name].tolist())) for name in frame.columns}
        cells |= {"seq": np.arange(first, first + count), "row": np.zeros(count, dtype=int), "received_at": np.full(count, at)}
        cells |= {"request_id": [f"{SEED + first:016x}-{row}" for row in range(count)], "caller": ["benchmark"] * count}
        cells |= {"champion_version": np.ones(count, dtype=int), "champion_status": np.full(count, 200)}
        second, is_second = made_answers(count, SEED + first)
        cells |= {"probabilities": np.stack([1 - second, second], axis=1).tolist(), "prediction": ["[0.4, 0.6]"] * count}
        arrays = [
            pa.array(cells[field.name], field.type) if field.name in cells else pa.nulls(count, field.type) for field in schema
        ]
        path = day / f"{0:016x}-{first:012d}-{first + count - 1:012d}.parquet"
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path, compression="zstd")
        of_labels = {name: cells[name] for name in ("seq", "request_id", "row", "caller")}
        of_labels |= {"labelled_at": pa.array(cells["received_at"], pa.timestamp("us", tz="UTC"))}
        of_labels |= {"label": np.where(is_second, "yes", "no"), "label_value": pa.nulls(count, pa.float64())}
        pq.write_table(pa.table(of_labels), labels / path.name, compression="zstd")


def made_answers(rows: int, seed: int) -> tuple[Any, Any]:
    """Probabilities of the second class, and whether a row is of it."""
    rng = np.random.default_rng([seed, 1])
    truth = rng.random(rows)
    return truth**2, rng.random(rows) < truth


def _compared(log: Path, reference_rows: int) -> dict[str, float]:
    import duckdb  # noqa: F401 (the imports are not measured)
    import pyarrow.parquet  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.ensemble  # noqa: F401

    from taxiway.features.encoding import raw_frame
    from taxiway.monitoring.domain_classifier import domain_shift, sample
    from taxiway.stages.monitor.windows.drift import window_drift
    from taxiway.stages.monitor.windows.inputs import window_rows
    from taxiway.store import Store

    before = raw_frame(made_frame(reference_rows, SEED - 1), COLUMNS.numeric, COLUMNS.categorical, COLUMNS.types)
    imported = peak_mb()
    began, cpu = time.perf_counter(), time.process_time()
    with window_rows(log, MODEL, 1, DAY, "day", COLUMNS) as path, tempfile.TemporaryDirectory() as store:
        window_drift(before, path, COLUMNS, Store(store))
    taken = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu, "peak_mb": peak_mb() - imported}
    began = time.perf_counter()
    rows = before.iloc[sample(len(before))]
    domain_shift(rows, rows)
    return taken | {"classifier": time.perf_counter() - began}


def peak_mb() -> float:
    """The largest memory of this process; `getrusage` would say that of the process which started it, if that is larger."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


if __name__ == "__main__":
    main()
