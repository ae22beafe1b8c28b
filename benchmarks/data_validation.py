"""What profile and validation of one file cost, against peers and limits in the same run: seconds, and the peak of memory.

Made tables of 15 columns (numbers, counts, text, a moment, a label), as Parquet, CSV and JSON lines. Each contender runs in a process
of its own, is timed after its imports, and says its peak; the imports are listed apart. `make bench` installs the peers; what is not
installed is listed as missing.

* Taxiway: `validate`, which profiles all columns and checks about 30 expectations of the schema; and a suite of Great Expectations
  with the same expectations, as Taxiway runs it.
* Peers: Great Expectations on pandas and pandera on polars with the same expectations (they compute no profile).
* The same statistics by hand: polars with exact quantiles, and DuckDB with approximate ones.
* Limits: DuckDB's SUMMARIZE, which computes fewer statistics, and reading the bytes.

And the merge of 365 daily profiles. TFDV and Deequ do not run on this stack.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import seconds, show

CITIES = [f"city {at}" for at in range(500)]
CARRIERS = ["AA", "B6", "DL", "EV", "UA", "WN", "YV"]
NUMBERS = ["id", "amount", "x1", "x2", "x3", "x4", "age", "visits", "minutes"]
TEXT = ["zip", "carrier", "city"]
RANGES = {"amount": (0, 1e6), "x1": (-10, 10), "x2": (-20, 30), "x3": (0, 100), "x4": (0, 200), "age": (18, 90), "visits": (0, 50), "minutes": (0, 1439)}  # fmt: skip
PRESENCE = {"amount": 0.9, "x2": 0.8, "visits": 0.9, "city": 0.9}
TFDV_SECONDS_5M = 17.2


def make(rows: int, folder: Path) -> Path:
    """The table of so many rows, as Parquet; the same in every run."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / f"{rows}.parquet"
    if path.exists():
        return path
    rng = np.random.default_rng(rows)

    def gaps(values: Any, share: float) -> pa.Array:
        return pa.array(values, mask=rng.random(rows) < share)

    table = pa.table(
        {
            "id": np.arange(rows) + rows * 1_000_000,
            "amount": gaps(rng.lognormal(3, 1, rows).round(2), 0.02),
            "x1": rng.normal(size=rows),
            "x2": gaps(rng.normal(5, 2, rows), 0.1),
            "x3": rng.exponential(size=rows),
            "x4": np.where(rng.random(rows) < 0.5, 0, rng.gamma(2, 2, rows)),
            "age": rng.integers(18, 90, rows),
            "visits": gaps(rng.poisson(3, rows), 0.05),
            "minutes": rng.integers(0, 1440, rows),
            "zip": np.array([f"{at:05}" for at in range(10_000)])[rng.integers(0, 10_000, rows)],
            "carrier": np.array(CARRIERS)[rng.choice(7, rows, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05])],
            "city": gaps(np.array(CITIES)[rng.zipf(1.5, rows) % 500], 0.01),
            "flag": rng.random(rows) < 0.3,
            "moment": np.datetime64("2024-01-01T00:00:00", "us") + rng.integers(0, 365 * 86400, rows).astype("timedelta64[s]"),
            "label": rng.integers(0, 2, rows),
        }
    )
    pq.write_table(table, path)
    return path


def schema() -> Any:
    """The expectations as a schema of ours: presence and type of all columns, ranges, domains, rows."""
    from taxiway.data.schema.model import Schema

    types = {"zip": "string", "carrier": "string", "city": "string", "flag": "boolean", "moment": "datetime"}
    whole = {"id", "age", "visits", "minutes", "label"}
    features = []
    for name in [*NUMBERS, *TEXT, "flag", "moment", "label"]:
        feature: dict[str, Any] = {"name": name, "type": types.get(name, "integer" if name in whole else "number")}
        feature["presence"] = {"min_fraction": PRESENCE.get(name, 1.0)}
        if name in RANGES:
            feature["range"] = dict(zip(("min", "max"), RANGES[name], strict=True))
        if name == "carrier":
            feature["domain"] = CARRIERS
        if name == "city":
            feature["domain"] = CITIES
        features.append(feature)
    return Schema.model_validate({"label": "label", "min_rows": 10, "features": features})


