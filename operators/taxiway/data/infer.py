"""The first draft of a schema, by the rules of TensorFlow Data Validation, for people to edit.

It says what was seen, not what is right: a schema made of the very data that it checks would pass anything.
"""

from collections.abc import Collection, Iterable
from typing import cast

from taxiway.data.features import Feature, FeatureType, Schema
from taxiway.data.merge import merged
from taxiway.data.profile import ColumnProfile, Profile, profile_span
from taxiway.errors import BadData, ConfigError, allowed_values
from taxiway.records import Snapshot, Span
from taxiway.store.store import Store

_DOMAIN_VALUES = 100


def infer_schema(data: Snapshot | Iterable[Span], store: Store, label: str, *, without: Collection[str] = ()) -> Schema:
    """A schema that `data` pass: the training spans of a snapshot, or the given spans.

    Types are those in the files. A column is required if no row lacks it, else optional. Text with at most 100 values gets them
    as its domain, unless all of them are numbers. Ranges, keys and drift limits are people's knowledge and are not inferred.

    Columns named in `without` are left out.

    Raises ConfigError if there is no column `label`, BadData where no type can be given to a column.
    """
    spans = data.training if isinstance(data, Snapshot) else tuple(data)
    profiles = [profile_span(span, store) for span in spans]
    if not profiles:
        raise ConfigError("a schema is inferred from at least one span, got none")
    profile = merged(profiles)
    order = [name for name in _file_order(profiles) if name not in without]
    if label not in order:
        raise ConfigError(f'the label "{label}" is not a column\n    {allowed_values(label, order)}')
    columns = {column.name: column for column in profile.columns}
    return Schema(label=label, features=tuple(_feature(columns[name]) for name in order))


def _file_order(profiles: list[Profile]) -> list[str]:
    return list(dict.fromkeys(column.name for profile in profiles for column in profile.columns))


def _feature(column: ColumnProfile) -> Feature:
    if column.type == "other":
        raise BadData(
            f"column {column.name} is of type {column.storage}, which has no statistics; have the source leave it out, or flatten it"
        )
    values = [item.value for item in column.values]
    closed = (
        column.type == "string" and column.values_complete and 0 < len(values) <= _DOMAIN_VALUES and not _all_integers(values)
    )
    return Feature(
        name=column.name,
        type=cast(FeatureType, column.type),
        presence=1.0 if column.present == column.rows else 0.0,
        domain=tuple(sorted(values)) if closed else None,
    )


def _all_integers(values: list[str]) -> bool:
    return all(value.removeprefix("-").isdecimal() for value in values)
