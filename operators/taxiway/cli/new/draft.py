"""Draft a schema and the keys of a pipeline from data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

from taxiway.cli.new.columns import (
    WINDOW,
    changes_of_columns,
    find_key,
    left_out,
    no_features,
    not_blocking,
    typical_values,
    why_unread,
    with_codes,
    with_drift,
)
from taxiway.cli.new.label import Label, label_of
from taxiway.cli.new.rows import free_text_columns, leaking_columns, short_lists, zeros_remark
from taxiway.cli.new.split import EVALUATION, DraftSplit, draft_split
from taxiway.data.engine.duckdb_table import open_table
from taxiway.data.engine.storage_errors import storage_errors
from taxiway.data.formats.convert import ReadOptions, known_format
from taxiway.data.formats.open_data import AS_DETECTED
from taxiway.data.ingest.ingest import store_span
from taxiway.data.profiling.compute import profile_span
from taxiway.data.profiling.merge import merge_profiles
from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.feature import CATEGORICAL_TYPES, DATE_TYPES, LIST_TYPES, NUMERIC_TYPES
from taxiway.data.schema.infer import infer_from, with_integers
from taxiway.data.schema.model import Schema
from taxiway.data.schema.remarks import remarks_of
from taxiway.data.sources.files import find_spans
from taxiway.data.sources.read_file import common_types, read_file
from taxiway.data.sources.reader import FoundSpan, Note, ignore
from taxiway.errors import ConfigError
from taxiway.evaluation.leakage import CERTAIN
from taxiway.records import ColumnAlone, Span
from taxiway.spec.metrics import Problem
from taxiway.spec.source.span_pattern import SpanPattern
from taxiway.store import Store, temp_folder

_MIN_ROWS = 300
_NAMES = ("string", "integer")
_CAUTION = 0.7
_MIN_EVALUATION_ROWS = 30


@dataclass(frozen=True)
class Draft:
    """A pipeline drafted from data.

    Attributes:
        pattern: The pattern of the data's files.
        spans: All spans of the pattern.
        schema: The inferred schema.
        label: How the label is read.
        split: How rows are held out for evaluation.
        drop: Columns that the model does not use, and why.
        suspects: Columns that alone nearly determine the label, the best first; some are also in `drop`.
        texts: Columns of free text, which the model uses.
        not_taken: Columns of lists that no model takes, and what to do about each.
        unread: Columns without statistics, which are not in the schema, and why.
        remarks: What to look at in columns of the schema.
        typical: A typical value of each column that the model uses; None for a missing value.
        options: How the files are read.
    """

    pattern: str
    spans: tuple[Span, ...]
    schema: Schema
    label: Label
    split: DraftSplit
    drop: Mapping[str, str]
    suspects: tuple[ColumnAlone, ...]
    texts: tuple[str, ...]
    not_taken: Mapping[str, str]
    unread: Mapping[str, str]
    remarks: Mapping[str, str]
    typical: Mapping[str, str | float | bool | list[Any] | None]
    options: ReadOptions

    @property
    def is_one_span(self) -> bool:
        """Whether the files are one span, however often they are written over."""
        return SpanPattern.parse(self.pattern).is_one_span

    @property
    def is_dated(self) -> bool:
        """Whether the version of the only span has the time of the newest change; some servers do not know it."""
        return self.is_one_span and not self.is_numbered and self.spans[0].version > 0

    @property
    def is_numbered(self) -> bool:
        """Whether the names of the files have the numbers of versions."""
        return "VERSION" in SpanPattern.parse(self.pattern).names

    @property
    def unlabelled(self) -> Literal["drop", "wait"] | None:
        """What to do about missing labels: wait if whole spans have none; None if no label is missing."""
        if not self.label.missing:
            return None
        is_whole = all(labelled in (0, span.rows) for labelled, span in zip(self.label.rows, self.spans, strict=True))
        return "wait" if is_whole else "drop"

    @property
    def window(self) -> int:
        """The number of spans to train on: three, or as many as there are with labels."""
        return min(WINDOW, len(self._usable_rows) - (self.split.rule is None))

    @property
    def _usable_rows(self) -> tuple[int, ...]:
        """The number of rows with a label in each span that has any."""
        return tuple(rows for rows in self.label.rows if rows)

    @property
    def origin(self) -> str:
        """The spans that the draft was made from."""
        if self.is_one_span:
            return f"{self.spans[0].rows:,} rows"
        return (
            f"{len(self.spans)} spans, {self.spans[0].name} to {self.spans[-1].name}" if self.spans[1:] else self.spans[0].name
        )

    @property
    def evaluation_rows(self) -> int:
        """The evaluation rows of the run that has the fewest."""
        rows = self._usable_rows
        if self.split.rule is None:
            return min(rows[self.window :])
        return int(EVALUATION * min(sum(rows[at : at + self.window]) for at in range(len(rows) - self.window + 1)))

    @property
    def safe_rows(self) -> int:
        """The evaluation rows to count on: spans vary, and so do the rows that a split holds out."""
        return int(_CAUTION * self.evaluation_rows)

    @property
    def min_rows(self) -> int | None:
        """The evaluation rows that the gate may require so that the spans can pass; None if its default is met."""
        return max(2, self.safe_rows) if self.safe_rows < _MIN_ROWS else None

    @property
    def is_tiny(self) -> bool:
        """Whether there are too few evaluation rows to decide anything."""
        return self.evaluation_rows < _MIN_EVALUATION_ROWS


def draft_pipeline(
    pattern: str,
    label: str,
    *,
    split_by: str | None = None,
    problem: Problem | None = None,
    options: ReadOptions = AS_DETECTED,
    note: Note = ignore,
    progress: Callable[[str], None] = ignore,
) -> Draft:
    """Read all spans of a pattern, and draft a schema and the keys of a pipeline from their profiles.

    Args:
        pattern: The pattern.
        label: The column to predict.
        split_by: The column by which each span is split; None to evaluate on the newest span, or to choose a split if there is only one span.
        problem: Classification or regression; None to find out from the label.
        options: How the files are read. Text files are read twice, because their types are those of all spans together.
        note: Called with each note on what is doubtful about a file.
        progress: Called with what is done now.

    Raises:
        ConfigError: The pattern matches no file, or there is no column `split_by`.
        DataError: The label cannot be predicted.
    """
    with storage_errors(pattern):
        found = find_spans(pattern)
    if not found:
        raise ConfigError(f"{pattern} matches no file; required: at least one")
    with temp_folder("new") as folder:
        store = Store(str(folder))
        if (options.format or known_format(pattern)) != "parquet":
            progress(f"reading {len(found)} files" if found[1:] else f"reading {found[0].path}")
            options = replace(options, types=common_types(found, options))
        data = _profile_spans(found, store, options, note, progress, pattern)
        progress("drafting")
        return _draft(data, pattern, options, label, split_by, problem)


@dataclass(frozen=True)
class _ProfiledSpans:
    """The spans of a pattern, oldest first, in a store, and the profile of each."""

    spans: tuple[Span, ...]
    profiles: list[Profile]
    store: Store

    @cached_property
    def whole(self) -> Profile:
        """The profile of all spans together, with its columns in the order of the files."""
        merged = merge_profiles(self.profiles)
        order = dict.fromkeys(column.name for profile in self.profiles for column in profile.columns)
        columns = tuple(column for name in order if (column := merged.column(name)) is not None)
        return with_integers(Profile(rows=merged.rows, columns=columns), self.profiles)


def _draft(
    data: _ProfiledSpans, pattern: str, options: ReadOptions, label: str, split_by: str | None, problem: Problem | None
) -> Draft:
    spans, profiles, store, whole = data.spans, data.profiles, data.store, data.whole
    unread = {c.name: why_unread(c) for c in whole.columns if c.type == "other"}
    schema = infer_from(whole, label, without=[name for name in unread if name != label])
    read = label_of(spans, store, schema, label, problem)
    key = find_key(whole, spans, store, schema)
    labelled = [span for span, rows in zip(spans, read.rows, strict=True) if rows]
    split = draft_split(split_by, key, whole, schema, read, one_span=len(labelled) == 1)
    roles = {label, *key}
    remarks = _remarks(data, schema)
    texts = free_text_columns(labelled[-1], store, whole, roles)
    drop = left_out(whole, roles, schema, remarks, texts)
    if split.by in {f.name for f in schema.features if f.type in _NAMES} - roles:
        drop.setdefault(str(split.by), "the rows are split by it")
    suspects = leaking_columns(labelled[-1], store, read, schema, roles | drop.keys())
    not_taken = no_features(whole, roles)
    drop |= _certain(suspects, schema, roles | drop.keys() | not_taken.keys())
    unused = roles | drop.keys() | not_taken.keys()
    return Draft(
        pattern=pattern,
        spans=spans,
        schema=_draft_schema(schema, profiles, key, roles, {c.name for c in whole.columns if c.above or c.below}),
        label=read,
        split=split,
        drop=drop,
        suspects=suspects,
        texts=tuple(name for name in texts if name not in drop),
        not_taken=not_taken,
        unread=unread,
        remarks=changes_of_columns(spans, profiles) | remarks,
        typical=typical_values(profiles[-1], schema, short_lists(spans[-1], store, profiles[-1]), unused),
        options=options,
    )


def _profile_spans(
    found: tuple[FoundSpan, ...], store: Store, options: ReadOptions, note: Note, progress: Callable[[str], None], pattern: str
) -> _ProfiledSpans:
    read = partial(read_file, options=options, note=note)
    spans, profiles = [], []
    for number, span in enumerate(found, start=1):
        progress(f"profiling {span.name} ({number} of {len(found)})" if found[1:] else f"profiling {span.path}")
        spans.append(store_span(span, read, pattern, store))
        profiles.append(profile_span(spans[-1], store))
    return _ProfiledSpans(tuple(spans), profiles, store)


def _draft_schema(schema: Schema, profiles: list[Profile], key: tuple[str, ...], roles: set[str], infinite: set[str]) -> Schema:
    features = tuple(with_codes(feature, profiles) if feature.name not in key else feature for feature in schema.features)
    drafted = schema.model_copy(update={"key": key, "features": features})
    return not_blocking(with_drift(drafted, profiles, roles | infinite), infinite)


def _certain(suspects: tuple[ColumnAlone, ...], schema: Schema, taken: set[str]) -> dict[str, str]:
    """The columns that determine the label, and why they are left out; none if no other would remain."""
    found = {
        alone.column: f"{alone.describe()}, so it is probably only known after the label; remove it from drop if it is not"
        for alone in suspects
        if alone.value >= CERTAIN
    }
    types = (*NUMERIC_TYPES, *CATEGORICAL_TYPES, *DATE_TYPES, *LIST_TYPES)
    usable = {f.name for f in schema.features if f.type in types} - taken
    return found if usable - found.keys() else {}


def _remarks(data: _ProfiledSpans, schema: Schema) -> dict[str, str]:
    """What to look at in the columns of the schema: in the newest span, and codes with zeros before them in any span."""
    newest = data.spans[-1]
    with data.store.local_file(newest.content) as path, open_table(path, f"span {newest.label}") as table:
        found = remarks_of(table, data.profiles[-1])
    in_newest = {feature.name: found[feature.name] for feature in schema.features if feature.name in found}
    return in_newest | _zeros(data.whole, data.spans, schema, data.store)


def _zeros(profile: Profile, spans: tuple[Span, ...], schema: Schema, store: Store) -> dict[str, str]:
    """Remarks on codes that are written with zeros before them in some rows only, perhaps of another span."""
    found = {}
    for feature in schema.features:
        column = profile.column(feature.name)
        if feature.type != "string" or column is None or not all(item.value.isdecimal() for item in column.values):
            continue
        if remark := zeros_remark(feature.name, spans, store):
            found[feature.name] = remark
    return found
