"""Check the labels that a person has given, and import them: later runs join them to rows in which the source has no label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.formats.convert import ReadOptions
from taxiway.data.formats.open_data import AS_DETECTED
from taxiway.data.ingest.labels.draws import drawn_to
from taxiway.data.ingest.labels.imported import Key, LabelBatch, add_batch, imported_labels, key_names
from taxiway.errors import ConfigError, DataError
from taxiway.messages import counted, kept_text_problem, listed, names_text
from taxiway.records import Decision, DecisionKind, Verdict
from taxiway.stages.context import StageContext
from taxiway.stages.labels.export import label_type
from taxiway.stages.labels.spans import SpansToLabel, spans_to_label
from taxiway.stats.agreement import cohens_kappa
from taxiway.store import temp_folder

if TYPE_CHECKING:
    import pyarrow as pa

    from taxiway.data.ingest.labels.given import FoundRow, GivenLabels
    from taxiway.data.schema.model import Schema
    from taxiway.records import Snapshot

MAX_NAME_CHARACTERS = 250
"""How many characters the name of a labeller may have."""


@dataclass(frozen=True)
class Agreement:
    """How far two people agree about the rows that both have labelled.

    Attributes:
        first: The one.
        second: The other.
        rows: The number of rows that both have labelled.
        differing: The number of rows that they have labelled differently.
        kappa: Cohen's kappa; None if it is not defined, see `cohens_kappa`.
    """

    first: str
    second: str
    rows: int
    differing: int
    kappa: float | None

    def describe(self) -> str:
        """`ada and bob agree on 18 of 20 rows; Cohen's kappa 0.791`."""
        kappa = (
            f"Cohen's kappa {self.kappa:.3f}"
            if self.kappa is not None
            else "Cohen's kappa is not defined, as all labels are equal"
        )
        return f"{self.first} and {self.second} agree on {self.rows - self.differing:,} of {counted(self.rows, 'row')}; {kappa}"


@dataclass(frozen=True)
class Imported:
    """What was imported.

    Attributes:
        digest: The digest of the object with the labels.
        decision: The decision in the ledger.
        spans: The number of labels by the name of their span.
        already_known: The number of labels that the source has, too, and that were not imported.
        agreements: How far the labellers of these spans agree.
        conflicting: The number of rows of these spans that were labelled differently, and so count as not labelled.
        not_drawn: The number of labels of rows that were not drawn at random.
    """

    digest: str
    decision: Decision
    spans: Mapping[str, int]
    already_known: int
    agreements: tuple[Agreement, ...]
    conflicting: int
    not_drawn: int = 0

    @property
    def not_drawn_text(self) -> str:
        """What the labels of rows are good for that were not drawn at random."""
        return (
            f"{counted(self.not_drawn, 'label is of a row', 'labels are of rows')} that no `taxiway label export` has drawn at random: the gate "
            "leaves such rows out until all rows of their span have a label. They train later models"
        )


def import_labels(
    context: StageContext,
    verdict: Verdict,
    snapshot: "Snapshot",
    file: Path,
    *,
    labeller: str,
    by: str,
    via: str,
    at: datetime,
    options: ReadOptions = AS_DETECTED,
    most_labels: int | None = None,
) -> Imported:
    """Import the labels of a file; rows of it without a label are ignored.

    Nothing is imported unless everything in the file is right.

    Args:
        context: The pipeline.
        verdict: The verdict on the version that the labels are to help decide about.
        snapshot: The snapshot of that version.
        file: A CSV or Parquet file with the key columns and the label.
        labeller: Who has given the labels.
        by: Who imports them.
        via: Where: `command line` or `airflow`.
        at: When, with a time zone.
        options: How the file is read; types are those of the schema.
        most_labels: How many labels the file may have; None for any number.

    Raises:
        ConfigError: The file lacks a column, no row can wait for a label, or the name of the labeller cannot be kept.
        DataError: A key is unknown, in several rows, or missing; or a label has the wrong type, is outside of the schema, or is another
            one than at the source.
    """
    problem = kept_text_problem(labeller, "say who has given the labels", MAX_NAME_CHARACTERS)
    if problem is not None:
        raise ConfigError(f"the name of the labeller {problem}", key="labeller", got=labeller)
    found = spans_to_label(context, snapshot)
    given = _read(file, found, options, most_labels)
    rows = _rows_of(context, found, given, file)
    spans = {at: span for at, (span, _) in rows.items()}
    new = [at for at, (_, row) in sorted(rows.items()) if row.known is None]
    if not new:
        raise DataError(f"{file} has no new label: the source has all of its {counted(len(rows), 'label')}")
    digest = _stored(context, found, given, spans, new, labeller)
    counts = {span: sum(spans[at] == span for at in new) for span in dict.fromkeys(spans[at] for at in new)}
    reason = f"{counted(len(new), 'label')} of {labeller} for span {names_text(list(counts))}"
    decision = _recorded(context, verdict, digest, by=by, via=via, at=at, reason=reason)
    add_batch(context.store, context.pipeline.name, counts, LabelBatch(digest, labeller, at, found.schema.key))
    agreements, conflicting = _agreements(context, counts)
    last = {span: drawn_to(context.store, context.pipeline.name, span, found.schema.key) for span in counts}
    not_drawn = sum((end := last[spans[at]]) is None or rows[at][1].place > end for at in new)
    return Imported(digest, decision, counts, len(rows) - len(new), agreements, conflicting, not_drawn)


def _recorded(
    context: StageContext, verdict: Verdict, labels: str, *, by: str, via: str, at: datetime, reason: str
) -> Decision:
    """The decision in the ledger that `by` has imported labels, which `labels` is the digest of."""
    from taxiway.ledger.decisions import record_decision

    made = Decision(
        kind=DecisionKind.LABELS,
        model=verdict.model,
        version=verdict.version,
        about=labels,
        by=by,
        via=via,
        at=at,
        reason=reason,
    )
    return record_decision(context.ledger, made)


def _read(file: Path, found: SpansToLabel, options: ReadOptions, most_labels: int | None) -> "GivenLabels":
    """Read the labels of a file, and check them by themselves."""
    from taxiway.data.formats.open_data import open_data
    from taxiway.data.ingest.labels.given import given_labels

    with open_data(file, replace(options, types=found.types())) as table:
        given = given_labels(table, found.schema.key, found.source.label, file, most_labels)
        labels_of_all_rows = table.in_order([found.source.label])
    _require_valid(labels_of_all_rows, found.schema, file)
    return given


def _require_valid(labels: "pa.Table", schema: "Schema", file: Path) -> None:
    """Check the labels as data validation checks values: by their type, domain, range and pattern in the schema.

    Args:
        labels: The column of the label, with all rows of the file, because messages number them.
        schema: The schema.
        file: The file, which messages name.
    """
    import pyarrow.parquet as pq

    from taxiway.data.schema.model import Schema
    from taxiway.data.validation.validate import validate_with_profiles

    (name,) = labels.column_names
    feature = schema.feature(name)
    assert feature is not None  # the label is a column of the schema
    anywhere = {"environments": None, "presence": 0.0, "unique": False, "distinct": None, "drift": None, "skew": None}
    only = Schema(features=(feature.model_copy(update=anywhere),))
    with temp_folder("labels") as folder:
        pq.write_table(labels, folder / file.name)
        report = validate_with_profiles(folder / file.name, only, options=ReadOptions(format="parquet")).report
    if report.blocking:
        raise DataError(
            f"the labels of {file} do not fit the schema: {' '.join(anomaly.message for anomaly in report.blocking)} Correct the file",
            key=name,
        )


def _rows_of(context: StageContext, found: SpansToLabel, given: "GivenLabels", file: Path) -> "dict[int, tuple[str, FoundRow]]":
    """The span and the row of each label, by the number of the label."""
    from taxiway.data.ingest.labels.given import find_rows
    from taxiway.data.sources.read_file import count_rows

    rows: dict[int, tuple[str, FoundRow]] = {}
    others: list[str] = []
    read = found.read(context)
    for span in found.spans:
        with temp_folder("span") as folder:
            copy = read(span, folder)
            count_rows(copy, span.path)
            for row in find_rows(copy, given, folder, span.path):
                key, text = ", ".join(given.keys[row.number]), given.texts[row.number]
                before, _ = rows.setdefault(row.number, (span.name, row))
                if before != span.name:
                    raise DataError(f"the key {key} is in span {before} and in span {span.name}, so it is ambiguous")
                if row.known is not None and row.known != text:
                    others.append(f"{key} is {text}, at the source {row.known}")
    if unknown := [", ".join(given.keys[at]) for at in range(len(given.keys)) if at not in rows]:
        raise DataError(
            f"{file} has {counted(len(unknown), 'key')} that no row of the {found.about} ({found.names}) has: {listed(unknown)}; labels are "
            "taken for rows that `taxiway label export` has written"
        )
    if others:
        shown = "; ".join(others[:3])
        raise DataError(
            f"{file} has {counted(len(others), 'label')} other than at the source: {shown}. A label of the source is not replaced"
        )
    return rows


def _stored(
    context: StageContext,
    found: SpansToLabel,
    given: "GivenLabels",
    spans: Mapping[int, str],
    new: Sequence[int],
    labeller: str,
) -> str:
    """Store labels as a batch; returns its digest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    keys = zip(*(given.keys[at] for at in new), strict=True)
    columns = {name: pa.array(values, pa.string()) for name, values in zip(key_names(found.schema.key), keys, strict=True)}
    table = pa.table(
        {
            "span": pa.array([spans[at] for at in new], pa.string()),
            **columns,
            "label": given.values.column(0).combine_chunks().cast(label_type(found)).take(pa.array(new)),
            "by": pa.array([labeller] * len(new), pa.string()),
        }
    )
    with temp_folder("labels") as folder:
        pq.write_table(table, folder / "batch.parquet")
        return context.store.put_file(folder / "batch.parquet")


def _agreements(context: StageContext, spans: Mapping[str, int]) -> tuple[tuple[Agreement, ...], int]:
    """How far the labellers of spans agree, and the number of rows about which they do not."""
    given: dict[str, dict[tuple[str, Key], Any]] = {}
    conflicting = 0
    for span in spans:
        found = imported_labels(context.store, context.pipeline.name, span)
        if found is not None:
            conflicting += len(found.conflicting)
            for labeller, labels in found.given.items():
                given.setdefault(labeller, {}).update({(span, key): label for key, label in labels.items()})
    agreements = []
    for first, second in combinations(sorted(given), 2):
        both = [row for row in given[first] if row in given[second]]
        one, other = ([given[name][row] for row in both] for name in (first, second))
        if both:
            differing = sum(a != b for a, b in zip(one, other, strict=True))
            agreements.append(Agreement(first, second, len(both), differing, cohens_kappa(one, other)))
    return tuple(agreements), conflicting
