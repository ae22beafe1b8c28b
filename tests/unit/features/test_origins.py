"""The raw column of each feature, whatever the names of columns, categories and terms are."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from taxiway.features.build import build_transform
from taxiway.features.columns import FeatureColumns
from taxiway.features.encoding import raw_frame
from taxiway.features.origins import origins

TYPES = {"day": "date", "tags": "list of string", "sizes": "list of number"}
COLUMNS = FeatureColumns(("a", "a_b"), ("c", "c_x"), ("note",), ("day",), ("tags", "sizes"))


def rows(count: int = 400) -> pd.DataFrame:
    chance = np.random.default_rng(1)
    words = [f"word{n} other{n % 7} more" for n in chance.integers(0, 60, count)]
    days = pd.Timestamp("2013-01-01") + pd.to_timedelta(chance.integers(0, 400, count), "D")
    return pd.DataFrame(
        {
            "a": chance.normal(size=count),
            "a_b": chance.normal(size=count),
            "c": chance.choice(["x", "x_y", "<0>"], count),
            "c_x": chance.choice(["y", "z"], count),
            "note": words,
            "day": days.strftime("%Y-%m-%d"),
            "tags": [list(chance.choice(["t", "u"], 2)) for _ in range(count)],
            "sizes": [chance.normal(size=2).tolist() for _ in range(count)],
        }
    )


@pytest.mark.parametrize("accepts_missing", [True, False])
def test_each_feature_is_of_the_column_whose_change_changes_it(accepts_missing: bool) -> None:
    frame = raw_frame(rows(), COLUMNS.as_numbers, COLUMNS.as_text, TYPES)
    transform = build_transform(COLUMNS, accepts_missing=accepts_missing, types=TYPES).fit(frame, np.arange(len(frame)) % 2)
    found = origins(transform)
    before = np.asarray(transform.transform(frame))
    assert found is not None
    assert len(found) == before.shape[1]
    assert set(found) == set(COLUMNS.names)
    for name in COLUMNS.names:
        other = frame.copy()
        other[name] = other[name].to_numpy()[::-1]
        changed = np.flatnonzero((np.asarray(transform.transform(other)) != before).any(axis=0))
        assert {found[at] for at in changed} == {name}


def test_a_feature_of_several_columns_has_no_origin() -> None:
    frame = rows()[["a", "a_b"]]
    for part in (PCA(1), PolynomialFeatures(2), make_pipeline(StandardScaler(), PCA(2))):
        assert origins(ColumnTransformer([("part", part, ["a", "a_b"])]).fit(frame)) is None
    assert origins(StandardScaler().fit(frame)) is None
