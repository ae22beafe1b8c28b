"""How a version performs on its evaluation rows, with which its windows are compared."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, DataError
from taxiway.evaluation.predictions import positive_class
from taxiway.records import Snapshot
from taxiway.spec.metrics import Problem, facts_of, metrics_of, require_classes
from taxiway.spec.monitor import NOT_MONITORED, not_monitored_text
from taxiway.stages.monitor.windows.log_windows import largest_share
from taxiway.stages.monitor.windows.performance import CONFIDENCE, Evaluated, Reference, is_known
from taxiway.store import Store

if TYPE_CHECKING:
    from taxiway.models.row_model import RowModel

_ESTIMATED_ERRORS = ("mae", "rmse")
_NO_ESTIMATES = f"of a regression, only {' and '.join(_ESTIMATED_ERRORS)} can be estimated without labels"


def reference_of(model: "RowModel", pyfunc: Any, snapshot: Snapshot, label: str, metric: str, store: Store) -> Reference:
    """Score the evaluation rows of a version.

    Args:
        model: The model.
        pyfunc: The same, as it was loaded.
        snapshot: The snapshot that it was trained and evaluated on.
        label: The column of the label.
        metric: The metric.
        store: Where the rows are.

    Raises:
        ConfigError: The metric cannot be computed for the label.
        DataError: The rows lack a label, or the metric has no interval.
        NotStoredError: The rows are not in the store any more.
    """
    import numpy as np

    from taxiway.data.engine.read_rows import read_rows
    from taxiway.evaluation.scoring import LoadedModel, score
    from taxiway.features.encoding import category_text
    from taxiway.features.labels import true_labels
    from taxiway.monitoring.calibration import calibrate
    from taxiway.monitoring.realised import realised

    classes = tuple(model.classes)
    _require_metric(metric, classes)
    rows = read_rows(snapshot.evaluation, store, [*model.columns.names, label])
    has_label = rows[label].map(category_text, na_action="ignore").isin(classes) if classes else rows[label].notna()
    rows = rows[has_label]
    labels = true_labels(rows[label], classes, snapshot.evaluation)
    predictions = score(LoadedModel(0, pyfunc, classes), rows, classes, positive_class(classes))
    found = realised(metric, predictions, labels, classes, CONFIDENCE)
    if not is_known(found):
        raise DataError(
            f"{metric} of the {len(labels):,} evaluation rows has no interval, as with very few rows of a class; give another metric"
        )
    alike = largest_share(predictions.values)
    if not classes:
        positions = np.flatnonzero(has_label)
        evaluated, problem = (
            Evaluated(positions, predictions.values, labels),
            "" if metric in _ESTIMATED_ERRORS else _NO_ESTIMATES,
        )
        return Reference(metric, classes, model.threshold, found, None, evaluated, problem, alike)
    try:
        calibration, problem = calibrate(predictions.values, labels), ""
    except DataError as error:
        calibration, problem = None, str(error)
    return Reference(metric, classes, model.threshold, found, calibration, None, problem, alike)


def _require_metric(metric: str, classes: Sequence[str]) -> None:
    problem: Problem = "classification" if classes else "regression"
    try:
        of = facts_of(metric).problem
    except ValueError as error:
        raise ConfigError(f"{metric} is not a metric: {error}") from None
    if of != problem:
        raise ConfigError(
            f"{metric} is a metric for {of}, and the model is for {problem}; allowed: {', '.join(metrics_of(problem))}"
        )
    if metric == NOT_MONITORED:
        raise ConfigError(not_monitored_text(problem))
    require_classes([metric], classes)
