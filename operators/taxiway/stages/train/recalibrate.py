"""Recalibrate: registers the champion with a new calibration, fitted to the rows that it has not learned from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import DataError, TerminalError
from taxiway.messages import counted, decimal_texts, listed
from taxiway.records import FeatureSet, Snapshot, Span
from taxiway.stages.context import StageContext
from taxiway.tracking import tags

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from taxiway.models.recalibration import Comparison, Knots, Line
    from taxiway.models.row_model import RowModel

    Floats = NDArray[np.float64]


class _DeletedError(TerminalError):
    """A version that a recalibration needs was deleted in MLflow."""


@dataclass(frozen=True)
class Recalibration:
    """What a recalibration starts from.

    Attributes:
        champion: The champion's version.
        base: The version whose estimator the champion has: its own, or of a champion that was recalibrated itself, the one that was trained.
        spans: The training spans of the run that the base was not trained on.
    """

    champion: int
    base: int
    spans: tuple[Span, ...]


def plan_recalibration(context: StageContext, snapshot: Snapshot) -> Recalibration | None:
    """What is recalibrated on which rows; None if there is no champion, or if it was deleted in MLflow.

    A champion that was trained on the same window, by an earlier try of this run, is not recalibrated, but the one before it.

    Raises:
        DataError: The champion has learned from all training spans.
    """
    from taxiway.registry.alias_moves import champion_now

    champion = champion_now(context.ledger, context.pipeline.name)
    if champion is None:
        context.log.warning("trained anew: there is no champion to recalibrate")
        return None
    try:
        return _planned(context, snapshot, champion)
    except _DeletedError as error:
        context.log.warning("trained anew: %s", error)
        return None


def _planned(context: StageContext, snapshot: Snapshot, champion: int) -> Recalibration:
    found = _tags_of(context, champion)
    if found.get(tags.SNAPSHOT) == snapshot.digest and _is_recalibrated(found):
        champion = int(found[tags.PREVIOUS])
        found = _tags_of(context, champion)
    base = champion
    while _is_recalibrated(found):
        base = int(found[tags.PREVIOUS])
        found = _tags_of(context, base)
    learned = {span.content for span in context.store.get(Snapshot, found[tags.SNAPSHOT]).training}
    spans = tuple(span for span in snapshot.training if span.content not in learned)
    if not spans:
        raise DataError(
            f"version {base} has learned from all training spans ({', '.join(span.label for span in snapshot.training)}), so no rows are "
            "left to recalibrate it with; wait for the next span, or use the action warm_start or retrain"
        )
    return Recalibration(champion, base, spans)


def recalibrate(context: StageContext, plan: Recalibration, features: FeatureSet) -> "tuple[RowModel, pd.DataFrame | None]":
    """The champion's transform and estimator with a calibration that fits the rows that they have not learned from.

    Returns:
        The model, and its input example, which is that of the base; None if the base has none.

    Raises:
        DataError: These rows have other classes than the champion, or too few of one.
    """
    from taxiway.data.engine.read_rows import read_rows
    from taxiway.evaluation.scoring import model_frame
    from taxiway.evaluation.threshold import ThresholdRule
    from taxiway.features.encoding import predict_rows
    from taxiway.features.labels import true_labels, with_unseen
    from taxiway.features.signature import example_rows
    from taxiway.models.background import background_cells
    from taxiway.models.recalibration import by_knots, compare_isotonic, fit_knots, fit_lines, recalibrated
    from taxiway.registry.alias_moves import files_by_ledger
    from taxiway.stages.validate_model.scoring import load_version

    files = files_by_ledger(context.ledger, context.pipeline.name, plan.base)
    loaded = load_version(context, context.pipeline.name, plan.base, files)
    model: RowModel = loaded.predictor.get_raw_model()
    rows, classes = read_rows(plan.spans, context.store), tuple(model.classes)
    unseen = with_unseen(classes, rows[features.label])[len(classes) :]
    if unseen:
        raise DataError(
            f"the rows that are new to the champion have the classes {listed(unseen)}, which version {plan.base} has not learned; use the "
            "action retrain"
        )
    labels = true_labels(rows[features.label], classes, plan.spans)
    frame = model_frame(loaded, rows)
    values = predict_rows(model.predict_frame, frame)
    lines, compared = fit_lines(values, labels, classes), compare_isotonic(values, labels) if len(classes) == 2 else None
    knots = fit_knots(values, labels) if compared is not None and compared.is_isotonic_better else None
    after = recalibrated(values, lines) if knots is None else by_knots(values, knots)
    threshold = model.threshold
    if context.pipeline.model.threshold is not None and len(classes) == 2:
        threshold = ThresholdRule.of(context.pipeline).threshold(classes, after, labels)
    _record(context, plan, (values, after), labels)
    _record_map(context, lines, knots, compared)
    made = model.with_calibration(lines if knots is None else None, threshold, knots)
    if made.background is None:  # what is exact for its estimator is not for the recalibrated model
        made.background = background_cells(frame)
    return made, example_rows(loaded.predictor)


def recalibration_tags(plan: Recalibration) -> dict[str, str]:
    """The tags of a version that is a recalibrated champion."""
    return {tags.PREVIOUS: str(plan.champion), tags.ACTION: json.dumps({"action": "recalibrate"})}


def _record(
    context: StageContext,
    plan: Recalibration,
    values: "tuple[Floats, Floats]",
    labels: "Floats",
) -> None:
    """Log the rows, and the mean squared error of the predictions before and after."""
    import numpy as np

    truth = np.eye(values[0].shape[1])[labels.astype(np.intp)] if values[0].ndim > 1 else labels
    before, after = (float(np.mean((each - truth) ** 2)) for each in values)
    spans = ", ".join(span.label for span in plan.spans)
    texts = decimal_texts(before, after)
    context.recorder.params({"recalibration.version": plan.base, "recalibration.spans": spans})
    context.recorder.metrics(
        {
            "recalibration.rows": len(labels),
            "recalibration.squared_error_before": before,
            "recalibration.squared_error_after": after,
        }
    )
    context.log.info(
        "version %d recalibrated on %s of the spans %s: mean squared error of its predictions %s before, %s after",
        plan.base,
        counted(len(labels), "row"),
        spans,
        *texts,
    )


def _record_map(context: StageContext, lines: "Sequence[Line]", knots: "Knots | None", compared: "Comparison | None") -> None:
    """Log the map, and the held-out log losses by which it was chosen."""
    context.recorder.params({"recalibration.map": "line" if knots is None else "isotonic"})
    of_lines = "; ".join(f"{slope:.3g}, {intercept:.3g}" for slope, intercept in lines)
    used = f"slope and intercept {of_lines}" if knots is None else f"isotonic regression with {counted(len(knots[0]), 'knot')}"
    if compared is None:
        context.log.info("recalibrated by %s", used)
        return
    losses = {"line": compared.line, "isotonic": compared.isotonic}
    context.recorder.metrics({f"recalibration.log_loss_{name}": loss for name, loss in losses.items()})
    texts = decimal_texts(compared.line, compared.isotonic, compared.error)
    context.log.info(
        "recalibrated by %s; the log loss of held-out rows is %s with a line and %s with isotonic regression, which is used if it is "
        "better by more than a standard error, %s",
        used,
        *texts,
    )


def _is_recalibrated(version_tags: Mapping[str, str]) -> bool:
    action: Any = json.loads(version_tags.get(tags.ACTION) or "{}")
    return bool(action.get("action") == "recalibrate") and version_tags.get(tags.PREVIOUS, "").isdecimal()


def _tags_of(context: StageContext, version: int) -> Mapping[str, str]:
    from taxiway.registry.version_tags import tags_of

    found = tags_of(context.registry, context.pipeline.name, version)
    if found is None:
        raise _DeletedError(f"version {version} was deleted in MLflow")
    return found
