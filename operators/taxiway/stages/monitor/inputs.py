"""Which inputs of a window are distributed otherwise than the evaluation rows, each alone or together."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.conditions import quoted_name
from taxiway.data.engine.read_rows import LIST_OF
from taxiway.data.schema.model import DATE_TYPES
from taxiway.features.signature import ModelColumns
from taxiway.messages import names_text, number_texts, percent, quoted
from taxiway.monitoring.domain_classifier import JOINT_FALSE_ALERTS, DomainShift, domain_shift, sample
from taxiway.monitoring.drift import SMALLEST_CHANGE, Change, categorical_change, drifted, numeric_change
from taxiway.records import Snapshot
from taxiway.stages.monitor.windows import Every, last_day
from taxiway.store import Store, temp_folder

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from taxiway.data.profiling.profile import Profile
    from taxiway.data.schema.model import Schema


@dataclass(frozen=True)
class ColumnDrift:
    """A column that has drifted.

    Attributes:
        column: The column.
        distance: How much the share of rows changed that `message` names, from 0 to 1.
        p_value: The probability of a column without a change to have as much evidence for one.
        message: What changed, for people.
    """

    column: str
    distance: float
    p_value: float
    message: str


@dataclass(frozen=True)
class JointDrift:
    """A changed relation of the columns that have not drifted alone.

    Attributes:
        auc: The area under the ROC curve of the classifier that distinguishes the window from the evaluation rows.
        p_value: The probability of an area as large without a change.
        columns: The columns that matter most to it.
        message: The same for people.
    """

    auc: float
    p_value: float
    columns: Sequence[str]
    message: str


@dataclass(frozen=True)
class WindowDrift:
    """What has drifted in a window: one alert, which is false in at most one of 1,000 windows.

    Attributes:
        columns: The columns that have drifted, those with the largest distance first.
        joint: The drift of the other columns together; None if none is shown.
    """

    columns: Sequence[ColumnDrift]
    joint: JointDrift | None


def compared_columns(connection: "duckdb.DuckDBPyConnection", model: str, version: int, columns: ModelColumns) -> ModelColumns:
    """The columns of a version that can be compared.

    Left out are lists, and columns of which no request has an entry, or of which one has a hash: those that the log omits or hashes.

    Args:
        connection: The request log, from `read_request_log`.
        model: The registered model.
        version: Its version.
        columns: Its columns.
    """
    from taxiway.serving.request_files import INPUT
    from taxiway.serving.request_rows import is_hash

    of_log = {name for name, *_ in connection.execute("DESCRIBE requests").fetchall()}
    names = [name for name in columns.names if INPUT + name in of_log and not columns.types.get(name, "").startswith(LIST_OF)]
    tests = [
        f"count({each}) > 0 AND count(*) FILTER ({is_hash(each)}) = 0" for each in (quoted_name(INPUT + name) for name in names)
    ]
    query = f"SELECT {', '.join(['count(*)', *tests])} FROM requests WHERE model = $1 AND champion_version = $2 AND champion_status = 200"  # noqa: S608 (the names are quoted)
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
    version: int,
    first: date,
    every: Every,
    columns: ModelColumns,
    *,
    with_answers: bool = False,
) -> Iterator[Path]:
    """A Parquet file with the inputs of a window, predicted numbers and labels that are numbers, which is deleted after the block.

    Args:
        log: The folder of the request log.
        model: The registered model.
        version: Its version.
        first: The first day of the window.
        every: How long it is.
        columns: The columns, from `compared_columns`.
        with_answers: Whether the file also has the other columns of `taxiway log export`, for checks.
    """
    from taxiway.serving.request_rows import export_inputs

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
        )
        yield path


def window_drift(before: "pd.DataFrame", path: Path, columns: ModelColumns) -> "tuple[WindowDrift, pd.DataFrame]":
    """Compare the inputs of a window with the evaluation rows.

    Args:
        before: The evaluation rows, from `evaluation_inputs`.
        path: The inputs, from `window_rows`.
        columns: The columns, from `compared_columns`.

    Returns:
        What has drifted, and a random part of the rows of the window.
    """
    return _compared(before, WindowFile(path, columns), columns)


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


def anomalies(path: Path, about: str, by: RequestSchema | None) -> tuple[str, ...]:
    """The messages of the anomalies of a window's inputs that would block a training.

    Args:
        path: The inputs, from `window_rows`.
        about: The version, for messages.
        by: What they are validated by; None for no validation.
    """
    from taxiway.data.formats.open_data import open_data
    from taxiway.data.validation.validate import validate_requests

    if by is None:
        return ()
    with open_data(path) as table:
        report = validate_requests(table, f"the requests of {about}", by.schema, by.training)
    return tuple(anomaly.message for anomaly in report.blocking)


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

    def values(self, name: str) -> "pd.Series[Any]":
        """A column, as a model gets it; all of its values are missing if no request of the file has it."""
        from taxiway.data.engine.read_rows import rows_of_table
        from taxiway.features.encoding import raw_frame

        numeric, categorical = (
            tuple({name}.intersection(names)) for names in (self._columns.numeric, self._columns.categorical)
        )
        if name in self._file.schema_arrow.names:
            rows: Any = rows_of_table(self._file.read(columns=[name]))
        else:
            rows = {name: [None] * len(self)}
        return raw_frame(rows, numeric, categorical, self._columns.types, lenient=True)[name]

    def numbers(self, name: str) -> "NDArray[np.float64]":
        """A column of numbers that is no input; NaN for none."""
        import numpy as np

        return np.asarray(self._file.read(columns=[name]).column(0).to_numpy(), dtype=float)


def _compared(before: "pd.DataFrame", rows: WindowFile, columns: ModelColumns) -> "tuple[WindowDrift, pd.DataFrame]":
    import pandas as pd

    changes: dict[str, Change] = {}
    sampled: dict[str, pd.Series[Any]] = {}
    positions = sample(len(rows))
    for name in columns.names:
        after = rows.values(name)
        compare: Any = numeric_change if name in columns.numeric else categorical_change
        change = compare(before[name].to_numpy(), after.to_numpy())
        sampled[name] = after.iloc[positions]
        if change is not None:
            changes[name] = change
    some = pd.DataFrame(sampled)
    shown = drifted({name: change.p_value for name, change in changes.items()})
    found = [
        ColumnDrift(name, changes[name].distance, changes[name].p_value, _message(name, changes[name], columns))
        for name in shown
    ]
    # One column that has drifted, such as a date, would be all that a classifier sees.
    others = [name for name in columns.names if name not in shown]
    apart = domain_shift(before[others].iloc[sample(len(before))], some[others])
    is_shown = apart is not None and apart.p_value <= JOINT_FALSE_ALERTS and apart.distance >= SMALLEST_CHANGE
    joint = _joint(apart) if apart is not None and is_shown else None
    return WindowDrift(sorted(found, key=lambda drift: -drift.distance), joint), some


def _joint(found: DomainShift) -> JointDrift:
    by = f", most of all by {names_text(found.columns)}" if found.columns else ""
    message = f"a classifier distinguishes the rows of the window from the evaluation rows with an area under the ROC curve of {found.auc:.3f}{by}"
    return JointDrift(found.auc, found.p_value, found.columns, message)


def _message(name: str, change: Change, columns: ModelColumns) -> str:
    of = {
        "missing": "missing values",
        "infrequent": "infrequent values together",
        "unseen": "values that a half of the evaluation rows does not have",
    }.get(change.kind)
    if of is None:
        of = (
            f"values of at most {_text(change.value, name, columns)}"
            if change.kind == "at most"
            else _text(change.value, name, columns)
        )
    return f"{name}: the share of {of} changed from {percent(change.before)} in the evaluation rows to {percent(change.after)} in the window"


def _text(value: Any, name: str, columns: ModelColumns) -> str:
    """The text of a number or a category; of a number of seconds, its date or time."""
    if name not in columns.numeric:
        return quoted(value)
    if columns.types.get(name) in DATE_TYPES:
        return (datetime(1970, 1, 1) + timedelta(seconds=value)).isoformat(" ")
    return number_texts(value)[0]
