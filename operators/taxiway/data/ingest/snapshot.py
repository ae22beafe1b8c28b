"""How the rows of a run are made from files that were copied: joined, sampled, split; and the snapshot of them.

Copying and checking files is in `ingest`, the rules themselves are in `joins`, `sampling` and `parts`.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taxiway.data.ingest.join import JoinedTable
from taxiway.data.ingest.materialize import Rules, SplitFile, materialize_split
from taxiway.data.ingest.sampling import EVALUATION, TRAINING
from taxiway.data.sources.join_inputs import JoinTable
from taxiway.data.sources.reader import FoundSpan
from taxiway.errors import DataError, TransientError
from taxiway.records import JoinMatch, SampleRule, Snapshot, SourceFile, Span, SplitRule
from taxiway.records.digests import digest_of_file
from taxiway.spec.base import Format
from taxiway.spec.selection import Split
from taxiway.spec.source import Source
from taxiway.store.store import Store

TRAINING_PART, EVALUATION_PART = "training", "evaluation"
_PARTS = {TRAINING: TRAINING_PART, EVALUATION: EVALUATION_PART}
# Makes a checked Parquet copy, in a folder, of a file that was found, of a format where its name does not tell.
ReadTable = Callable[[FoundSpan, Path, Format | None], Path]


@dataclass(frozen=True)
class ReadSpec:
    """The rules by which rows are made from files. Without any, a span is its file, byte by byte."""

    join_tables: tuple[JoinTable, ...] = ()
    sample: SampleRule | None = None
    split: SplitRule | None = None

    @property
    def is_plain(self) -> bool:
        """Whether files are taken as they are."""
        return not self.join_tables and self.sample is None and self.split is None


def read_spec_of(source: Source, join_tables: tuple[JoinTable, ...]) -> ReadSpec:
    """The rules of a pipeline's source; `join_tables` are its joins, with what is there of each table."""
    sample, split = source.sample, source.split
    return ReadSpec(
        join_tables,
        SampleRule(fraction=sample.fraction, by=sample.by, stratify=sample.stratify) if sample else None,
        SplitRule(by=split.by, evaluation=split.evaluation) if isinstance(split, Split) else None,
    )


@dataclass
class SnapshotParts:
    """What came of the files of a run so far: spans by what they are for, oldest first, and what joins came to."""

    training: list[Span] = field(default_factory=list)
    evaluation: list[Span] = field(default_factory=list)
    joins: list[JoinMatch] = field(default_factory=list)


class JoinTableCache:
    """The joined tables of a run: a file for all spans is copied once, into `folder`."""

    def __init__(self, folder: Path, read: ReadTable) -> None:
        self._folder = folder
        self._read = read
        self._kept: dict[str, JoinedTable] = {}

    def of(self, right: JoinTable, span: Span, folder: Path) -> JoinedTable:
        """The table of a join for a span; one that is for this span only is copied into `folder`."""
        found = right.of(span.name)
        if found is None:  # planning leaves such spans out
            raise TransientError(f"join {right.name}: what belongs to {span.name} vanished; a retry looks again")
        if right.file is None:
            return self._copied(right, found, folder)
        if right.name not in self._kept:
            self._kept[right.name] = self._copied(right, found, self._folder)
        return self._kept[right.name]

    def _copied(self, right: JoinTable, found: FoundSpan, folder: Path) -> JoinedTable:
        place = folder / f"join-{right.name}"
        place.mkdir()
        path = self._read(found, place, right.join.format)
        return JoinedTable(right, path, right.label(found), digest_of_file(path))


def add_span(made: SnapshotParts, span: Span, file: Path, reading: ReadSpec, tables: JoinTableCache, store: Store) -> None:
    """Put the rows that `reading` makes of `file`, a copy of a span that is ours, into `store`, and what they are into `made`."""
    with tempfile.TemporaryDirectory(prefix="taxiway-parts-") as folder:
        joined = [tables.of(right, span, Path(folder)) for right in reading.join_tables]
        rules = Rules(joined, reading.sample, reading.split)
        parts, matches = materialize_split(file, rules, Path(folder), what=f"span {span.label}")
        if not parts:
            raise DataError(
                f"source.sample leaves no row of {span.rows:,} in span {span.label}; give it a larger fraction, or stratify"
            )
        original = SourceFile(content=digest_of_file(file), rows=span.rows)
        for part, stored in zip(parts, _stored(span, parts, original, store, named=reading.split is not None), strict=True):
            (made.evaluation if part.side == EVALUATION else made.training).append(stored)
    made.joins += [match.model_copy(update={"span": span.label}) for match in matches]


def _stored(span: Span, parts: Sequence[SplitFile], original: SourceFile, store: Store, *, named: bool) -> list[Span]:
    return [
        span.model_copy(
            update={
                "content": store.put_file(part.path),
                "rows": part.rows,
                "part": _PARTS[part.side] if named else None,
                "original": original,
            }
        )
        for part in parts
    ]


def snapshot_of(made: SnapshotParts, reading: ReadSpec, pipeline: str, newest: str) -> Snapshot:
    """The snapshot of what was made; where nothing is split by a column, the span `newest`, the last one, is the evaluation.

    Raises DataError where a split leaves nothing to train on, or nothing of the newest span to evaluate on.
    """
    training, evaluation = made.training, made.evaluation
    if reading.split is None:
        training, evaluation = training[:-1], training[-1:]
    else:
        rule = f"source.split by {reading.split.by} with evaluation: {reading.split.evaluation:g}"
        if not training:
            raise DataError(f"{rule} leaves no row to train on; lower evaluation, or name a column of more values")
        if not evaluation or evaluation[-1].name != newest:
            raise DataError(
                f"{rule} leaves no row of {newest} to evaluate on; raise evaluation, or name a column of more values"
            )
    return Snapshot(
        pipeline=pipeline,
        training=tuple(training),
        evaluation=tuple(evaluation),
        joins=tuple(made.joins),
        sample=reading.sample,
        split=reading.split,
    )


def parted(
    spans: Sequence[Span], split: SplitRule, names: tuple[str, str], purpose: str, store: Store
) -> tuple[list[Span], list[Span]]:
    """Stored `spans`, each split once more by the same column; `purpose` makes that split independent of others.

    Returns the larger parts and those that are held out, whose parts are called by `names`. A part without rows is left out.
    """
    sides: dict[int, list[Span]] = {TRAINING: [], EVALUATION: []}
    for span in spans:
        with store.local_file(span.content) as file, tempfile.TemporaryDirectory(prefix="taxiway-parts-") as folder:
            parts, _ = materialize_split(file, Rules(split=split, purpose=purpose), Path(folder), what=f"span {span.label}")
            for part in parts:
                changed = {"content": store.put_file(part.path), "rows": part.rows, "part": names[part.side]}
                sides[part.side].append(span.model_copy(update=changed))
    return sides[TRAINING], sides[EVALUATION]
