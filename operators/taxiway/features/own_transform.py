"""A transform of the team's own, `features.build`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, DataError, TaxiwayError
from taxiway.features.columns import FeatureColumns
from taxiway.features.encoding import predict_rows
from taxiway.messages import clipped
from taxiway.spec.python_refs import look_up, same_process

if TYPE_CHECKING:
    import pandas as pd

_MAX_CELLS = 500_000_000
_COMPARED_ROWS = 8
_MAX_ERROR = 500


class OwnTransform:
    """The function of `features.build`, and the transformer that it returns.

    Args:
        path: `FILE.py:function` or `package.module:function`.
        columns: The raw columns, which the function gets.
        check: Called with the transformer, unfitted and fitted, and what it is; it raises an error if it cannot be saved as data.
            None: it is not checked.

    Raises:
        ConfigError: There is no such function, it raised an error, or it does not return a transformer.
    """

    def __init__(self, path: str, columns: FeatureColumns, check: Callable[[Any, str], object] | None) -> None:
        self._name = f"features.build: {Path(path.rpartition(':')[0]).name}:{path.rpartition(':')[2]}"
        self._check = check if check is not None else _no_check
        function = look_up(path, ":", "features.build")
        try:
            with same_process():
                self.transformer = function(columns)
        except (Exception, SystemExit) as error:  # a team's code may raise anything
            raise ConfigError(f"{self._name} raised {_error_line(error)}", key="features.build") from error
        if isinstance(self.transformer, type) or not all(
            hasattr(self.transformer, method) for method in ("fit_transform", "transform", "get_params")
        ):
            raise ConfigError(
                f"{self._name} returned a {type(self.transformer).__name__}; allowed: a transformer of scikit-learn, such as a ColumnTransformer",
                key="features.build",
            )
        self._check(self.transformer, self._name)

    def fit(self, frame: "pd.DataFrame", labels: "pd.Series[Any]", *, accepts_missing: bool) -> tuple[Any, Any]:
        """Fit the transformer.

        Args:
            frame: The training rows, from `raw_frame`.
            labels: Their labels.
            accepts_missing: Whether the estimator accepts missing values.

        Returns:
            The fitted transformer, and the transformed rows (rows, features).

        Raises:
            ConfigError: The transformer makes something that no estimator takes, or cannot be saved.
            DataError: It raised an error about the rows.
        """
        try:
            matrix = self._to_matrix(self.transformer.fit_transform(frame.copy(), labels.to_numpy()), len(frame))
            self._check(self.transformer, self._name)
            first = frame.head(_COMPARED_ROWS)
            together, *alone = (
                predict_rows(self._transform, rows) for rows in (first, *(first.iloc[[at]] for at in range(len(first))))
            )
        except (MemoryError, TaxiwayError):
            raise
        except (Exception, SystemExit) as error:
            raise DataError(
                f"{self._name} made a transformer that raised {_error_line(error)}", key="features.build"
            ) from error
        self._require_usable(matrix, together, alone, accepts_missing=accepts_missing)
        return self.transformer, matrix

    def _transform(self, rows: "pd.DataFrame") -> Any:
        return self._to_matrix(self.transformer.transform(rows.copy()), len(rows))

    def _to_matrix(self, found: Any, rows: int) -> Any:
        import numpy as np
        from scipy import sparse

        if sparse.issparse(found):
            if found.shape[0] * found.shape[1] > _MAX_CELLS:
                raise ConfigError(
                    f"{self._name} makes {found.shape[1]:,} features of {found.shape[0]:,} rows; allowed: {_MAX_CELLS:,} values in total. "
                    "Reduce them, for example with TruncatedSVD or max_features"
                )
            found = found.toarray()
        try:
            matrix = np.asarray(found, dtype="float64")
        except (TypeError, ValueError):
            raise ConfigError(f"{self._name} makes values that are not numbers; encode texts and dates") from None
        if matrix.ndim == 2 and not matrix.shape[1]:
            raise ConfigError(f"{self._name} makes no features; allowed: at least one")
        if matrix.ndim != 2 or len(matrix) != rows:
            raise ConfigError(
                f"{self._name} makes an array of the shape {matrix.shape} of {rows:,} rows; allowed: one row for each"
            )
        return matrix

    def _require_usable(self, matrix: Any, together: Any, alone: list[Any], *, accepts_missing: bool) -> None:
        import numpy as np

        if matrix.shape[1] != together.shape[1]:
            raise ConfigError(
                f"{self._name} makes {matrix.shape[1]} features when it is fitted, and {together.shape[1]} afterwards; required: as many"
            )
        if any(not np.array_equal(row, together[at : at + 1], equal_nan=True) for at, row in enumerate(alone)):
            raise ConfigError(
                f"{self._name} makes other features of a row if other rows are in the same call; required: those that the row alone "
                "gives, because requests are answered together"
            )
        wrong = int((~np.isfinite(matrix) if not accepts_missing else np.isinf(matrix)).any(axis=1).sum())
        if wrong:
            kind = "infinity" if accepts_missing else "NaN or infinity, which the estimator does not accept,"
            raise DataError(
                f"{self._name} makes {kind} in {wrong:,} of {len(matrix):,} training rows; impute missing values, for example with "
                "SimpleImputer",
                key="features.build",
            )


def feature_names(transform: Any, count: int) -> list[str]:
    """The names of the features of a fitted transform; `feature_1` and so on if it has none."""
    try:
        names = [str(name) for name in transform.get_feature_names_out()]
    except Exception:  # of any transformer
        names = []
    return names if len(names) == count else [f"feature_{at}" for at in range(1, count + 1)]


def _no_check(transformer: Any, name: str) -> None:
    """Where transformers are not saved."""


def _error_line(error: BaseException) -> str:
    return clipped(f"{type(error).__name__}: {error}", _MAX_ERROR)
