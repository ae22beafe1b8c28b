"""What the profiles of the spans tell about columns: the key, what the model leaves out, closed lists of codes, drift limits."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from taxiway.cli.new.rows import is_unique
from taxiway.data.engine.columns import item_type_of
from taxiway.data.profiling.distance import (
    RESOLUTION,
    jensen_shannon,
    jensen_shannon_critical_value,
    l_infinity,
    l_infinity_critical_value,
)
from taxiway.data.profiling.merge import merge_profiles
from taxiway.data.profiling.profile import ColumnProfile, Profile
from taxiway.data.schema.constraints import Drift, Range
from taxiway.data.schema.feature import CATEGORICAL_TYPES, DATE_TYPES, LIST_TYPES, NUMERIC_TYPES, Feature
from taxiway.data.schema.model import Schema
from taxiway.data.schema.remarks import PANDAS_INDEX, is_look, is_pandas_index
from taxiway.features.columns import LIST_ADVICE
from taxiway.messages import counted
from taxiway.records import Severity, Span
from taxiway.store import Store

WINDOW = 3
MAX_CODES = 20
_MANY_VALUES = 500
_NEARLY_UNIQUE = 0.9
_EXACT = 1024
_SPLITTING = ("integer", "string", "number")


def find_key(profile: Profile, spans: tuple[Span, ...], store: Store, schema: Schema) -> tuple[str, ...]:
    """The first column, in the order of the files, that is unique for every row; empty if there is none."""
    for feature in schema.features:
        column = profile.column(feature.name)
        assert column is not None
        # `distinct` may be an estimate, so it only spares reading most columns.
        likely = feature.type in ("integer", "string") and column.present == column.rows and feature.name != schema.label
        if likely and column.distinct.value >= _NEARLY_UNIQUE * column.rows and is_unique(feature.name, spans, store):
            return (feature.name,)
    return ()


def many_valued(profile: Profile, label: str) -> list[str]:
    """Columns whose values may say which rows belong together: texts and whole numbers, and after them other numbers, by their number of values."""
    found = [c for c in profile.columns if c.type in _SPLITTING and c.name != label and c.distinct.value > 2 * MAX_CODES]
    found.sort(key=lambda column: (column.type == "number", -column.distinct.value))
    return [f"{c.name} ({'' if c.distinct.value <= _EXACT else 'about '}{c.distinct.value:,.0f} values)" for c in found[:5]]


def time_column(profile: Profile) -> str | None:
    """The only column of dates or times, if every row has one and there are many; else None."""
    found = [column for column in profile.columns if column.type in DATE_TYPES]
    if len(found) != 1 or found[0].present < found[0].rows or found[0].distinct.value <= MAX_CODES:
        return None
    return found[0].name


def why_unread(column: ColumnProfile) -> str:
    """Why a column is not in the schema."""
    types = column.storage.split(" or ")
    if len(types) > 1:
        return f"the spans have different types of it: {', '.join(types)}; write it with one type at the source"
    return f"type {column.storage}, for which there are no statistics"


def left_out(
    profile: Profile, roles: set[str], schema: Schema, remarks: Mapping[str, str], texts: Collection[str]
) -> dict[str, str]:
    """Columns of the types that models take, which the draft leaves out of the model, and why; free text, `texts`, stays."""
    found = {}
    usable = {f.name for f in schema.features if f.type in (*NUMERIC_TYPES, *CATEGORICAL_TYPES)} - roles
    for column in profile.columns:
        if column.name not in usable:
            continue
        if is_pandas_index(column.name):
            found[column.name] = PANDAS_INDEX
        elif column.type == "string" and column.distinct.value > _MANY_VALUES and column.name not in texts:
            many = f"about {column.distinct.value:,.0f} distinct values; the model might memorize them"
            remark = remarks.get(column.name, "")
            found[column.name] = remark if is_look(remark) else many
        elif column.above or column.below:
            found[column.name] = (
                f"infinite in {counted(column.above + column.below, 'row')}; fix the source, then set its severity to error"
            )
        elif _is_constant(column):
            found[column.name] = "the same value in all rows"
    return found


def no_features(profile: Profile, roles: set[str]) -> dict[str, str]:
    """Columns of lists that no model takes, and what to do about each."""
    return {
        column.name: f"of type {column.storage}, which is {LIST_ADVICE}"
        for column in profile.columns
        if column.type == "list" and column.name not in roles and not _has_usable_items(column)
    }


def _has_usable_items(column: ColumnProfile) -> bool:
    kinds = {item_type_of(storage) for storage in column.storage.split(" or ")}
    return kinds <= {"integer", "number"} or (len(kinds) == 1 and kinds <= {*CATEGORICAL_TYPES})


def changes_of_columns(spans: Sequence[Span], profiles: Sequence[Profile]) -> dict[str, str]:
    """The columns that only some spans have, and those whose type differs between spans."""
    found = {}
    for name in dict.fromkeys(column.name for profile in profiles for column in profile.columns):
        having = {span.name: column.type for span, p in zip(spans, profiles, strict=True) if (column := p.column(name))}
        types = {type_: [span for span, its in having.items() if its == type_] for type_ in dict.fromkeys(having.values())}
        if len(having) < len(spans):
            found[name] = f"only in {len(having)} of {len(spans)} spans: {_first_and_last(list(having))}"
        elif len(types) > 1:
            found[name] = ", ".join(f"{type_} in {_first_and_last(which)}" for type_, which in types.items())
    return found


def _first_and_last(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def with_codes(feature: Feature, profiles: Sequence[Profile]) -> Feature:
    """Close the list of values of whole numbers, or of texts of digits, that look like codes.

    A value that only one span has (or, if there is one span, one row) is a sign that others are still to come, as with the number of
    a month: the estimate of unseen values by those seen once (Good, Biometrika 40, 1953).
    """
    if feature.type not in ("integer", "string") or feature.domain is not None:
        return feature
    columns = [column for profile in profiles if (column := profile.column(feature.name)) is not None and column.present]
    if feature.type == "integer" and any(column.type == "number" for column in columns):
        return _with_range_of_codes(feature, columns)
    values = {item.value for column in columns for item in column.values}
    complete = all(column.values_complete for column in columns)
    if not complete or not 2 <= len(values) <= MAX_CODES or not all(_is_whole(value) for value in values):
        return feature
    seen = [sum(any(item.value == value for item in column.values) for column in columns) for value in values]
    rows = [item.rows for item in columns[0].values]
    if min(seen if len(columns) > 1 else rows) < 2:
        return feature
    domain = sorted(values, key=int)
    return feature.model_copy(update={"domain": tuple(map(int, domain)) if feature.type == "integer" else tuple(domain)})


def _with_range_of_codes(feature: Feature, columns: Sequence[ColumnProfile]) -> Feature:
    """A range for few integers of which some are floats in the data, so that their values were not counted."""
    low = min(column.minimum for column in columns if column.minimum is not None)
    high = max(column.maximum for column in columns if column.maximum is not None)
    return feature.model_copy(update={"range": Range(min=low, max=high)}) if high - low < MAX_CODES else feature


def with_drift(schema: Schema, profiles: Sequence[Profile], roles: set[str]) -> Schema:
    """Set drift limits to twice the largest distance between a span and those before it, as warnings; none if it is not in 0 to 1."""
    before = [merge_profiles(profiles[max(0, at - WINDOW) : at]) for at in range(1, len(profiles))]
    pairs = list(zip(before, profiles[1:], strict=True))
    features = tuple(feature if feature.name in roles else _with_drift(feature, pairs) for feature in schema.features)
    return schema.model_copy(update={"features": features})


def not_blocking(schema: Schema, names: Iterable[str]) -> Schema:
    """The schema in which anomalies of some columns only warn."""
    features = tuple(f.model_copy(update={"severity": Severity.WARNING}) if f.name in names else f for f in schema.features)
    return schema.model_copy(update={"features": features})


def _with_drift(feature: Feature, pairs: Sequence[tuple[Profile, Profile]]) -> Feature:
    if feature.type not in (*NUMERIC_TYPES, *CATEGORICAL_TYPES):
        return feature
    distances = []
    for earlier, newer in pairs:
        before, now = earlier.column(feature.name), newer.column(feature.name)
        if before is None or now is None or not (before.present and now.present):
            return feature
        if feature.type in NUMERIC_TYPES:
            distances.append(max(jensen_shannon(before, now), jensen_shannon_critical_value(before, now), RESOLUTION))
        elif before.values_complete and now.values_complete:
            distances.append(max(l_infinity(before, now).distance, l_infinity_critical_value(before, now)))
        else:
            return feature
    limit = float(f"{2 * max(distances):.2g}") if distances else 0.0
    return feature.model_copy(update={"drift": Drift(limit=limit, severity=Severity.WARNING)}) if 0 < limit < 1 else feature


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()


def _is_constant(column: ColumnProfile) -> bool:
    if column.type in CATEGORICAL_TYPES:
        return column.values_complete and len(column.values) <= 1
    return column.minimum == column.maximum


def typical_values(
    profile: Profile, schema: Schema, lists: Mapping[str, list[Any] | None], without: set[str]
) -> dict[str, str | float | bool | list[Any] | None]:
    """For each column of the model, its most frequent value, its median, or of `lists` one of them."""
    found: dict[str, str | float | bool | list[Any] | None] = {}
    for feature in schema.features:
        column = profile.column(feature.name)
        if feature.name in without:
            continue
        if feature.type in LIST_TYPES:
            found[feature.name] = lists.get(feature.name)
            continue
        if column is None or not column.present:
            found[feature.name] = None
        elif feature.type in NUMERIC_TYPES:
            middle = column.quantiles[len(column.quantiles) // 2]
            found[feature.name] = int(middle) if feature.type == "integer" else middle
        elif feature.type in DATE_TYPES:
            found[feature.name] = _date_text(column.quantiles[len(column.quantiles) // 2], feature.type)
        elif feature.type == "boolean":
            found[feature.name] = column.values[0].value == "true"
        else:
            found[feature.name] = column.values[0].value if column.values else None
    return found


def _date_text(seconds: float, kind: str) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
    return moment.date().isoformat() if kind == "date" else moment.replace(tzinfo=None).isoformat()
