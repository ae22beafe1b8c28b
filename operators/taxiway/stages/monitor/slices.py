"""The slices of a window whose realised performance is worse than that of the same slice of the evaluation rows."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from taxiway.evaluation.predictions import positive_class
from taxiway.features.signature import ModelColumns
from taxiway.messages import number_text, quoted
from taxiway.monitoring.retraining.evidence import is_worse
from taxiway.records import Interval
from taxiway.records.served import WorseSlice
from taxiway.spec.metrics import facts_of
from taxiway.stages.batch.version import row_model
from taxiway.stages.monitor.monitored import Monitored
from taxiway.stages.monitor.windows.labels.rows import LabelledRows, Period, evaluation_rows, labelled_rows, logged_columns
from taxiway.stages.monitor.windows.log_windows import Every, last_day
from taxiway.stages.monitor.windows.performance import CONFIDENCE, MIN_ROWS, Reference
from taxiway.store import Store

if TYPE_CHECKING:
    import pandas as pd

_MOST = 5


def worse_slices(found: Monitored, pyfunc: Any, period: Period, every: Every, store: Store) -> tuple[WorseSlice, ...]:
    """The slices that are worse in the newest window whose realised performance is known, at most five, the largest loss first.

    A slice is the rows in which an input has a value: an input of `gate.slices.by`, or if the version was not compared by slice, any
    category. It is worse if its interval is entirely on the worse side of that of the same slice of the evaluation rows. The intervals
    of all slices are simultaneous (Bonferroni), so any is wrong with a probability of at most 1%.

    Args:
        found: The version, with its windows.
        pyfunc: Its model.
        period: The requests that were compared.
        every: How long a window is.
        store: Where the evaluation rows are.
    """
    if found.newest_labelled is None:
        return ()
    first = found.newest_labelled.performance.first
    since = max(period.since, datetime.combine(first, time.min, UTC))
    of_window = replace(period, since=since, until=min(period.until, last_day(first, every)))
    model_columns = row_model(pyfunc, found.version).columns
    if not _columns(found, model_columns).names:
        return ()
    columns = _columns(found, logged_columns(of_window, found.version, model_columns))
    if not columns.names:
        return ()
    window = labelled_rows(of_window, found.version, found.reference, columns)
    after = replace(window, inputs=_frame(window.inputs, columns))
    return compared_slices(found.reference, _evaluated(found, pyfunc, columns, store), after)


def compared_slices(reference: Reference, before: LabelledRows, after: LabelledRows) -> tuple[WorseSlice, ...]:
    """The slices that are worse, as `worse_slices` says.

    Args:
        reference: The metric and the classes.
        before: The evaluation rows; their inputs are the columns whose values are slices.
        after: The rows of the window, with the same inputs.
    """
    slices = list(_slices(before.inputs, after.inputs))
    confidence = 1 - (1 - CONFIDENCE) / max(1, len(slices))
    worse = []
    for column, value, *positions in slices:
        then, now = (
            _realised(reference, rows, index, confidence) for rows, index in zip((before, after), positions, strict=True)
        )
        if then is not None and now is not None and is_worse(reference.metric, now, then):
            worse.append(WorseSlice(column=column, value=value, realised=now, evaluation=then))
    direction = facts_of(reference.metric).direction
    return tuple(sorted(worse, key=lambda each: direction * (each.realised.value - each.evaluation.value))[:_MOST])


def _columns(found: Monitored, logged: ModelColumns) -> ModelColumns:
    """The inputs whose values are slices: those by which the version was compared with its champion, or all categories."""
    by = found.evaluated.sliced_by
    numeric = tuple(name for name in logged.numeric if name in by)
    categorical = tuple(name for name in logged.categorical if name in by or not by)
    return ModelColumns(
        numeric, categorical, {name: kind for name, kind in logged.types.items() if name in (*numeric, *categorical)}
    )


def _evaluated(found: Monitored, pyfunc: Any, columns: ModelColumns, store: Store) -> LabelledRows:
    """The evaluation rows, with the columns whose values are slices."""
    from taxiway.evaluation.scoring import LoadedModel, score

    classes, model = found.reference.classes, row_model(pyfunc, found.version)
    rows, labels = evaluation_rows(found.evaluated.snapshot, found.evaluated.label, found.reference, model.columns.names, store)
    predictions = score(LoadedModel(0, pyfunc, classes), rows, classes, positive_class(classes))
    return LabelledRows(predictions, labels, _frame(rows, columns))


def _frame(rows: "pd.DataFrame", columns: ModelColumns) -> "pd.DataFrame":
    from taxiway.features.encoding import raw_frame

    return raw_frame(rows, columns.numeric, columns.categorical, columns.types, lenient=True)


def _slices(before: "pd.DataFrame", after: "pd.DataFrame") -> "Iterator[tuple[str, str, Any, Any]]":
    """The column, the value as text, and the positions of the rows before and after, of each slice with enough rows."""
    for name in map(str, before.columns):
        then, now = (frame.groupby(name, observed=True, dropna=True).indices for frame in (before, after))
        for value in sorted(then.keys() & now.keys(), key=str):
            if min(len(then[value]), len(now[value])) >= MIN_ROWS:
                yield name, number_text(value) if isinstance(value, float) else quoted(value), then[value], now[value]


def _realised(reference: Reference, rows: LabelledRows, index: Any, confidence: float) -> Interval | None:
    """The metric of some rows; None if it is not defined for them, as with labels that are all equal."""
    from taxiway.monitoring.realised import realised

    found = realised(reference.metric, rows.predictions.take(index), rows.labels[index], reference.classes, confidence)
    return found if all(map(math.isfinite, (found.value, found.low, found.high))) else None
