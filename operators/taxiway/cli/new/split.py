"""Chooses the split of training and evaluation rows for `taxiway new`, and describes it in the draft."""

from collections.abc import Iterator
from dataclasses import dataclass

from taxiway.cli.new.columns import many_valued, time_column
from taxiway.cli.new.label import Label
from taxiway.data.profiling.profile import Profile
from taxiway.data.schema.model import Schema
from taxiway.errors import ConfigError, allowed_values
from taxiway.messages import json_for_yaml, names_text
from taxiway.spec.source.selection import Split

EVALUATION = 0.2
"""The fraction of the rows, or of the values of a column, that a drafted split holds out."""


@dataclass(frozen=True)
class DraftSplit:
    """The split of a draft, and what could be split by instead.

    Attributes:
        rule: The split; None to evaluate on the newest span.
        many: Columns with many values, which may say which rows belong together, for a split at random; else empty.
        time: The only column of dates or times, by which the newest rows could be held out; None if there is none.
    """

    rule: Split | None
    many: tuple[str, ...] = ()
    time: str | None = None

    @property
    def by(self) -> str | None:
        """The column whose values are held out; None for a split at random, or none."""
        return self.rule.by if self.rule is not None else None

    @property
    def is_random(self) -> bool:
        """Whether rows are held out by a hash of all their values."""
        return self.rule is not None and self.rule.by is None

    def yaml(self) -> str:
        """The value of the key `split` for the pipeline file."""
        assert self.rule is not None
        columns = "".join(f"{key}: {json_for_yaml(name)}, " for key, name in self.rule.columns if name is not None)
        return f"{{{columns}evaluation: {self.rule.evaluation:g}}}"

    def held_out(self, mark: str = "") -> str:
        """What is held out, as a sentence: `the rows are split by id: 20% of its values are held out`."""
        assert self.rule is not None
        if self.by is not None:
            return f"the rows are split by {mark}{self.by}{mark}: {EVALUATION:.0%} of its values are held out for evaluation"
        return f"no column is unique for every row, so {self.rule.rule.describe(mark)} is held out for evaluation"

    @property
    def together(self) -> str:
        """Which rows stay together, as a sentence."""
        rows = "Equal rows are" if self.is_random else "All rows of a value are"
        return f"{rows} either trained on or evaluated on"

    def alternatives(self, mark: str = "") -> Iterator[str]:
        """What to split by instead, and why, as sentences; keys are between two `mark`."""
        if self.is_random:
            columns = f"; columns with many values: {names_text(self.many, 'column')}" if self.many else ""
            option = f"{mark}--split-by COLUMN{mark}"
            yield f"If other rows belong together, such as those of a customer, draft it again with {option}{columns}"
        if self.time is not None:
            split = f"split: {{by_time: {json_for_yaml(self.time)}, evaluation: {EVALUATION:g}}}"
            yield f"{mark}{split}{mark} evaluates on the newest rows instead"
            spans = f"file: PATH, time: {json_for_yaml(self.time)}, every: month"
            yield f"{mark}{spans}{mark} in place of spans divides the table into months, of which the newest is evaluated on"


def draft_split(
    given: str | None, key: tuple[str, ...], profile: Profile, schema: Schema, label: Label, *, one_span: bool
) -> DraftSplit:
    """Choose how rows are held out: by the given column; else by the newest span, or if there is only one, by its key or at random.

    Args:
        given: The column that a person wants to split by; None to choose.
        key: The column that is unique for every row; empty if there is none.
        profile: The profile of all spans.
        schema: The inferred schema.
        label: How the label is read; classes keep their shares.
        one_span: Whether only one span has labels.

    Raises:
        ConfigError: The given column does not exist.
    """
    time = time_column(profile) if one_span else None
    if given is not None:
        names = [feature.name for feature in schema.features if feature.name != schema.label]
        if given not in names:
            raise ConfigError(f'--split-by is "{given}"; {allowed_values(given, names)}')
        return DraftSplit(Split(by=given, evaluation=EVALUATION), time=time)
    if not one_span:
        return DraftSplit(None)
    if key:
        return DraftSplit(Split(by=key[0], evaluation=EVALUATION), time=time)
    strata = label.name if label.problem == "classification" else None
    return DraftSplit(Split(stratify=strata, evaluation=EVALUATION), tuple(many_valued(profile, label.name)), time)
