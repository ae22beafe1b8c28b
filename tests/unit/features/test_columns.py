"""Which columns a model uses, and as what."""

from pathlib import Path

import pandas as pd
import pytest

from taxiway.data.schema.file import load_schema
from taxiway.data.schema.model import Schema
from taxiway.errors import ConfigError
from taxiway.features.columns import FeatureColumns, choose_columns, with_free_text, without_unusable_lists
from taxiway.spec.pipeline import Features

SCHEMA = """label: y
key: id
features:
  id: {type: integer}
  y: {type: boolean}
  price: {type: number}
  city: {type: string}
  review: {type: string}
  ordered_at: {type: datetime}
  born: {type: date}
  planned_at: {type: date, stage: planned}
  tags: {type: list}
  drawn: {type: list, stage: planned}
"""


@pytest.fixture
def schema(tmp_path: Path) -> Schema:
    (tmp_path / "s.schema.yaml").write_text(SCHEMA)
    return load_schema(tmp_path / "s.schema.yaml")


def test_dates_are_used_by_default(schema: Schema) -> None:
    chosen = choose_columns(schema, Features(drop=("born",)), "y")
    assert chosen == FeatureColumns(("price",), ("city", "review"), (), ("ordered_at",), ("tags",))


def test_a_listed_column_is_used_as_that_alone(schema: Schema) -> None:
    chosen = choose_columns(schema, Features(text=("review",), categorical="auto", dates=()), "y")
    assert chosen == FeatureColumns(("price",), ("city",), ("review",), (), ("tags",))


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (Features(dates=("price",)), r'features.dates has the column "price" of type number; allowed: date or datetime'),
        (Features(text=("price",)), r'features.text has the column "price" of type number; allowed: string'),
        (Features(text=("city",), categorical=("city",)), 'features has the column "city" more than once'),
        (Features(dates=("y",)), 'features has the column "y", which is not a feature column of the schema'),
        (Features(dates=("orderd_at",)), "ordered_at"),
        (
            Features(categorical=("city", "tags")),
            'features.categorical has the column "tags" of type list; allowed: boolean or date or datetime or integer or number or string',
        ),
        (Features(lists=("city",)), 'features.lists has the column "city" of type string; allowed: list'),
    ],
)
def test_columns_that_cannot_be_used_so_are_named(schema: Schema, features: Features, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        choose_columns(schema, features, "y")


def test_lists_are_used_by_name_and_dropped_by_name(schema: Schema) -> None:
    assert choose_columns(schema, Features(), "y").lists == ("tags",)
    assert choose_columns(schema, Features(drop=("tags",)), "y").lists == ()
    assert choose_columns(schema, Features(lists=()), "y").lists == ()
    assert choose_columns(schema, Features(lists=("drawn",)), "y").lists == ("drawn",)


def test_lists_whose_items_nothing_reads_are_left_out_with_the_reason(schema: Schema) -> None:
    chosen = choose_columns(schema, Features(), "y")
    assert without_unusable_lists(chosen, Features(), {"tags": "list of string"}, {"tags": ("list<element: string>",)}) == (
        chosen,
        {},
    )
    left, why = without_unusable_lists(
        chosen, Features(), {}, {"tags": ("list<element: date32[day]>", "list<element: string>")}
    )
    assert left == chosen._replace(lists=())
    assert why["tags"].startswith(
        "of type list<element: date32[day]> or list<element: string>, which is no feature; allowed: lists of texts"
    )
    assert without_unusable_lists(chosen, Features(), {}, {"tags": ()})[1]["tags"].startswith("of type list without items")
    with pytest.raises(
        ConfigError, match=r'features.lists has the column "tags" of type list<element: date32\[day\]>, which is no feature'
    ):
        without_unusable_lists(chosen, Features(lists=("tags",)), {}, {"tags": ("list<element: date32[day]>",)})


def test_free_text_is_found_among_the_columns_that_nobody_listed(schema: Schema) -> None:
    rows = pd.DataFrame(
        {"city": [f"c{at}" for at in range(300)], "review": [f"it was number {at} of them" for at in range(300)]}
    )
    chosen = FeatureColumns(("price",), ("city", "review"))
    assert with_free_text(chosen, Features(), rows) == FeatureColumns(("price",), ("city",), ("review",))
    assert with_free_text(chosen, Features(categorical=("city", "review")), rows) == chosen
    assert with_free_text(chosen, Features(text=()), rows) == chosen
