"""Pictures and tables of a candidate on the evaluation rows: how it errs, and which columns it depends on."""

import io
import logging
from typing import TYPE_CHECKING

from taxiway.evaluation.comparison import Comparison
from taxiway.evaluation.metrics import metric_of
from taxiway.evaluation.predictions import Predictions
from taxiway.evaluation.scoring import LoadedModel, model_frame, score_frame
from taxiway.features.signature import signature_columns
from taxiway.spec.gate import Gate
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_log = logging.getLogger(__name__)
_ROWS = 2_000
"""The rows that permutation importance and residuals are computed on, drawn at random if there are more."""
_REPEATS = 3
_MAX_COLUMNS = 200
"""With more columns, permutation importance would take many times as long as everything else in the evaluation."""
_BINS = 10
_SHOWN_COLUMNS = 20
_SHOWN_CLASSES = 30
_FEW_CLASSES = 8
_SUBSTITUTE_METRICS = {"classification": "log_loss", "regression": "mae"}
"""The metric of importances instead of one of the team's own, which may need other columns."""


def pictures_of(model: LoadedModel, rows: "pd.DataFrame", comparison: Comparison, gate: Gate) -> dict[str, bytes]:
    """Draw a model's errors and its permutation importances (Breiman 2001).

    Args:
        model: The model.
        rows: The raw evaluation rows.
        comparison: Their labels, and the model's predictions as those of the candidate.
        gate: The `gate` section; importances are of its comparison metric.

    Returns:
        The content of each file by its name: PNG pictures, and CSV tables with the numbers in them. Empty if they cannot be drawn,
        because nothing is decided by them, or without Matplotlib, which is installed with `taxiway[ml]`.
    """
    try:
        return _draw(model, rows, comparison, gate)
    except ImportError:
        _log.info("pictures of the model are not drawn without Matplotlib: pip install 'taxiway[ml]'")
    except Exception:
        _log.warning("pictures of version %d could not be drawn", model.version, exc_info=True)
    return {}


def _draw(model: LoadedModel, rows: "pd.DataFrame", comparison: Comparison, gate: Gate) -> dict[str, bytes]:
    labels, predictions = comparison.labels, comparison.candidate
    sample = _sample_rows(len(rows))
    files: dict[str, bytes] = {}
    if model.classes:
        _add_files(files, "confusion_matrix", *_confusion_matrix(labels, predictions, comparison.classes))
        _add_files(files, "calibration", *_calibration(labels, predictions, model.classes))
    else:
        _add_files(files, "residuals", *_residuals(labels[sample], predictions.values[sample]))
    columns = len(signature_columns(model.predictor).names)
    if columns <= _MAX_COLUMNS:
        _add_files(files, "permutation_importance", *_importances(model, rows.iloc[sample], comparison.take(sample), gate))
    else:
        _log.info("permutation importances are not computed: %d columns, at most %d", columns, _MAX_COLUMNS)
    return files


def _add_files(files: dict[str, bytes], name: str, table: "pd.DataFrame", picture: "Figure") -> None:
    files |= {f"{name}.png": _png(picture), f"{name}.csv": table.to_csv(index=False).encode()}


def _png(picture: "Figure") -> bytes:
    content = io.BytesIO()
    picture.savefig(content, format="png", dpi=110)
    return content.getvalue()


def _sample_rows(rows: int) -> "NDArray[np.intp]":
    import numpy as np

    if rows <= _ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(SEED).choice(rows, _ROWS, replace=False))


def _figure(title: str, x_label: str, y_label: str, height: float = 4.0, width: float = 5.5) -> "tuple[Figure, Axes]":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(title=_plain(title), xlabel=_plain(x_label), ylabel=_plain(y_label))
    return figure, axes


def _plain(text: str) -> str:
    """Text that Matplotlib does not read as a formula."""
    return text.replace("$", r"\$")


