"""What validating the flights costs, against limits and a peer in the same run.

One month, and a window of four, as the pipeline validates them: cold (no profile in the store), and cached (the profiles of spans
that were seen before are found). Limits: reading the file's bytes, decoding all of its columns with pyarrow, and DuckDB's
SUMMARIZE, which computes fewer statistics than a profile. A month alone has nothing to be compared with: drift, and keys in
more than one month, are looked for in the window only. Peer: Great Expectations on pandas, with the schema's types, presences,
ranges and domains as expectations on one month.
"""

import argparse
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import seconds, show

from taxiway.data.engine.duckdb_table import open_table
from taxiway.data.ingest.ingest import ingest
from taxiway.data.profiling.profiler import profile_table
from taxiway.data.schema.file import Schema, load_schema
from taxiway.data.sources.files import find_spans
from taxiway.data.validation.snapshot import validate_snapshot
from taxiway.demo.flights import flights_by_month, write_span
from taxiway.records import Snapshot
from taxiway.store import Store

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = Path(__file__).parents[1] / "dags" / "flights" / "late_arrivals.schema.yaml"
MONTHS = ("2013-01", "2013-02", "2013-03", "2013-04")
TODAY = date(2026, 11, 22)


class Prepared:
    """The flights as a source, and what the measured functions need of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        months = flights_by_month()
        for month in MONTHS:
            write_span(months[month], folder / "source", month)
        self.pattern = str(folder / "source" / "{YYYY}-{MM}.parquet")
        self.schema = load_schema(SCHEMA)
        self.stores = 0
        self.store, self.window = self.ingested()
        self.month = self.window.model_copy(update={"training": ()})
        with self.store.local_file(self.month.evaluation_span.content) as path:
            self.file = path

    def ingested(self) -> tuple[Store, Snapshot]:
        """A new store with the window in it, and no profile."""
        self.stores += 1
        store = Store(str(self.folder / f"store-{self.stores}"))
        return store, ingest(find_spans(self.pattern)[:4], pipeline="benchmark", source=self.pattern, store=store)

    def empty(self) -> None:
        """Go on with a store that has no profiles."""
        self.store, _ = self.ingested()

    def validate(self, snapshot: Snapshot) -> Any:
        return validate_snapshot(snapshot, self.schema, store=self.store, today=TODAY)


def summarize(path: Path) -> Any:
    """DuckDB's own statistics of a file."""
    import duckdb

    with duckdb.connect() as connection:
        return connection.execute("SUMMARIZE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()


def profile(path: Path) -> Any:
    """A profile of a file, without a store."""
    with open_table(path, "the benchmark") as table:
        return profile_table(table)


def decode(path: Path) -> Any:
    """All columns, in memory, as Arrow."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path)


def frame(path: Path) -> "pd.DataFrame":
    """All columns as pandas."""
    import pandas as pd

    return pd.read_parquet(path)


def expectations(schema: Schema) -> list[Any]:
    """The schema's types, presences, ranges and domains, as Great Expectations has them."""
    import great_expectations.expectations as gxe

    types = {"string": "str", "boolean": "bool"}
    made: list[Any] = [gxe.ExpectTableRowCountToBeBetween(min_value=schema.min_rows)]
    for feature in schema.features:
        column = feature.name
        made.append(gxe.ExpectColumnToExist(column=column))
        made.append(gxe.ExpectColumnValuesToNotBeNull(column=column, mostly=feature.presence))
        if feature.type in types:
            made.append(gxe.ExpectColumnValuesToBeOfType(column=column, type_=types[feature.type]))
        if feature.range is not None:
            made.append(
                gxe.ExpectColumnValuesToBeBetween(column=column, min_value=feature.range.min, max_value=feature.range.max)
            )
        if feature.domain is not None:
            made.append(gxe.ExpectColumnValuesToBeInSet(column=column, value_set=list(feature.domain)))
    made.append(gxe.ExpectColumnValuesToBeUnique(column=schema.key[0]))
    return made


def great_expectations(path: Path, asked: list[Any]) -> Any:
    """Read a file with pandas and run the expectations on it, as one suite."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("span").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame(path)})
    return batch.validate(gx.ExpectationSuite(name="flights", expectations=asked))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=7, help="how often each is done; medians are shown (default: 7)")
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as name:
        prepared = Prepared(Path(name))
        file, asked = prepared.file, expectations(prepared.schema)
        size, rows = file.stat().st_size, prepared.month.evaluation_span.rows
        for once in (decode, summarize, profile, lambda path: great_expectations(path, asked)):
            once(file)  # imports are not what is measured
        month = prepared.validate(prepared.month)
        checks = prepared.validate(prepared.window).checks
        found = [
            ("read the bytes", seconds(file.read_bytes, times)),
            ("decode with pyarrow", seconds(lambda: decode(file), times)),
            ("DuckDB SUMMARIZE", seconds(lambda: summarize(file), times)),
            ("Taxiway: profile", seconds(lambda: profile(file), times)),
            (
                f"Taxiway: validate, cold, {month.checks} checks",
                seconds(lambda: prepared.validate(prepared.month), times, before=prepared.empty),
            ),
            (f"Taxiway: validate, cached, {month.checks} checks", seconds(lambda: prepared.validate(prepared.month), times)),
            (f"Great Expectations, {len(asked)} expectations", seconds(lambda: great_expectations(file, asked), min(times, 3))),
        ]
        prepared.empty()
        window = [
            ("cold", seconds(lambda: prepared.validate(prepared.window), times, before=prepared.empty)),
            ("newest month new", _newest_new(prepared, times)),
            ("cached", seconds(lambda: prepared.validate(prepared.window), times)),
        ]
    base = dict(found)["DuckDB SUMMARIZE"]
    show(
        f"One month: {rows:,} rows, {len(prepared.schema.features)} columns, {size / 1e6:.1f} MB of Parquet",
        ("what", "ms", "times SUMMARIZE"),
        [(what, f"{taken * 1e3:.2f}", f"{taken / base:.2f}") for what, taken in found],
    )
    rows = sum(span.rows for span in prepared.window.spans)
    show(
        f"A window of four months: {rows:,} rows, {checks} checks",
        ("Taxiway: validate", "ms", "times cached"),
        [(what, f"{taken * 1e3:.1f}", f"{taken / window[-1][1]:.2f}") for what, taken in window],
    )


def _newest_new(prepared: Prepared, times: int) -> float:
    """As in a monthly run: the training months were profiled by earlier runs, the newest was not."""

    def before() -> None:
        prepared.empty()
        for span in prepared.window.training:
            prepared.validate(prepared.month.model_copy(update={"evaluation": (span,)}))

    return seconds(lambda: prepared.validate(prepared.window), times, before=before)


if __name__ == "__main__":
    main()
