"""Choose the rows whose labels would help most to decide between a version and the champion, and write them to a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, DataError
from taxiway.messages import listed
from taxiway.records import Snapshot, span_label
from taxiway.stages.context import StageContext
from taxiway.stages.labels.spans import SpansToLabel, spans_to_label
from taxiway.stats.seed import SEED
from taxiway.store import temp_folder

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from taxiway.evaluation.predictions import Predictions
    from taxiway.evaluation.scoring import LoadedModel

    Floats = NDArray[np.float64]

FORMATS = (".csv", ".parquet")
_ANSWER = "answer_of_version_{}"


@dataclass(frozen=True)
class RowsToLabel:
    """The rows that are to be labelled, those that help most first.

    Attributes:
        rows: The key, the other raw columns, the models' answers if wanted, and the empty label.
        unlabelled: The number of rows without a label, by the label of their span; spans without such rows are left out.
        differing: On how many of `rows` both models differ; None if there is no other model.
        without_key: The number of rows without a label that have no key either, and are left out.
        looked_at: The spans that were read, for messages.
    """

    rows: "pa.Table"
    unlabelled: Mapping[str, int]
    differing: int | None
    without_key: int
    looked_at: str


@dataclass(frozen=True)
class _Models:
    """A version, and the champion if it is another one."""

    version: "LoadedModel"
    champion: "LoadedModel | None"

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of both; empty for a regression."""
        theirs = self.champion.classes if self.champion else ()
        return (*self.version.classes, *(name for name in theirs if name not in self.version.classes))


def rows_to_label(
    context: StageContext,
    snapshot: Snapshot,
    version: int,
    champion: int | None,
    *,
    count: int,
    with_answers: bool = False,
    at_random: bool = False,
) -> RowsToLabel:
    """Choose rows without a label: first those on which a version and the champion differ, then those nearest to a decision.

    Classifiers differ if they predict different classes, and a row is near to a decision if the probability is near to the decision
    threshold, or, of more than two classes, if the two most probable ones are nearly as probable. Regressions have no threshold: rows are
    ordered by how far their predictions differ, and stay in their order without a champion.

    Args:
        context: The pipeline.
        snapshot: The snapshot of the version.
        version: The version.
        champion: Today's champion; None if there is none, or if it is the version.
        count: How many rows.
        with_answers: Whether to add what the models predict. Whoever sees it tends to agree with it.
        at_random: Whether to choose the rows at random instead, so that metrics on them are those of all rows.

    Raises:
        ConfigError: No row can wait for a label; see `spans_to_label`.
        DataError: The key is not unique.
    """
    import numpy as np
    import pyarrow as pa

    from taxiway.stages.validate_model.scoring import load_version

    found = spans_to_label(context, snapshot)
    name = context.pipeline.name
    models = _Models(load_version(context, name, version), load_version(context, name, champion) if champion else None)
    tables: list[pa.Table] = []
    orders: list[tuple[Floats, Floats]] = []
    unlabelled: dict[str, int] = {}
    without_key = 0
    for span, path in found.rows(context):
        rows, keyless = _unlabelled(path, found)
        without_key += keyless
        if rows.num_rows:
            unlabelled[span_label(span.name, span.version)] = rows.num_rows
            rows, order = _scored(rows, models, with_answers=with_answers)
            tables.append(rows)
            orders.append(order)
    if not tables:
        return RowsToLabel(pa.table({}), {}, None, without_key, found.names)
    together = pa.concat_tables(tables, promote_options="permissive")
    _require_unique(together, found.schema.key)
    differs, distance = (np.concatenate(parts) for parts in zip(*orders, strict=True))
    if at_random:
        first = np.random.default_rng(SEED).permutation(together.num_rows)[:count]
    else:
        first = np.lexsort((distance, -differs))[:count]
    differing = int(differs[first].sum()) if models.champion is not None and models.classes else None
    return RowsToLabel(_arranged(together.take(pa.array(first)), found), unlabelled, differing, without_key, found.names)


def write_rows(rows: "pa.Table", file: Path) -> None:
    """Write rows as CSV or Parquet, by the ending of the file.

    Raises:
        ConfigError: The ending is another one.
    """
    import pyarrow.csv
    import pyarrow.parquet as pq

    if file.suffix == ".parquet":
        pq.write_table(rows, file)
    elif file.suffix == ".csv":
        pyarrow.csv.write_csv(_as_text(rows), file)
    else:
        raise ConfigError(
            f"{file} ends in {file.suffix or 'nothing'}; allowed: {' or '.join(FORMATS)}", got=file, allowed=FORMATS
        )