def expectations() -> list[dict[str, Any]]:
    """The same for Great Expectations: 30 of them."""
    found: list[dict[str, Any]] = [{"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 10}}]
    for name in [*NUMBERS, *TEXT, "flag", "moment", "label"]:
        kwargs = {"column": name, **({"mostly": PRESENCE[name]} if name in PRESENCE else {})}
        found.append({"type": "expect_column_values_to_not_be_null", "kwargs": kwargs})
    for name, (low, high) in RANGES.items():
        found.append(
            {"type": "expect_column_values_to_be_between", "kwargs": {"column": name, "min_value": low, "max_value": high}}
        )
    for name, values in (("carrier", CARRIERS), ("city", CITIES), ("label", [0, 1])):
        found.append({"type": "expect_column_values_to_be_in_set", "kwargs": {"column": name, "value_set": values}})
    for name in ("x1", "x2", "x3"):
        found.append(
            {"type": "expect_column_mean_to_be_between", "kwargs": {"column": name, "min_value": -10, "max_value": 10}}
        )
    return found


def taxiway(path: Path) -> Callable[[], Any]:
    from taxiway.data.validation.validate import validate

    expected = schema()
    # The first profile of a process imports Ibis and what it needs: told with the imports.
    validate(make(100, path.parent), expected)

    def work() -> None:
        report = validate(path, expected)
        assert report.status == "PASS", report.anomalies

    return work


def taxiway_suite(path: Path) -> Callable[[], Any]:
    from taxiway.data.engine.duckdb_table import open_table
    from taxiway.data.profiling.profile import Profile
    from taxiway.data.validation.expectations.engines import import_gx
    from taxiway.data.validation.expectations.suite import run_expectations
    from taxiway.data.validation.inputs import CheckTarget
    from taxiway.data.validation.results import CheckResults

    suite = path.with_suffix(".suite.json")
    suite.write_text(json.dumps({"expectations": expectations()}))
    import_gx(suite)

    def work() -> None:
        results = CheckResults()
        with open_table(path, "the benchmark") as table:
            run_expectations(
                suite,
                CheckTarget("x", "x", Profile(rows=table.row_count, columns=()), lambda: table, lambda: table.paths),
                results,
            )
        assert not results.anomalies, results.anomalies

    return work


def gx_pandas(path: Path) -> Callable[[], Any]:
    import pandas as pd

    from taxiway.data.validation.expectations.engines import import_gx, new_context, pandas_batch

    gx = import_gx(path)
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    def work() -> None:
        if path.suffix == ".parquet":
            rows = pd.read_parquet(path)
        elif path.suffix == ".csv":
            rows = pd.read_csv(path, dtype={"zip": str})
        else:
            rows = pd.read_json(path, lines=True, dtype={"zip": str}, convert_dates=False)
        context = new_context(gx)
        suite = gx.ExpectationSuite(name="s")
        for asked in expectations():
            suite.add_expectation(ExpectationConfiguration(**asked).to_domain_obj())
        result = pandas_batch(context, rows).validate(suite)
        assert result.success, result

    return work


def scan_by_polars(path: Path) -> Any:
    import polars as pl

    if path.suffix == ".parquet":
        return pl.scan_parquet(path)
    if path.suffix == ".csv":
        return pl.scan_csv(path, schema_overrides={"zip": pl.String})
    return pl.scan_ndjson(path, schema_overrides={"zip": pl.String})


def pandera_polars(path: Path) -> Callable[[], Any]:
    import pandera.polars as pa

    checks = {name: [pa.Check.in_range(low, high)] for name, (low, high) in RANGES.items()}
    checks |= {"carrier": [pa.Check.isin(CARRIERS)], "city": [pa.Check.isin(CITIES)], "label": [pa.Check.isin([0, 1])]}
    names = [*NUMBERS, *TEXT, "flag", "moment", "label"]
    expected = pa.DataFrameSchema({name: pa.Column(checks=checks.get(name, []), nullable=name in PRESENCE) for name in names})

    def work() -> None:
        expected.validate(scan_by_polars(path).collect())

    return work


def by_polars(path: Path) -> Callable[[], Any]:
    """The statistics of a profile, by polars; quantiles are exact."""
    import polars as pl

    def work() -> None:
        rows = scan_by_polars(path)
        every = rows.select(pl.len()).collect().item() // 101 + 1
        asked = [pl.all().null_count().name.suffix("_null"), pl.all().n_unique().name.suffix("_unique")]
        for name in [*NUMBERS, "label"]:
            column = pl.col(name).cast(pl.Float64)
            parts = {
                "min": column.min(), "max": column.max(), "mean": column.mean(), "std": column.std(ddof=0),
                "skew": column.skew(), "kurtosis": column.kurtosis(), "zeros": (column == 0).sum(), "nan": column.is_nan().sum(),
                "whole": (column % 1 != 0).sum(), "corr": pl.corr(column, pl.col("label").cast(pl.Float64)),
                "quantiles": column.drop_nulls().sort().gather_every(every).implode(),
            }  # fmt: skip
            asked += [part.alias(f"{name}_{word}") for word, part in parts.items()]
        for name in TEXT:
            length = pl.col(name).str.len_chars()
            asked += [
                length.min().alias(f"{name}_short"),
                length.max().alias(f"{name}_long"),
                length.mean().alias(f"{name}_len"),
            ]
        rows.select(asked).collect()
        for name in [*TEXT, "flag", "age", "visits", "label"]:
            rows.group_by({name, "label"}).len().collect()

    return work


def by_duckdb(path: Path) -> Callable[[], Any]:
    """The statistics of a profile, by one query of DuckDB and one for each list of values; quantiles are approximate."""
    import duckdb

    def work() -> None:
        connection = duckdb.connect()
        source = {
            ".parquet": f"read_parquet('{path}')",
            ".csv": f"read_csv('{path}', types={{'zip': 'VARCHAR'}})",
            ".jsonl": f"read_json('{path}', format = 'newline_delimited')",
        }[path.suffix]
        steps = [step / 100 for step in range(101)]
        asked = [f"count({name}), approx_count_distinct({name})" for name in [*NUMBERS, *TEXT, "flag", "moment", "label"]]
        for name in [*NUMBERS, "label"]:
            x = f"{name}::DOUBLE"
            asked.append(
                f"min({x}), max({x}), avg({x}), stddev_pop({x}), skewness({x}), kurtosis({x}), count_if({x} = 0), count_if(isnan({x})),"
                f" count_if({x} % 1 <> 0), corr({x}, label), approx_quantile({x}, {steps})"
            )
        asked += [f"min(length({name})), max(length({name})), avg(length({name}))" for name in TEXT]
        connection.execute(f"SELECT {', '.join(asked)} FROM {source}").fetchall()
        for name in [*TEXT, "flag", "age", "visits", "label"]:
            connection.execute(f"SELECT {name}, label AS l, count(*) FROM {source} GROUP BY ALL").fetchall()

    return work


def summarize(path: Path) -> Callable[[], Any]:
    import duckdb

    return lambda: duckdb.connect().execute(f"SUMMARIZE SELECT * FROM '{path}'").fetchall()


def read_bytes(path: Path) -> Callable[[], Any]:
    def work() -> None:
        with path.open("rb") as stream:
            while stream.read(1 << 22):
                pass

    return work


CONTENDERS: dict[str, tuple[str, Callable[[Path], Callable[[], Any]]]] = {
    "taxiway": ("Taxiway: profile and validate", taxiway),
    "taxiway_suite": ("Taxiway: the suite of Great Expectations", taxiway_suite),
    "gx_pandas": ("Great Expectations on pandas", gx_pandas),
    "pandera": ("pandera on polars", pandera_polars),
    "polars": ("the same statistics by polars", by_polars),
    "duckdb": ("the same statistics by DuckDB", by_duckdb),
    "summarize": ("limit: DuckDB SUMMARIZE", summarize),
    "bytes": ("limit: reading the bytes", read_bytes),
}


def child(name: str, path: Path) -> None:
    """Run one contender once; its figures go to standard output as JSON."""
    began = time.perf_counter()
    work = CONTENDERS[name][1](path)
    imported = time.perf_counter()
    work()
    took = time.perf_counter() - imported
    status = Path("/proc/self/status").read_text()  # getrusage would tell the parent's peak, where that was higher
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"import": imported - began, "seconds": took, "peak_mb": peak}))


