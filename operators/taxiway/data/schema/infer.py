"""The first draft of a schema, by the rules of TensorFlow Data Validation, for people to edit.

It says what was seen, not what is right: a schema made of the very data that it checks would pass anything.
"""

from collections.abc import Collection, Iterable
from typing import Literal, cast

from taxiway.data.profiling.compute import profile_span
from taxiway.data.profiling.merge import merged
from taxiway.data.profiling.profile import TEXT_KEPT, ColumnProfile, Profile
from taxiway.data.schema.constraints import Counts, Range
from taxiway.data.schema.model import NUMERIC_TYPES, TRAINING, Feature, FeatureType, Schema
from taxiway.errors import ConfigError, DataError, allowed_values
from taxiway.records import Snapshot, Span
from taxiway.store.store import Store

Ranges = Literal["none", "observed"]
DOMAIN_VALUES = 100
# Of each pair at most one word may be there: "true" with "1" is no way to write booleans.
_TRUE = ("TRUE", "true", "SET", "set", "1")
_FALSE = ("FALSE", "false", "CLEAR", "clear", "0")


def infer_schema(data: Snapshot | Iterable[Span], store: Store, label: str, *, without: Collection[str] = ()) -> Schema:
    """As `infer_from`, of the training spans of a snapshot, or of the given spans.

    Raises ConfigError if there is no span or no column `label`, DataError where no type can be given to a column.
    """
    spans = data.training if isinstance(data, Snapshot) else tuple(data)
    profiles = [profile_span(span, store) for span in spans]
    if not profiles:
        raise ConfigError("a schema is inferred from at least one span, got none")
    profile = merged(profiles)
    order = dict.fromkeys(column.name for each in profiles for column in each.columns)
    columns = tuple(column for name in order if (column := profile.column(name)) is not None)
    return infer_from(Profile(rows=profile.rows, columns=columns), label, without=without)


def infer_from(profile: Profile, label: str | None = None, *, ranges: Ranges = "none", without: Collection[str] = ()) -> Schema:
    """A schema that the profiled rows pass; its features are in the profile's order.

    Types are those in the files. A column is required if no row lacks it, else optional. Text with at most 100 values gets them
    as its domain, unless all of them are numbers. Lists of one length keep it, others keep at least one item where none is empty.
    The label is expected in training only. With `ranges` "observed" numbers get the range that was seen; keys and limits of drift
    are people's knowledge and are not inferred.

    Columns named in `without` are left out; without `label` nothing is predicted.

    Raises ConfigError if there is no column `label`, DataError where no type can be given to a column.
    """
    kept = [column for column in profile.columns if column.name not in without]
    names = [column.name for column in kept]
    if label is not None and label not in names:
        raise ConfigError(f'the label "{label}" is not a column\n    {allowed_values(label, names)}')
    features = [_feature(column, ranges) for column in kept]
    return Schema(
        label=label,
        features=tuple(
            feature.model_copy(update={"environments": (TRAINING,)}) if feature.name == label else feature
            for feature in features
        ),
    )


def remark(column: ColumnProfile) -> str:
    """What people should know of a column whose type in the file may not be what its values are; empty for most."""
    values = [item.value for item in column.values]
    if not column.present:
        return "no value was seen: the type is a guess"
    if column.type == "integer" and column.minimum is not None and column.minimum >= 0 and column.maximum == 1:
        return "only 0 and 1: are these booleans? Then have the source write them as such"
    if column.type != "string" or not column.values_complete or not values:
        return ""
    if all(value in _TRUE + _FALSE for value in values) and all(
        sum(v in words for v in values) <= 1 for words in (_TRUE, _FALSE)
    ):
        return "booleans written as text: have the source write booleans"
    if _all_integers(values):
        return "whole numbers written as text: have the source write numbers, unless they are names"
    return ""


def closed_domain(column: ColumnProfile, most: int) -> tuple[str, ...] | None:
    """All values of a text column, if they are known and at most so many."""
    values = [item.value for item in column.values]
    known = column.type == "string" and column.values_complete and 0 < len(values) <= most
    # Of longer text the beginning is kept, so that two values may look like one.
    return tuple(sorted(values)) if known and all(len(value) < TEXT_KEPT for value in values) else None


def _feature(column: ColumnProfile, ranges: Ranges) -> Feature:
    if column.type == "other":
        raise DataError(
            f"column {column.name} is of type {column.storage}, which has no statistics; have the source leave it out, or flatten it"
        )
    domain = closed_domain(column, DOMAIN_VALUES)
    return Feature(
        name=column.name,
        type=cast(FeatureType, column.type),
        presence=1.0 if column.present == column.rows else 0.0,
        valency=_valency(column),
        domain=None if domain is None or _all_integers(domain) else domain,
        range=_observed(column) if ranges == "observed" and column.type in NUMERIC_TYPES else None,
    )


def _valency(column: ColumnProfile) -> Counts | None:
    lengths = column.lengths
    if column.type != "list" or lengths is None or lengths.minimum == 0:
        return None
    return Counts(min=lengths.minimum, max=lengths.maximum if lengths.minimum == lengths.maximum else None)


def _observed(column: ColumnProfile) -> Range | None:
    low, high = None if column.below else column.minimum, None if column.above else column.maximum
    return None if low is None and high is None else Range(min=low, max=high)


def _all_integers(values: Iterable[str]) -> bool:
    return all(value.removeprefix("-").isdecimal() for value in values)
