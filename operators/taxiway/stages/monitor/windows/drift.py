"""Which inputs of a window are distributed otherwise than the evaluation rows, each alone or together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.schema.feature import DATE_TYPES
from taxiway.features.signature import ModelColumns
from taxiway.messages import names_text, number_texts, percent, quoted
from taxiway.monitoring.domain_classifier import JOINT_FALSE_ALERTS, DomainShift, kept_domain_shift, sample
from taxiway.monitoring.drift import SMALLEST_CHANGE, Change, categorical_change, drifted, numeric_change
from taxiway.stages.monitor.windows.inputs import WindowFile
from taxiway.store import Store

if TYPE_CHECKING:
    import pandas as pd


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
    """What has drifted in a window: this is false in at most one of 2,000 windows.

    Attributes:
        columns: The columns that have drifted, those with the largest distance first.
        joint: The drift of the other columns together; None if none is shown.
    """

    columns: Sequence[ColumnDrift]
    joint: JointDrift | None


EVALUATION_ROWS = "the evaluation rows"


def window_drift(before: "pd.DataFrame", path: Path, columns: ModelColumns, store: Store) -> "tuple[WindowDrift, pd.DataFrame]":
    """Compare the inputs of a window with the evaluation rows.

    Args:
        before: The evaluation rows, from `evaluation_inputs`.
        path: The inputs, from `window_rows`.
        columns: The columns, from `compared_columns`.
        store: Where the drift of several columns together is kept: the same windows are compared again by later runs.

    Returns:
        What has drifted, and a random part of the rows of the window.
    """
    import pandas as pd

    rows = WindowFile(path, columns)
    changes: dict[str, Change] = {}
    sampled: dict[str, pd.Series[Any]] = {}
    positions = sample(len(rows))
    for name in columns.names:
        after = rows.values(name)
        change = _change(name, before[name], after, columns)
        sampled[name] = after.iloc[positions]
        if change is not None:
            changes[name] = change
    some = pd.DataFrame(sampled)
    return _drift(changes, before, some, columns, EVALUATION_ROWS, store), some


def sampled_rows(path: Path, columns: ModelColumns) -> "pd.DataFrame":
    """A random part of the rows of a window, as `window_drift` returns it."""
    import pandas as pd

    rows = WindowFile(path, columns)
    positions = sample(len(rows))
    return pd.DataFrame({name: rows.values(name).iloc[positions] for name in columns.names})


def sample_drift(
    before: "pd.DataFrame", after: "pd.DataFrame", columns: ModelColumns, reference: str, store: Store
) -> WindowDrift:
    """Compare random parts of the rows of two windows.

    Args:
        before: Rows of the earlier window, as `window_drift` returns them.
        after: Rows of the window.
        columns: The columns.
        reference: What the earlier rows are called in messages.
        store: See `window_drift`.
    """
    found = {name: _change(name, before[name], after[name], columns) for name in columns.names}
    changes = {name: change for name, change in found.items() if change is not None}
    return _drift(changes, before, after, columns, reference, store)


def _change(name: str, before: "pd.Series[Any]", after: "pd.Series[Any]", columns: ModelColumns) -> Change | None:
    compare: Any = numeric_change if name in columns.numeric else categorical_change
    found: Change | None = compare(before.to_numpy(), after.to_numpy())
    return found


def _drift(
    changes: Mapping[str, Change],
    before: "pd.DataFrame",
    some: "pd.DataFrame",
    columns: ModelColumns,
    reference: str,
    store: Store,
) -> WindowDrift:
    shown = drifted({name: change.p_value for name, change in changes.items()})
    found = [
        ColumnDrift(name, changes[name].distance, changes[name].p_value, _message(name, changes[name], columns, reference))
        for name in shown
    ]
    # One column that has drifted, such as a date, would be all that a classifier sees.
    others = [name for name in columns.names if name not in shown]
    apart = kept_domain_shift(before[others].iloc[sample(len(before))], some[others], store)
    is_shown = apart is not None and apart.p_value <= JOINT_FALSE_ALERTS and apart.distance >= SMALLEST_CHANGE
    joint = _joint(apart, reference) if apart is not None and is_shown else None
    return WindowDrift(sorted(found, key=lambda drift: -drift.distance), joint)


def _joint(found: DomainShift, reference: str) -> JointDrift:
    by = f", most of all by {names_text(found.columns)}" if found.columns else ""
    message = f"a classifier distinguishes the rows of the window from {_rows_of(reference)} with an area under the ROC curve of {found.auc:.3f}{by}"
    return JointDrift(found.auc, found.p_value, found.columns, message)


def _message(name: str, change: Change, columns: ModelColumns, reference: str) -> str:
    of = {
        "missing": "missing values",
        "infrequent": "infrequent values together",
        "unseen": f"values that a half of {_rows_of(reference)} does not have",
    }.get(change.kind)
    if of is None:
        of = (
            f"values of at most {_text(change.value, name, columns)}"
            if change.kind == "at most"
            else _text(change.value, name, columns)
        )
    return f"{name}: the share of {of} changed from {percent(change.before)} in {reference} to {percent(change.after)} in the window"


def _rows_of(reference: str) -> str:
    return reference if reference == EVALUATION_ROWS else f"the rows of {reference}"


def _text(value: Any, name: str, columns: ModelColumns) -> str:
    """The text of a number or a category; of a number of seconds, its date or time."""
    if name not in columns.numeric:
        return quoted(value)
    if columns.types.get(name) in DATE_TYPES:
        return (datetime(1970, 1, 1) + timedelta(seconds=value)).isoformat(" ")
    return number_texts(value)[0]