def measured(name: str, path: Path, times: int) -> dict[str, float] | str:
    """The median of several runs; what is wrong if the contender is not installed, or failed."""
    found = []
    for _ in range(times):
        command = [sys.executable, __file__, "--child", name, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1]
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return {key: statistics.median(one[key] for one in found) for key in found[0]}


def compare(path: Path, rows: int, times: int, skip: set[str]) -> None:
    names = [name for name in CONTENDERS if name not in skip and (path.suffix == ".parquet" or name != "taxiway_suite")]
    every = {name: measured(name, path, times) for name in names}
    found = {name: figures for name, figures in every.items() if not isinstance(figures, str)}
    ours = found["taxiway"]["seconds"]
    lines = [
        [CONTENDERS[name][0], f"{f['seconds']:.2f}", f"{f['seconds'] / ours:.2f}", f"{f['peak_mb']:,.0f}", f"{f['import']:.2f}"]
        if (f := found.get(name))
        else [f"{CONTENDERS[name][0]}: MISSING", "", "", "", ""]
        for name in names
    ]
    size = path.stat().st_size / 1e6
    show(
        f"{rows:,} rows of 15 columns, {path.suffix[1:]} of {size:,.0f} MB",
        ["", "seconds", "by ours", "peak MB", "import s"],
        lines,
    )
    for name, problem in every.items():
        if isinstance(problem, str):
            print(f"MISSING: {CONTENDERS[name][0]}: {problem}. `make bench` installs all peers")
    by_hand = min((found[name]["seconds"] for name in ("polars", "duckdb") if name in found), default=None)
    if by_hand:
        print(f"Taxiway takes {ours / by_hand:.2f} times the faster of polars and DuckDB", end="")
        print(f", and Great Expectations {found['gx_pandas']['seconds'] / ours:.1f} times ours" if "gx_pandas" in found else "")
    if rows == 5_000_000 and path.suffix == ".parquet":
        print(
            f"TFDV 1.16 took {TFDV_SECONDS_5M} s for 5,000,000 rows on such a machine, in another run: {TFDV_SECONDS_5M / ours:.1f} times"
        )


