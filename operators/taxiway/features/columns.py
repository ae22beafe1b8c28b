"""Which columns a model uses, and as what."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from taxiway.data.engine.read_rows import LIST_OF
from taxiway.data.schema.feature import DATE_TYPES, LIST_TYPES
from taxiway.data.schema.file import Schema
from taxiway.errors import ConfigError, allowed_values
from taxiway.records import FeatureSet
from taxiway.spec.pipeline import Features

if TYPE_CHECKING:
    import pandas as pd

MAX_CATEGORIES = 255
"""A column with more frequent values is not encoded value by value."""

LIST_ADVICE = (
    "no feature; allowed: lists of texts, integers, booleans or numbers, of one type in all spans. Write it so at the source"
)
"""What to do about a column of other lists."""

_NO_LISTS = ("boolean", "date", "datetime", "integer", "number", "string")
_TYPES: Mapping[str, tuple[str, ...]] = {
    "numeric": _NO_LISTS, "categorical": _NO_LISTS, "dates": DATE_TYPES, "text": ("string",), "lists": LIST_TYPES,
}  # fmt: skip
"""The types of the columns that each kind may list."""


class FeatureColumns(NamedTuple):
    """The raw columns of a model.

    Attributes:
        numeric: Numbers.
        categorical: Categories.
        text: Free text.
        dates: Dates and times.
        lists: Lists of texts, integers, booleans or numbers.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    text: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.numeric + self.categorical + self.text + self.dates + self.lists

    @property
    def as_numbers(self) -> tuple[str, ...]:
        """Those that the model gets as numbers: numeric ones, and dates as seconds since 1970."""
        return self.numeric + self.dates

    @property
    def as_text(self) -> tuple[str, ...]:
        """Those that the model gets as text: categories, free text, and lists as JSON."""
        return self.categorical + self.text + self.lists

    @classmethod
    def of(cls, features: FeatureSet) -> "FeatureColumns":
        """The columns of a feature set."""
        return cls(*(getattr(features, kind) for kind in cls._fields))

    def with_values(self, rows: "pd.DataFrame") -> "FeatureColumns":
        """The columns that have a value in these rows."""
        return FeatureColumns(*(tuple(name for name in names if rows[name].notna().any()) for names in self))


def choose_columns(schema: Schema, features: Features, label: str) -> FeatureColumns:
    """The columns of the model by its pipeline file.

    Args:
        schema: The schema.
        features: The `features` section: listed columns keep their order, `auto` gives the order of the schema. Which of the
            categories of `auto` are free text, and which lists have usable items, is only known from the rows; see `with_free_text` and
            `without_unusable_lists`.
        label: The label, which is never a feature.

    Raises:
        ConfigError: A column is not in the schema, is of a type that cannot be used so, is listed twice, or no column is left.
    """
    known = schema.offered(label)
    automatic = {
        "numeric": schema.numeric(label),
        "categorical": schema.categorical(label),
        "text": (),
        "dates": schema.dates(label),
        "lists": schema.lists(label),
    }
    listed = {kind: names for kind in automatic if (names := getattr(features, kind)) != "auto"}
    taken = [name for names in listed.values() for name in names]
    chosen = FeatureColumns(
        **{
            kind: tuple(
                name
                for name in listed.get(kind, tuple(name for name in names if name not in taken))
                if name not in features.drop
            )
            for kind, names in automatic.items()
        }
    )
    for name in (*chosen.names, *features.drop):
        if name not in known:
            raise ConfigError(
                f'features has the column "{name}", which is not a feature column of the schema; {allowed_values(name, known)}'
            )
    if twice := sorted({name for name in chosen.names if chosen.names.count(name) > 1}):
        raise ConfigError(f'features has the column "{twice[0]}" more than once; allowed: each column once')
    for kind, types in _TYPES.items():
        for name in getattr(chosen, kind):
            feature = schema.feature(name)
            if feature is not None and feature.type not in types:
                raise ConfigError(
                    f'features.{kind} has the column "{name}" of type {feature.type}; allowed: {" or ".join(types)}'
                )
    if not chosen.names:
        raise ConfigError("features leaves no columns for the model; remove columns from features.drop")
    return chosen


def without_unusable_lists(
    columns: FeatureColumns, features: Features, types: Mapping[str, str], storage: Mapping[str, Sequence[object]]
) -> tuple[FeatureColumns, dict[str, str]]:
    """The columns without the lists whose items no transformer reads, and why each is left out.

    Args:
        columns: The columns, from `choose_columns`.
        features: The `features` section.
        types: The types of columns in the training spans, from `column_types`.
        storage: Their types in the files of these spans, from `arrow_types`.

    Raises:
        ConfigError: The section lists one of them.
    """
    left_out = {
        name: f"of type {' or '.join(map(str, storage[name])) or 'list without items'}, which is {LIST_ADVICE}"
        for name in columns.lists
        if not types.get(name, "").startswith(LIST_OF)
    }
    for name, reason in left_out.items():
        if features.lists != "auto":
            raise ConfigError(f'features.lists has the column "{name}" {reason}', key="features.lists")
    return columns._replace(lists=tuple(name for name in columns.lists if name not in left_out)), left_out


def with_free_text(columns: FeatureColumns, features: Features, rows: "pd.DataFrame") -> FeatureColumns:
    """The columns, with the free text among categories that were not listed moved to `text`.

    Args:
        columns: The columns, from `choose_columns`.
        features: The `features` section. Nothing is moved if it lists the categories or the texts.
        rows: The training rows.
    """
    from taxiway.features.transformers.text import is_free_text

    if features.categorical != "auto" or features.text != "auto":
        return columns
    found = tuple(name for name in columns.categorical if is_free_text(rows[name], MAX_CATEGORIES))
    return columns._replace(categorical=tuple(name for name in columns.categorical if name not in found), text=found)
