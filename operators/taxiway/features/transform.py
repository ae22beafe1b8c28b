"""Fit the transform on the training rows."""

from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import column_types, read_rows
from taxiway.data.schema.file import Schema
from taxiway.errors import ConfigError, DataError, allowed_values
from taxiway.features.encoding import raw_frame
from taxiway.features.labels import learnable_classes
from taxiway.records import FeatureSet, Snapshot
from taxiway.records.recorder import Recorder
from taxiway.spec.metrics import Problem
from taxiway.spec.pipeline import Features
from taxiway.store import StageKey, Store, keep, made_before, temp_folder

if TYPE_CHECKING:
    import pandas as pd

MIN_CATEGORY_ROWS = 20
_RULE = 6  # version of read_rows, raw_frame and the transformers here; see StageKey


def transform(
    snapshot: Snapshot,
    schema: Schema,
    features: Features,
    *,
    label: str,
    problem: Problem,
    accepts_missing: bool,
    store: Store,
    recorder: Recorder,
    weight: str | None = None,
) -> FeatureSet:
    """Fit the transform on the training rows of a snapshot, and store it with the transformed rows.

    Categories with fewer than 20 rows are grouped into one. A column without a value in the training spans is left out. Only training
    spans are read. The result is cached by its inputs, because skops never writes the same bytes twice.

    Args:
        snapshot: The snapshot.
        schema: Its schema.
        features: Which columns to use.
        label: The label.
        problem: Classification or regression.
        accepts_missing: Whether the estimator accepts missing values. If so, numbers are passed through and categories become
            ordinal numbers; otherwise numbers are imputed and scaled, and categories are one-hot encoded.
        store: Where rows and results are.
        recorder: Where to report the number of features.
        weight: The column with the weights of the training rows; None if all weigh alike.

    Raises:
        ConfigError: A column is not in the schema, or no column is left.
        DataError: The labels do not fit the problem, no column has a value, or a weight is missing or negative.
    """
    numeric, categorical = choose_columns(schema, features, label)
    key = _key(snapshot, schema, (numeric, categorical), label, problem, accepts_missing=accepts_missing, weight=weight)
    made = made_before(store, key, FeatureSet, whole=lambda made: store.is_whole(made.transform) and store.is_whole(made.rows))
    if made is None:
        made = keep(
            store,
            key,
            _fit(
                snapshot,
                schema,
                numeric,
                categorical,
                label=label,
                problem=problem,
                accepts_missing=accepts_missing,
                store=store,
                weight=weight,
            ),
        )
    recorder.params({"features.numeric": len(made.numeric), "features.categorical": len(made.categorical)})
    recorder.record(made)
    return made


def _key(
    snapshot: Snapshot,
    schema: Schema,
    columns: tuple[tuple[str, ...], tuple[str, ...]],
    label: str,
    problem: Problem,
    *,
    accepts_missing: bool,
    weight: str | None,
) -> StageKey:
    params = {
        "columns": columns,
        "label": label,
        "problem": problem,
        "accepts_missing": accepts_missing,
        "min_category_rows": MIN_CATEGORY_ROWS,
        "rule": _RULE,
        **({"weight": weight} if weight is not None else {}),
    }
    return StageKey(
        "transform", {"snapshot": snapshot.digest, "schema": schema.digest}, params, packages=("scikit-learn", "skops")
    )


def _fit(
    snapshot: Snapshot,
    schema: Schema,
    numeric: tuple[str, ...],
    categorical: tuple[str, ...],
    *,
    label: str,
    problem: Problem,
    accepts_missing: bool,
    store: Store,
    weight: str | None,
) -> FeatureSet:
    rows = read_rows(snapshot.training, store, [*numeric, *categorical, label, *([weight] if weight else [])])
    numeric, categorical = (tuple(name for name in names if rows[name].notna().any()) for names in (numeric, categorical))
    if not numeric and not categorical:
        raise DataError("no column of features has a value in the training spans; a model needs one")
    labels = rows[label]
    classes = learnable_classes(labels, problem, snapshot.training)
    fitted = build_transform(numeric, categorical, accepts_missing=accepts_missing)
    columns = (*numeric, *categorical)
    types = column_types(snapshot.training, store, columns)
    matrix = fitted.fit_transform(raw_frame(rows, numeric, categorical, types))
    names = [str(name) for name in fitted.get_feature_names_out()]
    return FeatureSet(
        snapshot=snapshot.digest,
        schema_version=schema.digest,
        numeric=numeric,
        categorical=categorical,
        label=label,
        classes=classes,
        transform=dump_fitted(fitted, store)[0],
        rows=_store_rows(matrix, names, labels, weights_of(rows[weight]) if weight else None, store),
        row_count=len(rows),
        types=types,
        optional=tuple(name for name in columns if rows[name].isna().any() or _may_be_missing(schema, name)),
        weight=weight,
    )


