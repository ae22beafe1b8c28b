"""Choose rows for people to label, at random or by what two models predict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.ingest.labels.draws import add_draw, places_of
from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import DataError
from taxiway.messages import listed
from taxiway.records import Snapshot, span_label
from taxiway.stages.context import StageContext
from taxiway.stages.labels.spans import SpansToLabel, spans_to_label
from taxiway.store import temp_folder

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from taxiway.data.ingest.labels.draws import Places
    from taxiway.evaluation.predictions import Predictions
    from taxiway.evaluation.scoring import LoadedModel

    Floats = NDArray[np.float64]

_ANSWER = "answer_of_version_{}"


@dataclass(frozen=True)
class RowsToLabel:
    """The rows that are to be labelled, in the order in which they should be.

    Attributes:
        rows: The key, the other raw columns, the models' answers if wanted, and the empty label.
        unlabelled: The number of rows without a label, by the label of their span; spans without such rows are left out.
        differing: On how many of `rows` both models differ; None if there is no other model.
        without_key: The number of rows without a label that have no key either, and are left out.
        looked_at: The spans that were read, for messages.
        drawn_from: The names of the spans whose rows were drawn at random; none if they were not.
        key: The key columns.
        last: The place of the last drawn row in the random order; see `taxiway.data.ingest.labels.draws`.
    """

    rows: "pa.Table"
    unlabelled: Mapping[str, int]
    differing: int | None
    without_key: int
    looked_at: str
    drawn_from: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    last: int = 0


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


@dataclass(frozen=True)
class _Order:
    """What rows without a label are ordered by.

    Attributes:
        differs: 1 for each row on which both models differ, else 0.
        distance: How near each row is to a decision.
        place: Its place in the random order.
    """

    differs: "Floats"
    distance: "Floats"
    place: "Places"


def rows_to_label(
    context: StageContext,
    snapshot: Snapshot,
    version: int,
    champion: int | None,
    *,
    count: int,
    with_answers: bool = False,
    differing_first: bool = False,
) -> RowsToLabel:
    """Choose rows without a label: at random, so that their labels count in an evaluation.

    With `differing_first`, those come first on which a version and the champion differ, then those nearest to a decision. Classifiers
    differ if they predict different classes, and a row is near to a decision if the probability is near to the decision threshold, or,
    of more than two classes, if the two most probable ones are nearly as probable. Regressions have no threshold: rows are ordered by
    how far their predictions differ, and stay in their order without a champion.

    Args:
        context: The pipeline.
        snapshot: The snapshot of the version.
        version: The version.
        champion: Today's champion; None if there is none, or if it is the version.
        count: How many rows.
        with_answers: Whether to add what the models predict. Whoever sees it tends to agree with it.
        differing_first: Whether to choose the rows by what the models predict. Evaluations leave out such rows while others lack a label.

    Raises:
        ConfigError: No row can wait for a label; see `spans_to_label`.
        DataError: The key is not unique.
    """
    import pyarrow as pa

    from taxiway.stages.validate_model.scoring import load_version

    found = spans_to_label(context, snapshot)
    name, key = context.pipeline.name, tuple(found.schema.key)
    models = _Models(load_version(context, name, version), load_version(context, name, champion) if champion else None)
    scored: dict[FoundSpan, tuple[pa.Table, _Order]] = {}
    without_key = 0
    for span, path in found.rows(context):
        rows, keyless = _unlabelled(path, found)
        without_key += keyless
        if rows.num_rows:
            scored[span] = _scored(rows, models, key, with_answers=with_answers)
    if not scored:
        return RowsToLabel(pa.table({}), {}, None, without_key, found.names)
    together = pa.concat_tables([rows for rows, _ in scored.values()], promote_options="permissive")
    _require_unique(together, key)
    first, differing, last = _first([order for _, order in scored.values()], count, differing_first=differing_first)
    return RowsToLabel(
        _arranged(together.take(pa.array(first)), found),
        {span_label(span.name, span.version): rows.num_rows for span, (rows, _) in scored.items()},
        differing if models.champion is not None and models.classes else None,
        without_key,
        found.names,
        () if differing_first else tuple(span.name for span in scored),
        key,
        last,
    )


def record_draw(context: StageContext, found: RowsToLabel) -> None:
    """Record which rows were drawn at random, so that their labels count; call it before the rows are written. Nothing if none were.

    Args:
        context: The pipeline.
        found: The rows.
    """
    add_draw(context.store, context.pipeline.name, found.drawn_from, found.key, found.last, context.clock())


def _first(orders: Sequence[_Order], count: int, *, differing_first: bool) -> "tuple[NDArray[np.intp], int, int]":
    """The numbers of the first rows; on how many of them the models differ; and the last place of one in the random order."""
    import numpy as np

    differs, distance = (np.concatenate(parts) for parts in zip(*((one.differs, one.distance) for one in orders), strict=True))
    place = np.concatenate([one.place for one in orders])
    first = (np.lexsort((distance, -differs)) if differing_first else np.argsort(place, kind="stable"))[:count]
    return first, int(differs[first].sum()), int(place[first].max())


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


def _scored(rows: "pa.Table", models: _Models, key: Sequence[str], *, with_answers: bool) -> "tuple[pa.Table, _Order]":
    """The rows, with the models' answers if wanted, and what they are ordered by."""
    import pyarrow.parquet as pq

    from taxiway.data.engine.read_rows import rows_of_file
    from taxiway.evaluation.predictions import positive_class
    from taxiway.evaluation.scoring import score
    from taxiway.features.signature import decision_threshold

    with temp_folder("labels") as folder:
        pq.write_table(rows, folder / "rows.parquet")
        frame = rows_of_file(folder / "rows.parquet")
        places = places_of(folder / "rows.parquet", key, "the rows without a label")
    positive = positive_class(models.version.classes)
    own = score(models.version, frame, models.classes, positive)
    other = score(models.champion, frame, models.classes, positive) if models.champion else None
    if with_answers:
        for model, answers in ((models.version, own), (models.champion, other)):
            if model is not None and answers is not None:
                rows = rows.append_column(_ANSWER.format(model.version), [_answers(answers, models.classes)])
    return rows, _Order(*label_order(own, other, decision_threshold(models.version.predictor)), places)


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
