"""Infer a draft schema from data, by the rules of TensorFlow Data Validation.

The draft describes the data that it was inferred from, which therefore passes by construction; people must review it.
"""

from collections.abc import Collection, Iterable
from typing import Literal, cast

from taxiway.data.profiling.compute import profile_span
from taxiway.data.profiling.merge import merge_profiles
from taxiway.data.profiling.profile import TEXT_KEPT, ColumnProfile, Profile
from taxiway.data.schema.constraints import Counts, Range
from taxiway.data.schema.feature import NUMERIC_TYPES, Feature, FeatureType
from taxiway.data.schema.model import TRAINING, Schema
from taxiway.data.schema.remarks import can_be_domain
from taxiway.errors import ConfigError, DataError, allowed_values
from taxiway.records import Snapshot, Span
from taxiway.store.store import Store

Ranges = Literal["none", "observed"]
DOMAIN_VALUES = 100
_NEARLY_UNIQUE = 0.95  # the number of distinct values may be an estimate


def infer_schema(data: Snapshot | Iterable[Span], store: Store, label: str, *, without: Collection[str] = ()) -> Schema:
    """Infer a schema from the training spans of a snapshot, or from the given spans; see `infer_from`.

    Raises:
        ConfigError: There is no span, or no column `label`.
        DataError: A column has a type that a schema cannot describe.
    """
    spans = data.training if isinstance(data, Snapshot) else tuple(data)
    profiles = [profile_span(span, store) for span in spans]
    if not profiles:
        raise ConfigError("a schema needs at least one span to infer from, got none")
    profile = merge_profiles(profiles)
    order = dict.fromkeys(column.name for each in profiles for column in each.columns)
    columns = tuple(column for name in order if (column := profile.column(name)) is not None)
    return infer_from(with_integers(Profile(rows=profile.rows, columns=columns), profiles), label, without=without)


def with_integers(merged: Profile, profiles: Iterable[Profile]) -> Profile:
    """The merged profile of some data, in which integers that some of the data has as floats are integers.

    A file has them so after pandas had read a missing value in their column. A column of whole floats alone is taken for integers only
    if no value occurs twice, as in an id.
    """
    integers = {column.name for profile in profiles for column in profile.columns if column.type == "integer"}
    columns = []
    for column in merged.columns:
        whole = column.type == "number" and column.present and not column.fractional and column.finite == column.present
        is_unique = column.present == column.rows and column.distinct.value >= _NEARLY_UNIQUE * column.rows
        is_integer = whole and (column.name in integers or is_unique)
        columns.append(column.model_copy(update={"type": "integer"}) if is_integer else column)
    return Profile(rows=merged.rows, columns=tuple(columns))


def infer_from(profile: Profile, label: str | None = None, *, ranges: Ranges = "none", without: Collection[str] = ()) -> Schema:
    """Infer a schema that the profiled rows pass.

    Types are those of the file. A column is required if every row has a value, else optional. Text with at most 100 values gets
    these as its domain, unless all look like numbers, dates or nested values. Lists that all have one length get that as `valency`; other lists get at least one
    item if none is empty. The label is expected in training only. Keys and drift limits are not inferred.

    Args:
        profile: The profile of the data.
        label: The column to predict; None for data without a label.
        ranges: `observed` gives numbers the range of the data, `none` gives them no range.
        without: Columns to leave out.

    Returns:
        The schema, with its features in the order of the profile.

    Raises:
        ConfigError: There is no column `label`.
        DataError: A column has a type that a schema cannot describe.
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


def closed_domain(column: ColumnProfile, most: int) -> tuple[str, ...] | None:
    """All values of a text column; None if they are not all known, or more than `most`."""
    values = [item.value for item in column.values]
    known = column.type == "string" and column.values_complete and 0 < len(values) <= most
    # Longer text is cut in profiles, so two values could look like one.
    return tuple(sorted(values)) if known and all(len(value) < TEXT_KEPT for value in values) else None


def _feature(column: ColumnProfile, ranges: Ranges) -> Feature:
    if column.type == "other":
        raise DataError(
            f"column {column.name} has the type {column.storage}, which cannot be profiled; drop or flatten it in the source"
        )
    domain = closed_domain(column, DOMAIN_VALUES)
    return Feature(
        name=column.name,
        type=cast(FeatureType, column.type),
        presence=1.0 if column.present == column.rows else 0.0,
        valency=_valency(column),
        domain=domain if domain is not None and can_be_domain(domain) else None,
        range=_observed_range(column) if ranges == "observed" and column.type in NUMERIC_TYPES else None,
    )


def _valency(column: ColumnProfile) -> Counts | None:
    lengths = column.lengths
    if column.type != "list" or lengths is None or lengths.minimum == 0:
        return None
    return Counts(min=lengths.minimum, max=lengths.maximum if lengths.minimum == lengths.maximum else None)


def _observed_range(column: ColumnProfile) -> Range | None:
    low, high = None if column.below else column.minimum, None if column.above else column.maximum
    return None if low is None and high is None else Range(min=low, max=high)
