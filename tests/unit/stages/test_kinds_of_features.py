"""Dates, free text and columns of very many values are learned and answered, and so are transforms of a team's own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from taxiway.data.engine.read_rows import read_rows
from taxiway.data.ingest.ingest import ingest
from taxiway.data.schema.file import load_schema
from taxiway.data.sources.files import find_spans
from taxiway.errors import ConfigError, DataError, TaxiwayError, UntrustedModelError
from taxiway.evaluation.baselines.fit import fit_baselines
from taxiway.features import raw_frame
from taxiway.features.columns import FeatureColumns
from taxiway.features.encoding import frame_of
from taxiway.features.own_transform import OwnTransform
from taxiway.features.transform import TransformSpec, transform
from taxiway.models.background import BACKGROUND_ROWS, background_frame, background_of
from taxiway.records import FeatureSet, Snapshot
from taxiway.records.recorder import InMemoryRecorder
from taxiway.registry.register import check_savable
from taxiway.spec.model.section import Model
from taxiway.spec.pipeline import Features
from taxiway.store import Store
from taxiway.training.train import row_model, train

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "models" / "own_features.py"
ROWS, CITIES = 16_000, 300
SCHEMA = """label: y
features:
  x: {type: number}
  city: {type: string}
  title: {type: string, presence: {min_fraction: 0.9}}
  tags: {type: string, presence: {min_fraction: 0.9}}
  ordered_at: {type: datetime, presence: {min_fraction: 0.9}}
  y: {type: boolean}
"""
TREES, LINEAR = "sklearn.ensemble.HistGradientBoostingClassifier", "sklearn.linear_model.LogisticRegression"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Orders whose label depends on the city, on words of the title, and on the hour; `x` and `tags` say nothing."""
    rng = np.random.default_rng(3)
    city, hour = rng.integers(0, CITIES, ROWS), rng.integers(0, 24, ROWS)
    words = [f"word{at}" for at in range(40)]
    bad = rng.random(ROWS) < 0.5
    titles = [" ".join([*rng.choice(words, 4), "broken" if broken else "new"]) for broken in bad]
    score = rng.normal(size=CITIES)[city] * 2 + 2 * bad + 2 * (hour < 6) + rng.normal(size=ROWS) - 1.5
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=ROWS),
            "city": [f"c{at}" for at in city],
            "title": titles,
            "tags": [";".join(rng.choice(["vegan", "quick", "mild"], 2)) for _ in range(ROWS)],
            "ordered_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 20, ROWS) * 24 + hour, unit="h"),
            "y": score > 0,
        }
    )
    frame.loc[rng.random(ROWS) < 0.02, ["title", "tags", "ordered_at"]] = None
    folder = tmp_path_factory.mktemp("orders")
    frame[:12_000].to_parquet(folder / "span_1.parquet")
    frame[12_000:].to_parquet(folder / "span_2.parquet")
    (folder / "orders.schema.yaml").write_text(SCHEMA)
    return folder


@dataclass(frozen=True)
class Orders:
    """Ingested orders."""

    snapshot: Snapshot
    store: Store
    folder: Path

    def features(self, features: Features, *, accepts_missing: bool = True) -> FeatureSet:
        return transform(
            self.snapshot,
            load_schema(self.folder / "orders.schema.yaml"),
            TransformSpec(features, label="y", problem="classification", accepts_missing=accepts_missing, check=check_savable),
            store=self.store,
            recorder=InMemoryRecorder(),
        )


