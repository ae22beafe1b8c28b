"""Build a snapshot from copied files: apply the filter, joins, sample and split, and put the rows into the store.

The rules are implemented in `row_filter`, `join`, `sampling` and `materialize`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taxiway.data.formats.convert import ReadOptions
from taxiway.data.ingest.join import JoinedTable
from taxiway.data.ingest.labels.counted import counted_files
from taxiway.data.ingest.labels.fill import LabelledFile
from taxiway.data.ingest.materialize import MaterializedRows, RowRules, SplitFile, count_unlabelled, materialize_rows
from taxiway.data.ingest.read_spec import ReadSpec
from taxiway.data.ingest.renamed import rename_columns
from taxiway.data.ingest.row_filter import filter_rows
from taxiway.data.ingest.sampling import Subset, describe_split, empty_split_hint
from taxiway.data.sources.join_inputs import JoinTable
from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import DataError, TransientError
from taxiway.messages import counted
from taxiway.records import ImportedLabels, JoinMatch, RemovedRows, Snapshot, SourceFile, Span, SplitRule
from taxiway.records.digests import digest_of_file
from taxiway.store import Store, temp_folder

TRAINING_PART, EVALUATION_PART = "training", "evaluation"
_PARTS = {Subset.TRAINING: TRAINING_PART, Subset.EVALUATION: EVALUATION_PART}
# Writes a checked Parquet copy of a file to a folder.
ReadTable = Callable[[FoundSpan, Path, ReadOptions], Path]


@dataclass
class SnapshotParts:
    """The training spans, evaluation spans, match rates, removed rows and imported labels of a run so far, oldest first."""

    training: list[Span] = field(default_factory=list)
    evaluation: list[Span] = field(default_factory=list)
    joins: list[JoinMatch] = field(default_factory=list)
    removed: list[RemovedRows] = field(default_factory=list)
    labels: list[ImportedLabels] = field(default_factory=list)


class JoinTableCache:
    """The joined tables of a run. A file that is joined to all spans is copied only once, into `folder`."""

    def __init__(self, folder: Path, read: ReadTable) -> None:
        self._folder = folder
        self._read = read
        self._kept: dict[str, JoinedTable] = {}

    def table_for(self, right: JoinTable, span: Span, folder: Path) -> JoinedTable:
        """The joined table for a span; a file for this span alone is copied into `folder`.

        Raises:
            TransientError: The file was removed after planning.
        """
        found = right.of(span.name)
        if found is None:  # the plan leaves out spans without a file to join
            raise TransientError(
                f"join {right.name}: the file for span {span.name} was removed after it was found; a retry lists the files again"
            )
        if right.file is None:
            return self._copy(right, found, folder)
        if right.name not in self._kept:
            self._kept[right.name] = self._copy(right, found, self._folder)
        return self._kept[right.name]

    def _copy(self, right: JoinTable, found: FoundSpan, folder: Path) -> JoinedTable:
        join_folder = folder / f"join-{right.name}"
        join_folder.mkdir()
        path = self._read(found, join_folder, ReadOptions(right.join.format, right.join.csv))
        return JoinedTable(right, path, right.label(found), digest_of_file(path))


def add_span(
    parts: SnapshotParts,
    span: Span,
    file: Path,
    read_spec: ReadSpec,
    tables: JoinTableCache,
    store: Store,
    *,
    newest: bool = False,
) -> None:
    """Apply imported labels, filter, joins, sample and split to a copied span, and put its rows into the store.

    Args:
        parts: Where to add the resulting spans, match rates and removed rows.
        span: The span.
        file: The copy of its file.
        read_spec: The filter, the joins, the sample and the split.
        tables: The joined tables.
        store: Where to put the rows.
        newest: Whether the span is the last one of the run, which is evaluated on if there is no split.

    Raises:
        DataError: The filter or the sample leaves no row, or no row has a label.
    """
    with temp_folder("parts") as folder:
        labelled = _with_labels(file, span, read_spec, folder)
        if labelled.labels is None and read_spec.is_plain and labelled.path == file:
            parts.training.append(span.model_copy(update={"content": store.put_file(file)}))
            return
        filtered = _filter(labelled.path, span, read_spec, folder)
        joined = [tables.table_for(right, span, folder) for right in read_spec.join_tables]
        rules = RowRules(tuple(joined), read_spec.sample, read_spec.split, label=read_spec.label)
        rows = _materialize(filtered, rules, folder, f"span {span.label}")
        _require_rows(rows, filtered, span, read_spec)
        files, uncounted = rows.files, 0
        if labelled.labels is not None and rows.unlabelled and (newest or rules.split is not None):
            everything = _all_rows(filtered, joined, read_spec, folder, span).files[0].path
            evaluated = Subset.TRAINING if rules.split is None else Subset.EVALUATION
            files, uncounted = counted_files(files, evaluated, everything, labelled, span, required=newest)
        original = SourceFile(content=digest_of_file(file), rows=span.rows)
        for part, stored in zip(files, _store_parts(span, files, original, store, named=rules.split is not None), strict=True):
            (parts.evaluation if part.subset is Subset.EVALUATION else parts.training).append(stored)
    if labelled.labels is not None:
        parts.labels.append(labelled.labels.model_copy(update={"not_counted": uncounted}))
    parts.joins += [match.model_copy(update={"span": span.label}) for match in rows.matches]
    if read_spec.removes_rows:
        parts.removed.append(
            RemovedRows(span=span.label, rows=span.rows, filtered=span.rows - filtered.rows, unlabelled=rows.unlabelled)
        )


def count_missing_labels(
    span: Span, file: Path, label: str, read_spec: ReadSpec, tables: JoinTableCache
) -> tuple[int, int | None]:
    """The number of rows of a copied span that the filter keeps, and how many of them have no label; None without such a column.

    Args:
        span: The span.
        file: The copy of its file.
        label: The label.
        read_spec: The imported labels, the filter and the joins.
        tables: The joined tables.
    """
    with temp_folder("labels") as folder:
        filtered = _filter(_with_labels(file, span, read_spec, folder).path, span, read_spec, folder)
        joined = [tables.table_for(right, span, folder) for right in read_spec.join_tables]
        return filtered.rows, count_unlabelled(filtered.path, RowRules(joined, label=label), folder, label=f"span {span.label}")


def all_rows(
    span: Span, file: Path, read_spec: ReadSpec, tables: JoinTableCache, folder: Path
) -> tuple[Path, tuple[JoinMatch, ...]]:
    """The rows of a copied span as a run reads them, those without a label among them, in one file in `folder`.

    Args:
        span: The span.
        file: The copy of its file.
        read_spec: The imported labels, the filter, the joins and the sample.
        tables: The joined tables.
        folder: Where to write.

    Returns:
        The file, and the match rates of the joins.

    Raises:
        DataError: The filter or the sample leaves no row.
    """
    filtered = _filter(_with_labels(file, span, read_spec, folder).path, span, read_spec, folder)
    joined = [tables.table_for(right, span, folder) for right in read_spec.join_tables]
    rows = _all_rows(filtered, joined, read_spec, folder, span)
    if not rows.files:
        raise DataError(f"source.sample keeps none of {counted(span.rows, 'row')} in span {span.label}; increase its fraction")
    return rows.files[0].path, tuple(match.model_copy(update={"span": span.label}) for match in rows.matches)


def _with_labels(file: Path, span: Span, read_spec: ReadSpec, folder: Path) -> LabelledFile:
    """A file with the present names of its columns and with imported labels; the file itself if it has neither."""
    named = rename_columns(file, read_spec.renamed, folder, f"span {span.label}") if read_spec.renamed else file
    return read_spec.imported.fill(span, named, folder) if read_spec.imported is not None else LabelledFile(named)


@dataclass(frozen=True)
class _FilteredFile:
    """A file with the rows that the filter keeps, and their number."""

    path: Path
    rows: int


def _materialize(filtered: _FilteredFile, rules: RowRules, folder: Path, label: str) -> MaterializedRows:
    if rules == RowRules():  # the filter has written what is to be stored
        return MaterializedRows((SplitFile(Subset.TRAINING, filtered.path, filtered.rows),), (), 0)
    return materialize_rows(filtered.path, rules, folder, label=label)


def _all_rows(
    filtered: _FilteredFile, joined: Sequence[JoinedTable], read_spec: ReadSpec, folder: Path, span: Span
) -> MaterializedRows:
    """The rows that are read, those without a label among them."""
    inner = folder / "all"
    inner.mkdir()
    return _materialize(filtered, RowRules(tuple(joined), read_spec.sample), inner, f"span {span.label}")


def _require_rows(rows: MaterializedRows, filtered: _FilteredFile, span: Span, read_spec: ReadSpec) -> None:
    if rows.unlabelled and rows.unlabelled == filtered.rows:
        raise DataError(
            f"the label {read_spec.label} is missing in all {filtered.rows:,} rows of span {span.label}, and such rows are left out; use "
            "unlabelled: wait to process the span once its labels are known, or leave it out with source.exclude"
        )
    if not rows.files:
        raise DataError(
            f"source.sample keeps none of {counted(span.rows, 'row')} in span {span.label}; increase its fraction, or add stratify"
        )


def _filter(file: Path, span: Span, read_spec: ReadSpec, folder: Path) -> _FilteredFile:
    if read_spec.rows is None:
        return _FilteredFile(file, span.rows)
    path = folder / "filtered.parquet"
    return _FilteredFile(path, filter_rows(file, read_spec.rows, path, label=f"span {span.label}", types=read_spec.types))


def _store_parts(span: Span, parts: Sequence[SplitFile], original: SourceFile, store: Store, *, named: bool) -> list[Span]:
    return [
        span.model_copy(
            update={
                "content": store.put_file(part.path),
                "rows": part.rows,
                "part": _PARTS[part.subset] if named else None,
                "original": original,
            }
        )
        for part in parts
    ]


def snapshot_of(parts: SnapshotParts, read_spec: ReadSpec, pipeline: str, newest: str) -> Snapshot:
    """The snapshot of all spans of a run. Without a split, the last span is evaluated on.

    Args:
        parts: The spans and match rates.
        read_spec: The joins, the sample and the split.
        pipeline: The name of the pipeline.
        newest: The name of the target span.

    Raises:
        DataError: The split leaves no rows to train on, or no rows of the target span to evaluate on.
    """
    training, evaluation = parts.training, parts.evaluation
    if read_spec.split is None:
        training, evaluation = training[:-1], training[-1:]
    else:
        rule, other = describe_split(read_spec.split), empty_split_hint(read_spec.split)
        if not training:
            raise DataError(f"{rule} leaves no rows to train on; lower evaluation, or {other}")
        if not evaluation or evaluation[-1].name != newest:
            raise DataError(f"{rule} leaves no rows of span {newest} to evaluate on; raise evaluation, or {other}")
    return Snapshot(
        pipeline=pipeline,
        training=tuple(training),
        evaluation=tuple(evaluation),
        joins=tuple(parts.joins),
        sample=read_spec.sample,
        split=read_spec.split,
        rows=read_spec.rows,
        removed=tuple(parts.removed),
        labels=tuple(parts.labels),
    )


def split_spans(
    spans: Sequence[Span], split: SplitRule, names: tuple[str, str], salt: str, store: Store
) -> tuple[list[Span], list[Span]]:
    """Split stored spans once more by the same rule.

    Args:
        spans: The spans.
        split: Which rows to hold out.
        names: The names of the two parts: the rows that stay, and those held out.
        salt: A text that makes this split independent of other splits by the same values.
        store: Where the rows are, and where the new files go.

    Returns:
        The spans of the rows that stay, and those of the rows held out, without empty ones.
    """
    subsets: dict[Subset, list[Span]] = {Subset.TRAINING: [], Subset.EVALUATION: []}
    for span in spans:
        with store.local_file(span.content) as file, temp_folder("parts") as folder:
            made = materialize_rows(file, RowRules(split=split, salt=salt), folder, label=f"span {span.label}")
            for part in made.files:
                changed = {"content": store.put_file(part.path), "rows": part.rows, "part": names[part.subset]}
                subsets[part.subset].append(span.model_copy(update=changed))
    return subsets[Subset.TRAINING], subsets[Subset.EVALUATION]
