"""What is done to the rows of a source when they are read: imported labels, the filter, the joins, the sample and the split."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from taxiway.data.ingest.labels.fill import LabelSource
from taxiway.data.sources.join_inputs import JoinTable
from taxiway.records import SampleRule, SplitRule
from taxiway.spec.source import Source
from taxiway.spec.source.selection import Split


@dataclass(frozen=True)
class ReadSpec:
    """The filter, the joins, the sample and the split of a source. Without any of them, a span is an exact copy of its file.

    Attributes:
        join_tables: The tables to join.
        sample: Which rows to read; None for all.
        split: Which rows to hold out in every span; None if the newest span is held out.
        rows: The condition for the rows to read; None for all.
        label: The label, to leave out rows in which it is missing; None to keep them.
        types: Returns the source's own columns in the schema with their types; called only if `rows` names a column that a file lacks.
        imported: The labels that people have imported, which are joined before anything else; None for none.
        renamed: The present name of columns that the source has renamed, by their former name.
    """

    join_tables: tuple[JoinTable, ...] = ()
    sample: SampleRule | None = None
    split: SplitRule | None = None
    rows: str | None = None
    label: str | None = None
    types: Callable[[], Mapping[str, str]] = dict
    imported: LabelSource | None = None
    renamed: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to apply."""
        return not self.join_tables and self.sample is None and self.split is None and not self.removes_rows

    @property
    def removes_rows(self) -> bool:
        """Whether rows are removed by a condition or because their label is missing."""
        return self.rows is not None or self.label is not None


def read_spec_of(
    source: Source,
    join_tables: tuple[JoinTable, ...],
    types: Callable[[], Mapping[str, str]] = dict,
    imported: LabelSource | None = None,
) -> ReadSpec:
    """How the rows of a pipeline's source are read.

    Args:
        source: The source.
        join_tables: Its joins with their files.
        types: Returns the columns of the schema with their types.
        imported: The labels that people have imported; None for none.
    """
    sample, split = source.sample, source.split
    return ReadSpec(
        join_tables,
        SampleRule(fraction=sample.fraction, by=sample.by, stratify=sample.stratify) if sample else None,
        split.rule if isinstance(split, Split) else None,
        source.rows,
        source.label if source.drops_unlabelled else None,
        lambda: source.own(types()),
        imported,
        source.rename,
    )