def weights_of(column: "pd.Series[Any]") -> Any:
    """The weights of the training rows.

    Raises:
        DataError: A weight is missing, negative or no finite number, or all are 0.
    """
    import numpy as np
    import pandas as pd

    weights = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    wrong = int((~np.isfinite(weights) | (weights < 0)).sum())
    if wrong or not weights.any():
        found = (
            f"missing, negative or no number in {wrong:,} of {len(weights):,} training rows"
            if wrong
            else "0 in all training rows"
        )
        raise DataError(
            f"the weight {column.name} is {found}; allowed: numbers from 0, not all of them 0",
            key="model.weight",
            got=str(column.name),
        )
    return weights


def _may_be_missing(schema: Schema, name: str) -> bool:
    feature = schema.feature(name)
    return feature is None or feature.presence < 1


def choose_columns(schema: Schema, features: Features, label: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The numeric and the categorical columns of the model.

    Args:
        schema: The schema.
        features: The `features` section: listed columns keep their order, `auto` gives the order of the schema.
        label: The label, which is never a feature.

    Raises:
        ConfigError: A column is not in the schema, or no column is left.
    """
    known = schema.offered(label)
    chosen = []
    for columns, auto in ((features.numeric, schema.numeric(label)), (features.categorical, schema.categorical(label))):
        names = auto if columns == "auto" else columns
        chosen.append(tuple(name for name in names if name not in features.drop))
    for name in (*chosen[0], *chosen[1], *features.drop):
        if name not in known:
            raise ConfigError(
                f'features has the column "{name}", which is not a feature column of the schema; {allowed_values(name, known)}'
            )
    if not chosen[0] and not chosen[1]:
        raise ConfigError("features leaves no columns for the model; remove columns from features.drop")
    return chosen[0], chosen[1]


def dump_fitted(fitted: Any, store: Store) -> tuple[str, int]:
    """Store a fitted scikit-learn object with skops; returns its digest, and its size in bytes."""
    import skops.io

    content = skops.io.dumps(fitted)
    return store.put_bytes(content), len(content)


def load_fitted(digest: str, store: Store) -> Any:
    """Load a fitted scikit-learn object from the store. It is trusted, because Taxiway wrote the file of this digest."""
    import skops.io

    with store.local_file(digest) as path:
        return skops.io.load(path, trusted=["numpy.dtype"])


def build_transform(
    numeric: tuple[str, ...],
    categorical: tuple[str, ...],
    *,
    accepts_missing: bool,
    sparse: bool = False,
    max_categories: int | None = None,
) -> Any:
    """The unfitted transform of raw columns to features.

    Args:
        numeric: The columns of numbers.
        categorical: The columns of categories.
        accepts_missing: See `transform`.
        sparse: Whether one-hot encoded categories may be a sparse matrix.
        max_categories: The most columns that a one-hot encoded column becomes; None for no limit.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    numbers: Any
    categories: Any
    if accepts_missing:
        numbers = "passthrough"
        categories = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=-1,
            encoded_missing_value=-2,
            min_frequency=MIN_CATEGORY_ROWS,
        )
    else:
        numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
        categories = OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=MIN_CATEGORY_ROWS,
            max_categories=max_categories,
            sparse_output=sparse,
        )
    return ColumnTransformer(
        [("numeric", numbers, list(numeric)), ("categorical", categories, list(categorical))], verbose_feature_names_out=True
    )


def _store_rows(matrix: Any, names: list[str], labels: "pd.Series[Any]", weights: Any, store: Store) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    extra = {"label": pa.array(labels), **({} if weights is None else {"weight": pa.array(weights)})}
    table = pa.table({**{name: matrix[:, i] for i, name in enumerate(names)}, **extra})
    with temp_folder("rows") as folder:
        path = folder / "rows.parquet"
        pq.write_table(table, path)
        return store.put_file(path)