def written_as(path: Path, kind: str) -> Path:
    """The table as a file of this format; nulls of JSON lines are absent."""
    import duckdb

    if kind == "parquet":
        return path
    text = path.with_suffix(f".{kind}")
    duckdb.execute(f"COPY (FROM '{path}') TO '{text}' (FORMAT {'csv' if kind == 'csv' else 'json'})")
    return text


def merge_a_year(folder: Path, times: int) -> None:
    """365 daily profiles of 15 columns into one."""
    from taxiway.data.profiling.compute import profile
    from taxiway.data.profiling.merge import merge_profiles
    from taxiway.data.profiling.profile import Profile

    texts = [profile(make(2_000 + day, folder), label="label").to_json() for day in range(365)]
    year = [Profile.from_json(text) for text in texts]
    fresh = iter([[Profile.from_json(text) for text in texts] for _ in range(times)])
    show(
        "365 daily profiles of 15 columns",
        ["", "ms"],
        [
            ["merged, just read", f"{1000 * seconds(lambda: merge_profiles(next(fresh)), times):.0f}"],
            ["merged again", f"{1000 * seconds(lambda: merge_profiles(year), times):.0f}"],
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 500_000, 5_000_000])
    parser.add_argument("--formats", nargs="+", default=["parquet", "csv", "jsonl"], choices=["parquet", "csv", "jsonl"])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--skip", nargs="*", default=[], choices=list(CONTENDERS), help="contenders to leave out")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "PATH"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child[0], Path(asked.child[1]))
        return
    with tempfile.TemporaryDirectory(prefix="taxiway-benchmark-") as name:
        folder = Path(name)
        for rows in asked.rows:
            path = make(rows, folder)
            times = asked.times if rows < 5_000_000 else 1
            for kind in asked.formats:
                compare(written_as(path, kind), rows, times, set(asked.skip))
        merge_a_year(folder, asked.times)


if __name__ == "__main__":
    main()
