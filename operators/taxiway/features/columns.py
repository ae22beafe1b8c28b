"""Which columns a model uses, and as what."""

from typing import TYPE_CHECKING, NamedTuple

from taxiway.data.schema.file import Schema
from taxiway.data.schema.model import SERVING
from taxiway.errors import ConfigError, allowed_values
from taxiway.spec.pipeline import Features

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 255
"""A column with more frequent values is not encoded value by value."""

LIST_ADVICE = 'no feature; write it at the source as one text, such as "a;b", whose entries features.build can count, or write its numbers as columns'
"""What to do about a column of lists."""


class FeatureColumns(NamedTuple):
    """The raw columns of a model.

    Attributes:
        numeric: Numbers.
        categorical: Categories.
        text: Free text.
        dates: Dates and times.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    text: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.numeric + self.categorical + self.text + self.dates

    def with_values(self, rows: "pd.DataFrame") -> "FeatureColumns":
        """The columns that have a value in these rows."""
        return FeatureColumns(*(tuple(name for name in names if rows[name].notna().any()) for names in self))


def choose_columns(schema: Schema, features: Features, label: str) -> FeatureColumns:
    """The columns of the model by its pipeline file.

    Args:
        schema: The schema.
        features: The `features` section: listed columns keep their order, `auto` gives the order of the schema. Which of the
            categories of `auto` are free text is only known from the rows; see `with_free_text`.
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
    lists = {feature.name for feature in schema.features if feature.type == "list"}
    for name in (*chosen.names, *features.drop):
        if name in lists and name not in features.drop:
            raise ConfigError(f'features has the column "{name}" of type list, which is {LIST_ADVICE}')
        if name not in known and name not in lists:
            raise ConfigError(
                f'features has the column "{name}", which is not a feature column of the schema; {allowed_values(name, known)}'
            )
    if twice := sorted({name for name in chosen.names if chosen.names.count(name) > 1}):
        raise ConfigError(f'features has the column "{twice[0]}" more than once; allowed: each column once')
    for kind, names, types in (("dates", chosen.dates, ("date", "datetime")), ("text", chosen.text, ("string",))):
        for name in names:
            feature = schema.feature(name)
            if feature is not None and feature.type not in types:
                raise ConfigError(
                    f'features.{kind} has the column "{name}" of type {feature.type}; allowed: {" or ".join(types)}'
                )
    if not chosen.names:
        raise ConfigError("features leaves no columns for the model; remove columns from features.drop")
    return chosen


def unused_lists(schema: Schema, features: Features, label: str) -> tuple[str, ...]:
    """The columns of lists that the model could have if lists were features, and that are not dropped."""
    kept = (f.name for f in schema.features if f.type == "list" and f.expected_in(SERVING) and f.stage.usable)
    return tuple(name for name in kept if name not in (label, *schema.key, *features.drop))


def with_free_text(columns: FeatureColumns, features: Features, rows: "pd.DataFrame") -> FeatureColumns:
    """The columns, with the free text among categories that were not listed moved to `text`.

    Args:
        columns: The columns, from `choose_columns`.
        features: The `features` section. Nothing is moved if it lists the categories or the texts.
        rows: The training rows.
    """
    from taxiway.features.text import is_free_text

    if features.categorical != "auto" or features.text != "auto":
        return columns
    found = tuple(name for name in columns.categorical if is_free_text(rows[name], MOST_CATEGORIES))
    return columns._replace(categorical=tuple(name for name in columns.categorical if name not in found), text=found)