@pytest.fixture(scope="module")
def orders(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Orders:
    store = Store(str(tmp_path_factory.mktemp("store")))
    plan = find_spans(f"{data}/span_{{SPAN}}.parquet")
    return Orders(ingest(plan, pipeline="shop.orders", source="orders", store=store), store, data)


@pytest.mark.parametrize("estimator", [TREES, LINEAR], ids=["trees", "linear"])
def test_text_dates_and_many_values_are_learned(orders: Orders, estimator: str) -> None:
    made = orders.features(Features(), accepts_missing=estimator == TREES)
    assert made.describe() == "1 numeric, 2 categorical, 1 text and 1 date columns"
    model = row_model(train(made, Model(estimator=estimator), {}, store=orders.store, recorder=InMemoryRecorder()), made)
    rows = pd.read_parquet(orders.folder / "span_2.parquet")
    full = roc_auc_score(rows["y"], model.predict_proba(rows)[:, 1])
    assert full > 0.9
    for useful in ("city", "title", "ordered_at"):
        without = model.predict_proba(rows.assign(**{useful: None}))[:, 1]
        assert roc_auc_score(rows["y"], without) < full - 0.02, useful


def test_a_model_that_is_explained_by_sampling_keeps_rows_of_its_training_data(orders: Orders) -> None:
    made, spans = orders.features(Features(), accepts_missing=False), orders.snapshot.training
    linear, bayes = (
        train(made, Model(estimator=estimator), {}, store=orders.store, recorder=InMemoryRecorder())
        for estimator in (LINEAR, "sklearn.naive_bayes.GaussianNB")
    )
    assert background_of(linear, made, spans, orders.store) is None
    kept = background_of(bayes, made, spans, orders.store)
    assert kept is not None
    assert background_of(bayes, made, spans, orders.store) == kept, "a retry saves the same model"
    model = row_model(bayes, made, background=kept)
    check_savable(model)
    frame, rows = background_frame(kept, model.columns), frame_of(made, read_rows(spans, orders.store))
    assert (len(frame), list(frame)) == (BACKGROUND_ROWS, list(rows))
    assert len(frame.merge(rows.drop_duplicates())) == BACKGROUND_ROWS, "each is a row of the training data"


def test_the_linear_baseline_gets_the_same_columns(orders: Orders) -> None:
    (linear, _) = fit_baselines(orders.features(Features()), orders.snapshot, orders.store)
    rows = pd.read_parquet(orders.folder / "span_2.parquet")
    frame = raw_frame(rows, ("x", "ordered_at"), ("city", "tags", "title"))
    assert roc_auc_score(rows["y"], linear.predict(frame)[:, 1]) > 0.85


def test_the_example_of_the_guide_is_learned_saved_and_answered(orders: Orders) -> None:
    made = orders.features(Features(build=f"{EXAMPLE}:build_features", text=("title",)))
    fitted = train(made, Model(estimator=TREES), {}, store=orders.store, recorder=InMemoryRecorder())
    model = row_model(fitted, made)
    assert {"taxiway.features.transformers.dates.DateParts", "taxiway.features.transformers.text.TextVectors"} < {
        *check_savable(model)
    }
    rows = pd.read_parquet(orders.folder / "span_2.parquet").head(50)
    together = model.predict_proba(rows)
    records = [{**record, "ordered_at": str(record["ordered_at"])} for record in rows.dropna().to_dict("records")]
    alone = [model.predict_proba([record])[0] for record in records]
    assert np.array_equal(together[rows.notna().all(axis=1).to_numpy()], alone)


def test_another_version_of_the_function_is_another_feature_set(orders: Orders, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(IMPUTED)
    first = orders.features(only_x(file))
    assert orders.features(only_x(file)) == first
    file.write_text(file.read_text() + "\n\ndef scaled(columns):\n    return Scaler()\n")
    changed = orders.features(only_x(file))
    assert changed.transform != first.transform
    assert orders.features(only_x(file).model_copy(update={"build": f"{file}:scaled"})).rows != changed.rows


def only_x(file: Path) -> Features:
    return Features(build=f"{file}:build", categorical=(), text=(), dates=())


IMPUTED = """from sklearn.impute import SimpleImputer as Imputer
from sklearn.preprocessing import StandardScaler as Scaler


def build(columns):
    return Imputer()
"""
START = """from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import FunctionTransformer, StandardScaler
import numpy as np


class Mine(TransformerMixin, BaseEstimator):
    def fit(self, rows, y=None):
        return self

    def transform(self, rows):
        return AFTER


def build(columns):
    RETURN
"""


@pytest.mark.parametrize(
    ("returned", "after", "kind", "words"),
    [
        ("raise KeyError('x')", "rows", ConfigError, "features.build: mine.py:build raised KeyError: 'x'"),
        ("return exit(3)", "rows", ConfigError, "features.build: mine.py:build raised SystemExit: 3"),
        ("return None", "rows", ConfigError, "returned a NoneType; allowed: a transformer of scikit-learn"),
        ("return StandardScaler", "rows", ConfigError, "returned a type; allowed: a transformer of scikit-learn"),
        ("return Mine()", "rows.to_numpy()", UntrustedModelError, r"types that Taxiway does not trust: mine_\w+.Mine"),
        ("return CountVectorizer(input='filename')", "", UntrustedModelError, 'input is "filename"; allowed: "content"'),
        ("return FunctionTransformer(np.sort)", "", UntrustedModelError, "FunctionTransformer.func is"),
        ("return FunctionTransformer(np.log)", "", DataError, "makes infinity|makes NaN or infinity"),
        ("return ColumnTransformer([('t', 'drop', ['x'])])", "", ConfigError, "makes no features"),
        (
            "return ColumnTransformer([('t', 'passthrough', ['city'])])",
            "",
            DataError,
            "are not columns of the dataframe: {'city'}",
        ),
    ],
)
def test_a_transform_that_cannot_be_used_is_a_sentence(
    orders: Orders, tmp_path: Path, returned: str, after: str, kind: type[TaxiwayError], words: str
) -> None:
    (tmp_path / "mine.py").write_text(START.replace("RETURN", returned).replace("AFTER", after or "rows"))
    with pytest.raises(kind, match=words):
        orders.features(only_x(tmp_path / "mine.py"), accepts_missing=False)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ("rows.to_numpy() - rows.to_numpy().mean()", "makes other features of a row if other rows are in the same call"),
        ("rows.to_numpy()[:1]", r"an array of the shape \(1, 1\) of 12,000 rows"),
        ("rows['x'].astype(str).to_numpy().reshape(-1, 1) + 'a'", "makes values that are not numbers"),
        ("rows / 0", "makes NaN or infinity, which the estimator does not accept, in 12,000 of 12,000 training rows"),
        ("undefined", "made a transformer that raised NameError"),
    ],
)
def test_what_a_transform_makes_of_rows_is_checked(orders: Orders, tmp_path: Path, after: str, words: str) -> None:
    """By a transformer that is not checked for what it consists of, which would refuse each of these."""
    (tmp_path / "mine.py").write_text(START.replace("RETURN", "return Mine()").replace("AFTER", after))
    frame = pd.read_parquet(orders.folder / "span_1.parquet")
    own = OwnTransform(f"{tmp_path / 'mine.py'}:build", FeatureColumns(("x",), ()), None)
    with pytest.raises((ConfigError, DataError), match=words):
        own.fit(frame[["x"]], frame["y"], accepts_missing=False)


def test_ordinary_transforms_can_be_used_and_features_may_be_called_label(orders: Orders, tmp_path: Path) -> None:
    """A decomposition adds up products, whose last bits depend on how many rows are in a call."""
    (tmp_path / "mine.py").write_text(
        "from sklearn.compose import ColumnTransformer\nfrom sklearn.decomposition import PCA\n"
        "from sklearn.impute import SimpleImputer\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler\n\n\n"
        "def build(columns):\n"
        "    parts = make_pipeline(PolynomialFeatures(9), StandardScaler(), PCA(5))\n"
        "    parts.set_output(transform='default')\n"
        "    return ColumnTransformer([('label', parts, ['x'])], verbose_feature_names_out=False)\n"
    )
    made = orders.features(only_x(tmp_path / "mine.py"), accepts_missing=False)
    fitted = train(made, Model(estimator=LINEAR), {}, store=orders.store, recorder=InMemoryRecorder())
    assert fitted[-1].n_features_in_ == 5
