"""The decision threshold of a version that was trained."""

from collections.abc import Mapping
from typing import Any

from taxiway.errors import ConfigError
from taxiway.records import FeatureSet
from taxiway.spec.model.threshold import ChosenThreshold
from taxiway.stages.context import StageContext


def decision_threshold(context: StageContext, fitted: Any, features: FeatureSet, replaced: Mapping[str, Any]) -> float | None:
    """The decision threshold of the pipeline file, or the one that is best on held-out training rows; None for 0.5.

    Args:
        context: The run.
        fitted: The fitted pipeline.
        features: The rows that it was fitted to.
        replaced: Parameters that replace those of `model.params`.

    Raises:
        ConfigError: There are more than two classes.
    """
    from taxiway.evaluation.threshold import ThresholdRule
    from taxiway.features.labels import DECISION_THRESHOLD
    from taxiway.training.held_out import held_out

    threshold, model = context.pipeline.model.threshold, context.pipeline.model
    if threshold is None:
        return None
    if len(features.classes) != 2:
        raise ConfigError(
            f"model.threshold needs two classes, but {features.label} has {len(features.classes)}; remove it: of more classes, the most "
            "probable one is predicted",
            key="model.threshold",
        )
    if not isinstance(threshold, ChosenThreshold):
        return threshold
    rows = held_out(fitted, features, model, replaced, threshold.fraction, store=context.store)
    best = ThresholdRule.of(context.pipeline).threshold(features.classes, rows.probabilities, rows.labels)
    context.recorder.metrics({"model.threshold": DECISION_THRESHOLD if best is None else best})
    held_out_rows = f"{len(rows.labels):,} held-out rows"
    if best is None:
        context.log.info(
            "decision threshold %g: by %s, no threshold is better than another on %s",
            DECISION_THRESHOLD,
            threshold.by,
            held_out_rows,
        )
    else:
        context.log.info("decision threshold %.3g, the best by %s on %s", best, threshold.by, held_out_rows)
    return best
