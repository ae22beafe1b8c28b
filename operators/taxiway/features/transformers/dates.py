"""Numbers made from dates and times.

This module imports scikit-learn, because a saved model names its class; import it inside of functions.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, TransformerMixin  # noqa: TID253 the bases of a class that skops looks up by its name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DAY = 86_400
_MAX_SECONDS = 10**14  # three million years: beyond it, NumPy's dates overflow


class DateParts(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Splits dates, which are seconds since 1970 in UTC, into the parts that can recur in rows to come.

    A part is used only if the training rows show that it does: the month if all twelve occur, the day of the month if at least 28
    do, the weekday and the hour if there are at least two, and the year if there are at least 10, as for a date of birth. The months
    of a window of three months, for example, would be unknown to a model that predicts the next one. A missing date gives missing parts.

    Attributes:
        parts_: The parts that are used, for each column.
    """

    def fit(self, seconds: Any, y: Any = None) -> "DateParts":  # noqa: ARG002 scikit-learn passes the labels
        """Choose the parts.

        Args:
            seconds: The dates (rows, columns), as seconds since 1970; NaN for none.
            y: Not used.
        """
        import numpy as np

        self.parts_ = []
        for column in _array(seconds).T:
            known = column[~np.isnan(column)]
            distinct = {part: len(np.unique(_PARTS[part](known))) for part in _PARTS}
            self.parts_.append([part for part in _PARTS if distinct[part] >= _LEAST[part]])
        return self

    def transform(self, seconds: Any) -> "Floats":
        """The parts of the dates (rows, parts); NaN for a missing date."""
        import numpy as np

        values = _array(seconds)
        columns = [
            np.where(np.isnan(column), np.nan, _PARTS[part](np.nan_to_num(column)))
            for column, parts in zip(values.T, self.parts_, strict=True)
            for part in parts
        ]
        return np.column_stack(columns) if columns else np.empty((len(values), 0))

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """The names of the parts, such as `ordered_at.weekday`."""
        import numpy as np

        names = [f"{name}.{part}" for name, parts in zip(input_features, self.parts_, strict=True) for part in parts]
        return np.array(names, dtype="object")


def _array(seconds: Any) -> "Floats":
    import numpy as np

    values = np.asarray(seconds, dtype="float64")
    return np.where(abs(values) < _MAX_SECONDS, values, np.nan)


def _days(seconds: "Floats") -> Any:
    import numpy as np

    return np.floor_divide(seconds, _DAY).astype("int64").astype("datetime64[D]")


def _year(seconds: "Floats") -> Any:
    return _days(seconds).astype("datetime64[Y]").astype("int64") + 1970


def _month(seconds: "Floats") -> Any:
    return _days(seconds).astype("datetime64[M]").astype("int64") % 12 + 1


def _day(seconds: "Floats") -> Any:
    days = _days(seconds)
    return (days - days.astype("datetime64[M]")).astype("int64") + 1


def _weekday(seconds: "Floats") -> Any:
    return (_days(seconds).astype("int64") + 3) % 7  # 1970 began on a Thursday; Monday is 0


def _hour(seconds: "Floats") -> Any:
    return seconds % _DAY // 3600


_PARTS: Mapping[str, Callable[["Floats"], Any]] = {
    "year": _year,
    "month": _month,
    "day": _day,
    "weekday": _weekday,
    "hour": _hour,
}
_LEAST = {"year": 10, "month": 12, "day": 28, "weekday": 2, "hour": 2}
"""How many different values of a part the training rows must have."""
