"""Transform: fits the transform on the training spans, and transforms their rows."""

from taxiway.messages import quoted
from taxiway.records import FeatureSet, Snapshot
from taxiway.spec.metrics import require_classes
from taxiway.stages.context import StageContext


def transform(context: StageContext, snapshot: Snapshot) -> FeatureSet:
    """Fit the transform, which training and serving share, on the training spans.

    Raises:
        DataError: The labels do not fit the problem of the pipeline, or the gate groups rows by a column of lists or structs.
        ConfigError: The features, the estimator or a metric of the pipeline file cannot be used.
    """
    from taxiway.data.engine.read_rows import read_rows
    from taxiway.data.ingest.rehearsal import rehearsal_text
    from taxiway.evaluation.groups import check_group_columns
    from taxiway.evaluation.metrics.trial import try_own_metrics
    from taxiway.features.columns import choose_columns
    from taxiway.features.encoding import category_text
    from taxiway.features.transform import TransformSpec
    from taxiway.features.transform import transform as fit_transform
    from taxiway.registry.register import check_savable
    from taxiway.training.estimator import accepts_missing, build_estimator

    pipeline = context.pipeline
    check_group_columns(pipeline.gate, (*snapshot.training, *snapshot.evaluation), context.store)
    estimator = build_estimator(pipeline.model, {}, pipeline.gate.problem)
    spec = TransformSpec.of(pipeline, accepts_missing=accepts_missing(estimator), check=check_savable, action=context.action)
    features = fit_transform(snapshot, context.schema(), spec, store=context.store, recorder=context.recorder)
    names = [name for name in pipeline.gate.metrics_used if name not in pipeline.gate.metrics]
    require_classes([*names, pipeline.tuning_metric] if pipeline.sweep is not None else names, features.classes)
    label = context.schema().feature(pipeline.source.label)
    domain = [category_text(value) for value in label.domain or ()] if label is not None else []
    pipeline.gate.require_known_classes({*features.classes, *domain})
    if pipeline.gate.metrics:
        first = read_rows(snapshot.training[:1], context.store)
        try_own_metrics(pipeline.gate, first, pipeline.source.label, features.classes)
    context.log.info("%s rows, %s", f"{features.row_count:,}", features.describe())
    if features.rehearsed:
        context.log.info("%s", rehearsal_text(snapshot.training, features.rehearsed))
    chosen = choose_columns(context.schema(), pipeline.used_features, pipeline.source.label).names
    empty = [name for name in chosen if name not in (*features.columns, *features.left_out)]
    if empty:
        context.log.warning("without a value in the training spans, and so not in the model: %s", ", ".join(map(quoted, empty)))
    for note in features.notes:
        context.log.info("%s", note)
    for name, reason in features.left_out.items():
        context.log.warning("%s is %s", quoted(name), reason)
    return features