def _confusion_matrix(labels: "Floats", predictions: Predictions, classes: tuple[str, ...]) -> "tuple[pd.DataFrame, Figure]":
    """All classes in the table, the ones with the most rows in the picture."""
    import numpy as np
    import pandas as pd
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(labels.astype(int), predictions.predicted, labels=range(len(classes)))
    shown = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:_SHOWN_CLASSES])
    title = f"Confusion matrix of {len(labels):,} rows"
    if len(shown) < len(classes):
        title += f", the {len(shown)} largest of {len(classes):,} classes"
    size = 4.0 + 0.3 * max(0, len(shown) - 8)
    figure, axes = _figure(title, "predicted", "label", size, 1.375 * size)
    shares = (counts / counts.sum(axis=1, keepdims=True).clip(1))[np.ix_(shown, shown)]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = [_plain(classes[at]) for at in shown]
    places = range(len(shown))
    axes.set(xticks=places, yticks=places, yticklabels=names)
    axes.set_xticklabels(names, rotation=0 if len(shown) <= _FEW_CLASSES else 90)
    for row, column in np.ndindex(shares.shape):
        share, rows = shares[row, column], counts[shown[row], shown[column]]
        text = f"{rows:,}\n{share:.1%}" if len(shown) <= _FEW_CLASSES else f"{rows:,}" if rows else ""
        axes.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else "black")
    table = pd.DataFrame({"label": classes, **{f"predicted {name}": counts[:, at] for at, name in enumerate(classes)}})
    return table, figure


def _calibration(labels: "Floats", predictions: Predictions, classes: tuple[str, ...]) -> "tuple[pd.DataFrame, Figure]":
    """Of the second of two classes, or of the most probable one of more."""
    import pandas as pd
    from sklearn.calibration import calibration_curve

    if predictions.positive is not None:
        happened, scores = labels == predictions.positive, predictions.values[:, predictions.positive]
        subject = f"class {classes[predictions.positive]}"
    else:
        happened, scores = predictions.values.argmax(axis=1) == labels, predictions.values.max(axis=1)
        subject = "the most probable class"
    observed, predicted = calibration_curve(happened, scores.clip(0, 1), n_bins=_BINS, strategy="quantile")
    figure, axes = _figure(
        f"Calibration, bins of equal size, {subject}", "mean predicted probability", "fraction of rows with that class"
    )
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=1, label="perfectly calibrated")
    axes.plot(predicted, observed, marker="o", label="candidate")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left")
    return pd.DataFrame({"mean_predicted": predicted, "fraction_of_class": observed}), figure


def _residuals(labels: "Floats", scores: "Floats") -> "tuple[pd.DataFrame, Figure]":
    import pandas as pd

    figure, axes = _figure(f"Residuals of {len(labels):,} rows", "predicted", "label minus predicted")
    axes.axhline(0, color="gray", linestyle="--", linewidth=1)
    axes.scatter(scores, labels - scores, s=8, alpha=0.4, linewidths=0)
    return pd.DataFrame({"label": labels, "predicted": scores, "residual": labels - scores}), figure


def _importances(model: LoadedModel, rows: "pd.DataFrame", comparison: Comparison, gate: Gate) -> "tuple[pd.DataFrame, Figure]":
    import numpy as np
    import pandas as pd
    from sklearn.dummy import DummyRegressor
    from sklearn.inspection import permutation_importance

    labels, classes = comparison.labels, comparison.classes
    name = gate.comparison_metric
    metric, columns = (
        metric_of(_SUBSTITUTE_METRICS[gate.problem] if name in gate.metrics else name, classes),
        signature_columns(model.predictor),
    )
    present = [name for name in columns.names if name in rows]
    frame = model_frame(model, rows)

    def quality(_: object, permuted: "pd.DataFrame", truth: "Floats") -> float:
        ones, whole_frame = np.ones((1, len(truth))), frame.assign(**{name: permuted[name].to_numpy() for name in present})
        return metric.direction * float(
            metric.compute(score_frame(model, whole_frame, classes, comparison.candidate.positive), truth, ones)[0]
        )

    placeholder = DummyRegressor()  # scikit-learn requires something with a fit method; `quality` predicts with the model
    found = permutation_importance(placeholder, frame[present], labels, scoring=quality, n_repeats=_REPEATS, random_state=SEED)
    table = pd.DataFrame({"column": present, "importance": found.importances_mean, "std": found.importances_std})
    table = table.sort_values("importance", ascending=False, kind="stable").reset_index(drop=True)
    shown = table.head(_SHOWN_COLUMNS).iloc[::-1]
    figure, axes = _figure(
        f"Permutation importance on {len(labels):,} rows",
        f"loss of {metric.name} if the column is shuffled",
        "",
        1.5 + 0.25 * len(shown),
    )
    axes.barh(shown["column"].map(_plain), shown["importance"], xerr=shown["std"], color="#4878a8")
    axes.axvline(0, color="gray", linewidth=1)
    return table, figure
