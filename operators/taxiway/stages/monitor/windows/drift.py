"""Which inputs of a window are distributed otherwise than the evaluation rows, each alone or together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.schema.model import DATE_TYPES
from taxiway.features.signature import ModelColumns
from taxiway.messages import names_text, number_texts, percent, quoted
from taxiway.monitoring.domain_classifier import JOINT_FALSE_ALERTS, DomainShift, domain_shift, sample
from taxiway.monitoring.drift import SMALLEST_CHANGE, Change, categorical_change, drifted, numeric_change
from taxiway.stages.monitor.windows.inputs import WindowFile

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
    """What has drifted in a window: one alert, which is false in at most one of 1,000 windows.

    Attributes:
        columns: The columns that have drifted, those with the largest distance first.
        joint: The drift of the other columns together; None if none is shown.
    """

    columns: Sequence[ColumnDrift]
    joint: JointDrift | None


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
