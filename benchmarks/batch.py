"""Scoring tables with `taxiway predict`, against the model alone.

Made-up rows of ten numbers and two categories in one Parquet file, and a logistic regression. Each number of rows is scored in a
process of its own, which says its peak memory above that after the imports and the model. The limit is the model's estimator alone on a frame in
memory, for the same rows. The memory should not grow with the rows.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import show

NUMBERS = tuple(f"x{at}" for at in range(10))
CATEGORIES = ("c0", "c1")
_AT_ONCE = 1_000_000


def main() -> None:
    """Print the table, or score in this process for another one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--score", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.score:
        print(json.dumps(_scored(Path(options.score[0]), Path(options.score[1]))))
        return
    lines = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "rows.parquet"
            _write(data, rows)
            command = [sys.executable, __file__, "--score", str(data), str(Path(folder) / "out")]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        ratio = found["seconds"] / found["alone"]
        speed = rows / found["seconds"]
        lines.append((f"{rows:,}", f"{found['seconds']:.1f}", f"{speed:,.0f}", f"{ratio:.2f}", f"{found['peak_mb']:.0f}"))
    show("taxiway predict", ("rows", "s", "rows/s", "relative to the estimator", "peak memory, MB"), lines)


def _frame(rows: int, seed: int) -> Any:
    import pandas as pd

    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = dict(zip(NUMBERS, rng.normal(size=(len(NUMBERS), rows)), strict=True))
    columns |= {name: rng.choice(np.array(["red", "green", "blue"]), rows) for name in CATEGORIES}
    return pd.DataFrame(columns)


def _write(path: Path, rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for start in range(0, rows, _AT_ONCE):
        table = pa.Table.from_pandas(_frame(min(_AT_ONCE, rows - start), start), preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=100_000)
    if writer is not None:
        writer.close()


def _model() -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    from taxiway.features.signature import ModelColumns
    from taxiway.models.row_model import RowModel

    frame = _frame(10_000, 7)
    encoded = ColumnTransformer([("n", StandardScaler(), list(NUMBERS)), ("c", OrdinalEncoder(), list(CATEGORIES))])
    estimator = make_pipeline(encoded, LogisticRegression()).fit(frame, frame["x0"] + frame["x1"] > 0)
    return RowModel.of(estimator, ModelColumns(NUMBERS, CATEGORIES), ("False", "True"))


def _scored(data: Path, out: Path) -> dict[str, float]:
    """The seconds of the batch, of the estimator alone for the same rows, and the peak memory of the batch."""
    import pyarrow.parquet as pq

    from taxiway.data.formats.open_data import open_data
    from taxiway.stages.batch.predict import predict_batch
    from taxiway.stages.batch.version import Version

    model = _model()
    before = _peak_mb()
    began = time.perf_counter()
    with open_data(data) as table:
        predict_batch(model, Version("a.b", 1, None), table, str(data), out)
    seconds, peak = time.perf_counter() - began, _peak_mb()
    alone = 0.0
    for batch in pq.ParquetFile(data).iter_batches(100_000):
        frame = batch.to_pandas()
        began = time.perf_counter()
        model.estimator.predict_proba(frame)
        alone += time.perf_counter() - began
    return {"seconds": seconds, "alone": alone, "peak_mb": peak - before}


def _peak_mb() -> float:
    """The peak memory of this process; that of `getrusage` begins with that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
