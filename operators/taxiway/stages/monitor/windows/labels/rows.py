"""The rows with a label that a version has predicted, with their inputs, from the request log; and its evaluation rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.evaluation.predictions import Predictions, positive_class, predictions_of
from taxiway.features.signature import ModelColumns
from taxiway.records import Snapshot
from taxiway.stages.batch.version import Version
from taxiway.stages.monitor.windows.inputs import compared_columns
from taxiway.stages.monitor.windows.log_windows import answers_and_labels
from taxiway.stages.monitor.windows.performance import Reference
from taxiway.store import Store, temp_folder

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Days = NDArray[np.int64]


@dataclass(frozen=True)
class LabelledRows:
    """Rows with a label.

    Attributes:
        predictions: What the version has predicted.
        labels: The labels: positions of classes, or numbers (n).
        inputs: The inputs, a column for each.
        days: The days of their requests in UTC, as days since 1970 (n); None for rows that are not requests.
    """

    predictions: Predictions
    labels: "Floats"
    inputs: "pd.DataFrame"
    days: "Days | None" = None


@dataclass(frozen=True)
class Period:
    """Requests of a log.

    Attributes:
        log: The folder of the request log's Parquet files.
        since: The time of the first requests, with a time zone.
        until: The last day, in UTC.
    """

    log: Path
    since: datetime
    until: date


def period_of(log: Path, since: date | None, until: date | None) -> Period:
    """The requests of some days: from the first day on, None for all, until the last one, None for today, and none that is dated later."""
    today = datetime.now(UTC).date()
    return Period(log, datetime.combine(since or date.min, time.min, UTC), min(until or today, today))


def logged_columns(period: Period, version: Version, columns: ModelColumns) -> ModelColumns:
    """The columns of which the log has the values, see `compared_columns`.

    Raises:
        NoRequestsError: There are no requests in the period.
    """
    from taxiway.serving.request_log.files import read_request_log

    return read_request_log(
        period.log,
        lambda connection: compared_columns(connection, version.model, version.version, columns),
        model=version.model,
        since=period.since.astimezone(UTC).date(),
        until=period.until,
    )


def labelled_rows(period: Period, version: Version, reference: Reference, columns: ModelColumns) -> LabelledRows:
    """The rows of a version that have a label.

    Args:
        period: The requests.
        version: The version.
        reference: Its classes and its threshold.
        columns: The inputs, from `logged_columns`.

    Raises:
        NoRequestsError: There are no requests in the period.
    """
    import numpy as np
    import pyarrow.parquet as pq

    from taxiway.data.engine.read_rows import rows_of_table
    from taxiway.serving.request_log.rows import ANSWERS, OWN
    from taxiway.serving.request_log.version_rows import export_labelled

    classes = reference.classes
    with temp_folder("labelled") as folder:
        path = folder / "rows.parquet"
        export_labelled(
            period.log,
            version.model,
            version.version,
            path,
            since=period.since,
            until=period.until,
            types=columns.types,
            names=columns.names,
        )
        table = pq.read_table(path)
    own = [OWN + name for name in ANSWERS]
    table = table.filter(_is_answered(table.select(own).rename_columns(list(ANSWERS)), classes))
    answers, labels = answers_and_labels(table.select(own).rename_columns(list(ANSWERS)), classes)
    known = np.flatnonzero(~np.isnan(labels))
    predictions = predictions_of(answers, classes, classes, positive_class(classes), reference.threshold)
    inputs = rows_of_table(table.drop_columns(own)).iloc[known].reset_index(drop=True)
    days = table.column(f"{OWN}day").to_numpy().astype("datetime64[D]").astype(np.int64)
    return LabelledRows(predictions.take(known), labels[known], inputs, days[known])


def evaluation_rows(
    snapshot: Snapshot, label: str, reference: Reference, columns: Sequence[str], store: Store
) -> "tuple[pd.DataFrame, Floats]":
    """The evaluation rows whose label is known to the version, with some columns of the source, and their labels."""
    from taxiway.data.engine.read_rows import read_rows
    from taxiway.features.encoding import category_text
    from taxiway.features.labels import true_labels

    classes, rows = reference.classes, read_rows(snapshot.evaluation, store, [*columns, label])
    rows = rows[rows[label].map(category_text, na_action="ignore").isin(classes)] if classes else rows[rows[label].notna()]
    return rows, true_labels(rows[label], classes, snapshot.evaluation)


def _is_answered(answers: "pa.Table", classes: "tuple[str, ...]") -> "pa.ChunkedArray":
    """Whether a row has an answer of the version's problem: a probability for each class, or a number."""
    import pyarrow.compute as pc

    if not classes:
        return pc.is_valid(answers.column("prediction_value"))
    return pc.equal(pc.list_value_length(answers.column("probabilities")), len(classes))
