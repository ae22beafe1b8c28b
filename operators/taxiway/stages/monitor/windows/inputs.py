"""The inputs of a window, of the evaluation rows, and the validation of a window's inputs by the schema."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import LIST_OF
from taxiway.features.signature import ModelColumns
from taxiway.records import Anomaly, Snapshot
from taxiway.stages.monitor.windows.log_windows import Every, last_day
from taxiway.store import Store, temp_folder

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from taxiway.data.profiling.profile import Profile
    from taxiway.data.schema.model import Schema
    from taxiway.data.validation.inputs import Baseline


def compared_columns(connection: "duckdb.DuckDBPyConnection", model: str, version: int, columns: ModelColumns) -> ModelColumns:
    """The columns of the requests of a version that can be compared, whether it takes them or not.

    Left out are lists, and columns of which no request has an entry, or of which one has a hash: those that the log omits or hashes.

    Args:
        connection: The request log, from `read_request_log`.
        model: The registered model.
        version: Its version.
        columns: The columns, with their types.
    """
    from taxiway.serving.request_log.rows import has_values, input_column, with_sent_inputs

    names = [name for name in columns.names if not columns.types.get(name, "").startswith(LIST_OF)]
    tests = [has_values(input_column(name)) for name in names]
    sent_inputs = with_sent_inputs(connection, "requests", names)
    query = f"SELECT {', '.join(['count(*)', *tests])} FROM {sent_inputs} WHERE model = $1 AND champion_version = $2 AND champion_status = 200"  # noqa: S608 (the names are quoted)
    ((_, *comparable),) = connection.execute(query, [model, version]).fetchall()
    sent = {name for name, is_comparable in zip(names, comparable, strict=True) if is_comparable}
    numeric, categorical = (tuple(name for name in names if name in sent) for names in (columns.numeric, columns.categorical))
    return ModelColumns(numeric, categorical, {name: kind for name, kind in columns.types.items() if name in sent})


def evaluation_inputs(snapshot: Snapshot, columns: ModelColumns, store: Store) -> "pd.DataFrame":
    """The evaluation rows, as a model of these columns gets them."""
    from taxiway.data.engine.read_rows import read_rows
    from taxiway.features.encoding import raw_frame

    rows = read_rows(snapshot.evaluation, store, list(columns.names))
    return raw_frame(rows, columns.numeric, columns.categorical, columns.types, lenient=True)


@contextmanager
def window_rows(
    log: Path,
    model: str,
    version: int | None,
    first: date,
    every: Every,
    columns: ModelColumns,
    *,
    with_answers: bool = False,
    with_ids: bool = False,
    leave_out: Collection[str] | None = (),
) -> Iterator[Path]:
    """A Parquet file with the inputs of a window, predicted numbers and labels that are numbers, which is deleted after the block.

    Args:
        log: The folder of the request log.
        model: The registered model.
        version: Its version; None for all.
        first: The first day of the window.
        every: How long it is.
        columns: The columns, from `compared_columns`.
        with_answers: Whether the file also has the other columns of `taxiway log export`, for checks.
        with_ids: Whether the file also has the id of the request of each row, and the number of the row in it.
        leave_out: The ids of requests that are left out; None for those that repeat an earlier one.
    """
    from taxiway.serving.request_log.version_rows import export_inputs

    with temp_folder("window") as folder:
        path = folder / "rows.parquet"
        last = last_day(first, every)
        export_inputs(
            log,
            model,
            version,
            path,
            since=first,
            until=last,
            types=columns.types,
            names=columns.names,
            with_answers=with_answers,
            with_ids=with_ids,
            leave_out=leave_out,
        )
        yield path


@dataclass(frozen=True)
class RequestSchema:
    """What the inputs of requests are validated by.

    Attributes:
        schema: The schema of the columns that the requests have.
        training: The profile of the rows that the version was trained on; None if no column has a limit of skew.
    """

    schema: "Schema"
    training: "Profile | None"


def request_schema(schema: "Schema | None", columns: ModelColumns, snapshot: Snapshot, store: Store) -> RequestSchema | None:
    """What the inputs of requests are validated by; None for no validation.

    Args:
        schema: The pipeline's schema; None if there is none.
        columns: The columns, from `compared_columns`.
        snapshot: The snapshot that the version was trained on.
        store: Where its rows and their profiles are.
    """
    from taxiway.data.profiling.compute import profile_span
    from taxiway.data.profiling.merge import merge_profiles

    of_requests = schema.without_label().of_columns(columns.names) if schema is not None else None
    if schema is None or of_requests is None:
        return None
    if all(feature.skew is None for feature in of_requests.features):
        return RequestSchema(of_requests, None)
    return RequestSchema(of_requests, merge_profiles([profile_span(span, store, schema.label) for span in snapshot.training]))


@dataclass(frozen=True)
class ValidatedWindow:
    """The result of validating the inputs of a window by the schema.

    Attributes:
        anomalies: The anomalies that would block a training.
        profile: The profile of the inputs, for the limits of drift; None without a schema.
    """

    anomalies: tuple[Anomaly, ...] = ()
    profile: "Profile | None" = None


def validated(
    path: Path, about: str, by: RequestSchema | None, *, ended: bool, before: "Baseline | None" = None
) -> ValidatedWindow:
    """Validate the inputs of a window.

    Args:
        path: The inputs, from `window_rows`.
        about: The version, for messages.
        by: What they are validated by; None for no validation.
        ended: Whether the window has ended. Before that, it has not all days of a week, so its distributions are not compared.
        before: The window before, for the limits of drift; None for no comparison.
    """
    from taxiway.data.formats.open_data import open_data
    from taxiway.data.validation.validate import validate_requests

    if by is None:
        return ValidatedWindow()
    with open_data(path) as table:
        compared = (by.training, before) if ended else (None, None)
        found = validate_requests(table, f"the requests of {about}", by.schema, *compared)
    return ValidatedWindow(tuple(found.report.blocking), found.profile)


def window_profile(path: Path, by: RequestSchema | None) -> "Profile | None":
    """The profile of the inputs of a window; None if the schema has no limits of drift."""
    from taxiway.data.formats.open_data import open_data
    from taxiway.data.profiling.profiler import profile_with_optional_label

    if by is None or all(feature.drift is None for feature in by.schema.features):
        return None
    with open_data(path) as table:
        return profile_with_optional_label(table, by.schema.label)


class WindowFile:
    """The rows of a window. One column at a time is read: all of them may need much memory.

    Args:
        path: The file, from `window_rows`.
        columns: The columns, from `compared_columns`.
    """

    def __init__(self, path: Path, columns: ModelColumns) -> None:
        import pyarrow.parquet as pq

        self._file, self._columns = pq.ParquetFile(path), columns

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def values(self, name: str, positions: "NDArray[np.int64] | None" = None) -> "pd.Series[Any]":
        """A column, as a model gets it; all of its values are missing if no request of the file has it.

        Args:
            name: The column.
            positions: The rows; None for all.
        """
        from taxiway.data.engine.read_rows import rows_of_table
        from taxiway.features.encoding import raw_frame

        numeric, categorical = (
            tuple({name}.intersection(names)) for names in (self._columns.numeric, self._columns.categorical)
        )
        if name in self._file.schema_arrow.names:
            table = self._file.read(columns=[name])
            rows: Any = rows_of_table(table if positions is None else table.take(positions))
        else:
            rows = {name: [None] * (len(self) if positions is None else len(positions))}
        return raw_frame(rows, numeric, categorical, self._columns.types, lenient=True)[name]

    def own(self, name: str, positions: "NDArray[np.int64]") -> list[Any]:
        """The values of some rows in a column that is not an input."""
        found: list[Any] = self._file.read(columns=[name]).column(0).take(positions).to_pylist()
        return found

    def numbers(self, name: str) -> "NDArray[np.float64]":
        """A column of numbers that is not an input; NaN for none."""
        import numpy as np

        return np.asarray(self._file.read(columns=[name]).column(0).to_numpy(), dtype=float)
