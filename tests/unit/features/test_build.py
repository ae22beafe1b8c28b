"""The transform that Taxiway builds, and when two of them mean the same."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from taxiway.features.build import build_transform, many_valued, same_codes
from taxiway.features.columns import FeatureColumns


def fitted(categories: str, texts: int = 1, *, accepts_missing: bool = True) -> object:
    words = [f"word{at % texts} word{at % 7} again" for at in range(90)]
    frame = pd.DataFrame({"x": np.arange(90.0), "c": list(categories) * (90 // len(categories)), "t": words})
    return build_transform(FeatureColumns(("x",), ("c",), ("t",)), accepts_missing=accepts_missing).fit(frame)


def test_transforms_mean_the_same_if_each_category_has_the_same_number() -> None:
    assert same_codes(fitted("ab"), fitted("ba"))
    assert not same_codes(fitted("ab"), fitted("bc"))
    assert same_codes(fitted("ab", accepts_missing=False), fitted("ab", accepts_missing=False))
    assert not same_codes(fitted("ab", texts=29), fitted("ab", texts=29)), "the text is decomposed"


@pytest.mark.parametrize("accepts_missing", [True, False])
def test_a_column_that_yields_no_feature_is_left_out(accepts_missing: bool) -> None:
    """Dates that are all of one day, and texts whose words are all different: linear models, too, do without."""
    frame = pd.DataFrame({"x": np.arange(40.0), "at": 1e9, "t": [f"unlike{at}" for at in range(40)]})
    columns = FeatureColumns(("x",), (), ("t",), ("at",))
    made = build_transform(columns, accepts_missing=accepts_missing).fit(frame)
    assert made.transform(frame).shape == (40, 1)
    assert [*made.get_feature_names_out()] == ["numeric__x"]


def test_a_transform_of_a_teams_own_is_never_the_same() -> None:
    frame = pd.DataFrame({"c": ["a", "b", "a"]})
    own = make_pipeline(ColumnTransformer([("categorical", OrdinalEncoder(), ["c"])])).fit(frame)
    assert not same_codes(own, own)
    assert not same_codes(ColumnTransformer([("numeric", OrdinalEncoder(), ["c"])]).fit(frame), own[0])


def test_columns_of_more_than_255_frequent_values_are_encoded_by_the_mean_label() -> None:
    frame = pd.DataFrame({"many": [f"v{at % 256}" for at in range(256 * 20)], "few": ["a", "b"] * 2560})
    assert many_valued(frame, ("many", "few"), ()) == ("many",)
    assert many_valued(frame, ("many", "few"), ("no", "yes")) == ("many",)
    assert many_valued(frame, ("many", "few"), ("a", "b", "c")) == ()
    assert many_valued(frame[:-1], ("many", "few"), ()) == ()
