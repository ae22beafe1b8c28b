"""Fit the transform on the training rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from taxiway.data.engine.read_rows import arrow_types, column_types, read_rows
from taxiway.data.ingest.rehearsal import drawn_rows, used_positions
from taxiway.data.schema.feature import DATE_TYPES
from taxiway.data.schema.file import Schema
from taxiway.errors import DataError
from taxiway.features.build import MIN_CATEGORY_ROWS, TRANSFORM_TYPES, build_transform, list_notes, many_valued
from taxiway.features.columns import FeatureColumns, choose_columns, with_free_text, without_unusable_lists
from taxiway.features.encoding import category_text, raw_frame
from taxiway.features.labels import learnable_classes
from taxiway.features.own_transform import OwnTransform, feature_names
from taxiway.features.weights import weights_of
from taxiway.messages import clipped, listed
from taxiway.records import FeatureSet, Snapshot
from taxiway.records.recorder import Recorder
from taxiway.spec.metrics import Problem
from taxiway.spec.monitor.action import Action, Rehearsal
from taxiway.spec.pipeline import Features, Pipeline
from taxiway.spec.python_refs import code_digest, names_function, short_name
from taxiway.store import StageKey, Store, keep, made_before, temp_folder

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_PARAM = 500  # characters in MLflow; the feature set has all of them
_RULE = 8  # version of read_rows, raw_frame and the transformers here; see StageKey


@dataclass(frozen=True)
class TransformSpec:
    """What a transform is fitted for.

    Attributes:
        features: Which columns to use.
        label: The label.
        problem: Classification or regression.
        accepts_missing: Whether the estimator accepts missing values.
        weight: The column with the weights of the training rows, or the function that returns them; None if all weigh alike.
        check: Called with a fitted transform of the team's own; it raises an error if it cannot be saved as data.
        rehearsal: The sample of earlier spans; None to use all rows of all training spans.
        window: How many of the training spans, the newest ones, are used as a whole if there is a rehearsal.
    """

    features: Features
    label: str
    problem: Problem
    accepts_missing: bool
    weight: str | None = None
    check: Callable[[Any, str], object] | None = None
    rehearsal: Rehearsal | None = None
    window: int = 0

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        *,
        accepts_missing: bool,
        check: Callable[[Any, str], object] | None = None,
        action: Action | None = None,
    ) -> "TransformSpec":
        """What the transform of a pipeline is fitted for, in a run that does an action; see the attributes."""
        used, label, problem = pipeline.used_features, pipeline.source.label, pipeline.gate.problem
        made = cls(used, label, problem, accepts_missing, pipeline.model.weight, check)
        if action is None or action.rehearsal is None:
            return made
        window = action.window if action.window is not None else pipeline.source.window
        assert isinstance(window, int)  # the pipeline file is not valid otherwise
        return replace(made, rehearsal=action.rehearsal, window=window)

    def drawn(self, snapshot: Snapshot) -> dict[str, int]:
        """How many rows of earlier spans are drawn; see `drawn_rows`. Empty without a rehearsal."""
        return drawn_rows(snapshot.training, self.rehearsal, self.window) if self.rehearsal is not None else {}


def transform(snapshot: Snapshot, schema: Schema, spec: TransformSpec, *, store: Store, recorder: Recorder) -> FeatureSet:
    """Fit the transform on the training rows of a snapshot, and store it with the transformed rows.

    See `build_transform` for what becomes of the columns. One without a value in the training spans is left out. Only training spans
    are read. The result is cached by its inputs, because skops never writes the same bytes twice.

    Args:
        snapshot: The snapshot.
        schema: Its schema.
        spec: What the transform is fitted for.
        store: Where rows and results are.
        recorder: Where to report the number of features.

    Raises:
        ConfigError: A column is not in the schema, no column is left, or the transform of `features.build` cannot be used,
            or the function of the weights does not return any.
        DataError: The labels do not fit the problem, no column has a value, or a weight is missing or negative.
    """
    columns = choose_columns(schema, spec.features, spec.label)
    key, drawn = _key(snapshot, schema, columns, spec), spec.drawn(snapshot)
    feature_set = made_before(
        store,
        key,
        FeatureSet,
        whole=lambda feature_set: store.is_whole(feature_set.transform) and store.is_whole(feature_set.rows),
    )
    if feature_set is None:
        rows = read_rows(snapshot.training, store, [*columns.names, spec.label])
        weights = weights_of(spec.weight, snapshot.training, store) if spec.weight is not None else None
        if drawn:
            positions = used_positions(snapshot.training, drawn)
            rows, weights = rows.iloc[positions].reset_index(drop=True), None if weights is None else weights[positions]
        columns = with_free_text(columns.with_values(rows), spec.features, rows)
        types = column_types(snapshot.training, store, columns.names)
        stored_as = arrow_types(snapshot.training, store, columns.lists)
        columns, left_out = without_unusable_lists(columns, spec.features, types, stored_as)
        fitted = _fit(rows, columns, types, spec, snapshot)
        fitted = fitted._replace(left_out=left_out)
        rows_digest = _store_rows(fitted.matrix, fitted.names, rows[spec.label], weights, store)
        made = _feature_set(fitted, rows, rows_digest, snapshot, schema, spec, store)
        feature_set = keep(store, key, made.model_copy(update={"rehearsed": drawn}) if drawn else made)
    counts = {kind: len(getattr(feature_set, kind)) for kind in FeatureColumns._fields}
    recorder.params(
        {f"features.{kind}": count for kind, count in counts.items() if count or kind in ("numeric", "categorical")}
    )
    if drawn:
        spans = clipped(", ".join(f"{rows} of {span}" for span, rows in drawn.items()), _LONGEST_PARAM)
        recorder.params({"rehearsal.rows": sum(drawn.values()), "rehearsal.spans": spans})
    recorder.record(feature_set)
    return feature_set


def _key(snapshot: Snapshot, schema: Schema, columns: FeatureColumns, spec: TransformSpec) -> StageKey:
    features, weight = spec.features, spec.weight
    params = {
        "columns": columns,
        "free_text": (features.categorical, features.text) == ("auto", "auto"),
        "label": spec.label,
        "problem": spec.problem,
        "accepts_missing": spec.accepts_missing,
        "min_category_rows": MIN_CATEGORY_ROWS,
        "rule": _RULE,
        **({"weight": short_name(weight)} if weight is not None else {}),
        **({"build": Path(features.build).name} if features.build is not None else {}),
        **({"rehearsed": drawn} if (drawn := spec.drawn(snapshot)) else {}),
    }
    return StageKey(
        "transform",
        {"snapshot": snapshot.digest, "schema": schema.digest},
        params,
        code={
            **code_digest(features.build, "features.build"),
            **code_digest(weight if weight is not None and names_function(weight) else None, "model.weight"),
        },
        packages=("scikit-learn", "skops"),
    )


class _Fitted(NamedTuple):
    """A fitted transform, with the rows that it was fitted on."""

    transform: Any
    columns: FeatureColumns
    types: Mapping[str, str]
    classes: tuple[str, ...]
    matrix: Any
    names: list[str]
    notes: tuple[str, ...]
    left_out: Mapping[str, str] = {}


def _fit(
    rows: "pd.DataFrame",
    columns: FeatureColumns,
    types: Mapping[str, str],
    spec: TransformSpec,
    snapshot: Snapshot,
) -> _Fitted:
    if not columns.names:
        raise DataError("no column of features has a value in the training spans; a model needs one")
    spans = () if spec.drawn(snapshot) else snapshot.training  # a sample has other rows than its span
    classes = learnable_classes(rows[spec.label], spec.problem, spans)
    as_times = {name: "datetime" for name in columns.dates if types.get(name) not in DATE_TYPES}
    types = {name: kind for name, kind in {**types, **as_times}.items() if name in columns.names}
    frame = raw_frame(rows, columns.as_numbers, columns.as_text, types)
    notes: tuple[str, ...] = ()
    if spec.features.build is not None:
        own = OwnTransform(spec.features.build, columns, spec.check)
        transform, matrix = own.fit(frame, rows[spec.label], accepts_missing=spec.accepts_missing)
    else:
        transform = build_transform(
            columns,
            accepts_missing=spec.accepts_missing,
            types=types,
            many_valued=many_valued(frame, columns.categorical, classes),
            classes=classes,
        )
        matrix = transform.fit_transform(frame, _targets(rows[spec.label], classes))
        notes = list_notes(transform)
    names = feature_names(transform, matrix.shape[1])
    if not names:
        raise DataError(
            f"no feature can be made of the columns {listed(columns.names)}: they hold dates whose parts do not recur, text without "
            "words, or empty lists; a model needs a feature"
        )
    return _Fitted(transform, columns, types, classes, matrix, names, notes)


def _targets(labels: "pd.Series[Any]", classes: tuple[str, ...]) -> Any:
    """The labels that means are taken of: numbers, or 0 and 1."""
    return labels.to_numpy(dtype=float) if not classes else (labels.map(category_text) == classes[-1]).to_numpy(dtype=float)


def _feature_set(
    fitted: _Fitted,
    rows: "pd.DataFrame",
    rows_digest: str,
    snapshot: Snapshot,
    schema: Schema,
    spec: TransformSpec,
    store: Store,
) -> FeatureSet:
    columns = fitted.columns
    return FeatureSet(
        snapshot=snapshot.digest,
        schema_version=schema.digest,
        **columns._asdict(),
        label=spec.label,
        classes=fitted.classes,
        transform=dump_fitted(fitted.transform, store)[0],
        rows=rows_digest,
        row_count=len(rows),
        types=fitted.types,
        optional=tuple(
            name for name in (*columns.as_numbers, *columns.as_text) if rows[name].isna().any() or _may_be_missing(schema, name)
        ),
        weight=short_name(spec.weight) if spec.weight is not None else None,
        left_out=fitted.left_out,
        notes=fitted.notes,
    )


def _may_be_missing(schema: Schema, name: str) -> bool:
    feature = schema.feature(name)
    return feature is None or feature.presence < 1


def dump_fitted(fitted: Any, store: Store) -> tuple[str, int]:
    """Store a fitted scikit-learn object with skops; returns its digest, and its size in bytes."""
    import skops.io

    content = skops.io.dumps(fitted)
    return store.put_bytes(content), len(content)


def load_fitted(digest: str, store: Store) -> Any:
    """Load a fitted scikit-learn object from the store. It is trusted, because Taxiway wrote the file of this digest."""
    import skops.io

    with store.local_file(digest) as path:
        return skops.io.load(path, trusted=sorted(TRANSFORM_TYPES))


def _store_rows(matrix: Any, names: list[str], labels: "pd.Series[Any]", weights: Any, store: Store) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    extra = {"label": pa.array(labels), **({} if weights is None else {"weight": pa.array(weights)})}
    columns = [matrix[:, at] for at in range(len(names))]
    table = pa.Table.from_arrays([*map(pa.array, columns), *extra.values()], names=[*names, *extra])  # names may repeat
    with temp_folder("rows") as folder:
        path = folder / "rows.parquet"
        pq.write_table(table, path)
        return store.put_file(path)
