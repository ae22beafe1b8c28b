"""The check of a column's range, exactly: integers of any size, and FLOATs by the digits that are written."""

import math

from taxiway.data.profiling.profile import ColumnProfile
from taxiway.data.schema.constraints import Range
from taxiway.data.schema.feature import Feature
from taxiway.data.validation.checks.examples import examples_where
from taxiway.data.validation.inputs import CheckTarget
from taxiway.data.validation.results import anomaly_in
from taxiway.messages import number_text, share
from taxiway.records import Anomaly

_LARGEST_HUGEINT = 1e38


def outside_range(span: CheckTarget, feature: Feature, column: ColumnProfile, limits: Range) -> Anomaly | None:
    """The values outside the limits; None if there are none."""
    low, high = column.minimum, column.maximum
    least, most = (None if side is None else _as_stored(side, column) for side in (limits.min, limits.max))
    below = least is not None and ((low is not None and low < least) or column.below > 0)
    above = most is not None and ((high is not None and high > most) or column.above > 0)
    if not below and not above:
        return None
    outside = (("<", least, below), (">", most, above))
    sides = [_condition(operator, bound, column) for operator, bound, is_out in outside if is_out and bound is not None]
    found = examples_where(span, feature, f"({' OR '.join(sides)}) AND NOT isnan(value::DOUBLE)")
    if not found.total:
        return None  # beyond 1e100, which profiles count as infinite, and still inside the range
    unit = f" {feature.unit}" if feature.unit else ""
    shown = [None if side is None else _extreme_text(_written(side, column), limits) for side in (low, high)]
    furthest = [side for side, is_out in zip(shown, (below, above), strict=True) if is_out and side is not None]
    extremes = f", furthest at {' and '.join(furthest)}" if furthest else ", all of them infinite"
    return anomaly_in(
        "range",
        span,
        feature,
        observed=f"{shown[0] or ''} to {shown[1] or ''}{unit}",
        expected=f"{limits.describe()}{unit}",
        message=f"is outside {limits.describe()}{unit} in {share(found.total, column.rows)}{extremes}",
        change=("range", wider) if (wider := _wider(limits, column)) != limits.model_dump(exclude_none=True) else None,
        examples=[int(value) if column.type == "integer" else float(value) for value in found.values],
        places=found.places,
    )


def _extreme_text(value: float, limits: Range) -> str:
    """A number with six significant digits, or as many as it takes to read on its own side of the limits; integers have all."""
    if isinstance(value, int) or value.is_integer():
        return number_text(value)
    texts = (f"{value:.{digits}g}" for digits in range(6, 17))
    return next((text for text in texts if limits.holds(float(text)) == limits.holds(value)), number_text(value))


def _condition(operator: str, bound: float, column: ColumnProfile) -> str:
    """`value` against a bound in SQL, exactly: integers of any size as such, other numbers as doubles."""
    if column.type != "integer" or abs(bound) > _LARGEST_HUGEINT:
        return f"value::DOUBLE {operator} {float(bound)!r}"
    return f"value::HUGEINT {operator} {math.ceil(bound) if operator == '<' else math.floor(bound)}"


def _as_stored(bound: float, column: ColumnProfile) -> float:
    """A bound as a value of the column's type would be: 0.1 is another number as FLOAT than as DOUBLE."""
    import numpy as np

    return float(np.float32(bound)) if column.storage == "FLOAT" else bound


def _written(value: float, column: ColumnProfile) -> float:
    """A value of the column as its digits are written: the FLOAT 0.30000001192092896 is 0.3."""
    import numpy as np

    return float(str(np.float32(value))) if column.storage == "FLOAT" else value


def _wider(limits: Range, column: ColumnProfile) -> dict[str, float]:
    """The range that includes all finite values."""
    sides = {}
    if limits.min is not None:
        sides["min"] = min(limits.min, _written(column.minimum, column) if column.minimum is not None else limits.min)
    if limits.max is not None:
        sides["max"] = max(limits.max, _written(column.maximum, column) if column.maximum is not None else limits.max)
    return sides