def _unlabelled(path: Path, found: SpansToLabel) -> "tuple[pa.Table, int]":
    """The rows of a span without a label but with a key, and the number of those without either."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    label, key = found.source.label, found.schema.key
    rows = pq.ParquetFile(path).read().replace_schema_metadata(None)
    if absent := [column for column in key if column not in rows.column_names]:
        raise DataError(
            f"the key column {listed(absent)} is not in the rows of {found.source.text}; correct key in the schema", key="key"
        )
    if label in rows.column_names:
        rows = rows.filter(pc.is_null(rows.column(label), nan_is_null=True)).drop_columns([label])
    keyed = rows
    for column in key:
        keyed = keyed.filter(pc.is_valid(keyed.column(column)))
    return keyed, rows.num_rows - keyed.num_rows


def _scored(rows: "pa.Table", models: _Models, *, with_answers: bool) -> "tuple[pa.Table, tuple[Floats, Floats]]":
    """The rows, with the models' answers if wanted; on which rows the models differ (1 or 0), and how near each is to a decision."""
    import pyarrow.parquet as pq

    from taxiway.data.engine.read_rows import rows_of_file
    from taxiway.evaluation.predictions import positive_class
    from taxiway.evaluation.scoring import score
    from taxiway.features.signature import decision_threshold

    with temp_folder("labels") as folder:
        pq.write_table(rows, folder / "rows.parquet")
        frame = rows_of_file(folder / "rows.parquet")
    positive = positive_class(models.version.classes)
    own = score(models.version, frame, models.classes, positive)
    other = score(models.champion, frame, models.classes, positive) if models.champion else None
    if with_answers:
        for model, answers in ((models.version, own), (models.champion, other)):
            if model is not None and answers is not None:
                rows = rows.append_column(_ANSWER.format(model.version), [_answers(answers, models.classes)])
    return rows, label_order(own, other, decision_threshold(models.version.predictor))


def label_order(
    own: "Predictions", other: "Predictions | None" = None, threshold: float | None = None
) -> "tuple[Floats, Floats]":
    """What rows are ordered by: whether two models differ (1 or 0), and how near a row is to a decision, the nearest first.

    Args:
        own: The predictions of the version.
        other: Those of the champion; None if there is none.
        threshold: The decision threshold of the version; None for 0.5.
    """
    import numpy as np

    from taxiway.features.labels import DECISION_THRESHOLD

    nothing = np.zeros(len(own.values))
    if own.predicted is None:
        return nothing, nothing if other is None else -np.abs(own.values - other.values)
    differs = nothing if other is None else (own.predicted != other.predicted).astype(float)
    if own.positive is not None:
        return differs, np.abs(own.values[:, own.positive] - (DECISION_THRESHOLD if threshold is None else threshold))
    best = np.sort(own.values, axis=1)
    return differs, best[:, -1] - best[:, -2]


def _answers(predictions: "Predictions", classes: Sequence[str]) -> "pa.Array[Any]":
    import pyarrow as pa

    if predictions.predicted is None:
        return pa.array(predictions.values)
    return pa.array([classes[at] for at in predictions.predicted], pa.string())


def _require_unique(rows: "pa.Table", key: Sequence[str]) -> None:
    counts = rows.group_by(list(key)).aggregate([([], "count_all")])
    repeated = [row for row in counts.to_pylist() if row["count_all"] > 1]
    if repeated:
        shown = listed([tuple(row[name] for name in key) for row in repeated], len(repeated))
        raise DataError(
            f"the key {', '.join(key)} is not unique: {shown} in more than one row without a label, so a label would not find its row; remove "
            "the duplicates at the source, or extend key in the schema",
            key="key",
        )


def _arranged(rows: "pa.Table", found: SpansToLabel) -> "pa.Table":
    """The key columns first, and the empty label last."""
    import pyarrow as pa

    key = list(found.schema.key)
    ordered = rows.select([*key, *(name for name in rows.column_names if name not in key)])
    return ordered.append_column(pa.field(found.source.label, label_type(found)), pa.nulls(rows.num_rows, label_type(found)))


def label_type(found: SpansToLabel) -> "pa.DataType":
    """The type of the label by the schema."""
    import pyarrow as pa

    kinds = {
        "boolean": pa.bool_(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "date": pa.date32(),
        "datetime": pa.timestamp("us"),
    }
    return kinds.get(found.types()[found.source.label], pa.string())


def _as_text(rows: "pa.Table") -> "pa.Table":
    """Rows with only such types as CSV has: lists and the like as JSON."""
    import pyarrow as pa
    from pyarrow import types

    for at, field in enumerate(rows.schema):
        column = rows.column(at)
        if types.is_dictionary(field.type):
            rows = rows.set_column(at, field.name, column.cast(field.type.value_type))
        elif types.is_nested(field.type):
            texts = [
                None if value is None else json.dumps(value, default=str, ensure_ascii=False) for value in column.to_pylist()
            ]
            rows = rows.set_column(at, field.name, pa.array(texts, pa.string()))
        elif types.is_decimal(field.type):
            rows = rows.set_column(at, field.name, column.cast(pa.string()))
    return rows
