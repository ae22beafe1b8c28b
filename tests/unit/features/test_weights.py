"""Weights that a function of a team returns: those of a column, and what a function does wrong is a sentence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from taxiway.data.schema.model import Schema
from taxiway.errors import ConfigError
from taxiway.features.transform import TransformSpec, transform
from taxiway.features.weights import weights_of
from taxiway.records import FeatureSet, Snapshot, Span
from taxiway.records.recorder import InMemoryRecorder
from taxiway.spec.model.section import Model
from taxiway.spec.pipeline import Features
from taxiway.spec.python_refs import names_function, short_name
from taxiway.store import Store

ROWS = 40


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(str(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def span(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Span:
    file = tmp_path_factory.mktemp("rows") / "1.parquet"
    rows = pd.DataFrame({"x": np.arange(ROWS) / 7, "y": [True, False] * (ROWS // 2), "w": np.arange(ROWS, 0, -1.0)})
    rows.to_parquet(file)
    return Span(source="s", name="1", rows=ROWS, content=store.put_file(file))


def write(folder: Path, body: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(f"import os\n\nimport numpy as np\n\n\ndef weights(rows):\n    {body}\n")
    return f"{folder / 'own.py'}:weights"


@pytest.mark.parametrize(
    "body",
    [
        "return rows['w']",
        "return rows['w'].to_numpy()",
        "return list(rows['w'])",
        "return rows['w'].astype('Float64')",
        "return rows['w'].astype(object)",
        "rows['age'] = rows['w'] / 2; return rows['age'] * 2",  # a column of its own
        "rows = rows.copy(); rows['w'] *= 2; return rows['w'] / 2",
        "return rows.sort_values('w')['w'].reindex(rows.index)",
        "return rows.set_index('x')['w'].to_numpy()",
    ],
)
def test_what_a_function_returns_are_the_weights_of_the_rows(tmp_path: Path, store: Store, span: Span, body: str) -> None:
    assert weights_of(write(tmp_path, body), (span,), store).tolist() == weights_of("w", (span,), store).tolist()


ALLOWED = "allowed: for each row one number from 0, with a sum from 1e-100 to 1e100"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return None", f"own.py:weights returned None for 40 training rows; {ALLOWED}"),
        ("return 1.0", "own.py:weights returned an array of the shape () for 40 training rows"),
        ("return rows['w'][1:]", "own.py:weights returned an array of the shape (39,) for 40 training rows"),
        ("return rows[['w']]", "own.py:weights returned an array of the shape (40, 1) for 40 training rows"),
        ("return [[1], [2, 3]]", "own.py:weights returned a list that holds no numbers"),
        ("return {'w': 1}", "own.py:weights returned a dict that holds no numbers"),
        ("return ['high'] * 40", "own.py:weights returned a list that holds no numbers"),
        ("return np.array(['2013'] * 40, dtype=object)", "own.py:weights returned a ndarray that holds no numbers"),
        ("return rows['w'].astype(str)", "own.py:weights returned a Series that holds no numbers"),
        ("return [10 ** 400] * 40", "own.py:weights returned a list that holds no numbers"),
        ("return np.arange(40).astype('datetime64[D]')", "own.py:weights returned a ndarray that holds no numbers"),
        ("return rows['w'] - 39", "weights that are missing, negative or no finite number in 38 of 40 training rows"),
        (
            "return rows['w'].where(rows['w'] > 3)",
            "weights that are missing, negative or no finite number in 3 of 40 training rows",
        ),
        ("return 1 / (rows['w'] - 1)", "weights that are missing, negative or no finite number in 1 of 40 training rows"),
        ("return np.zeros(40)", "own.py:weights returned weights that are at most 0; allowed"),
        ("return np.full(40, 5e-324)", "weights that are at most 4.94e-324"),
        ("return np.full(40, 1e308)", "weights that are at most 1e+308"),
        ("return rows.sort_values('w')['w']", "returned a Series whose index is not that of the rows"),
        ("rows.index = rows.index[::-1]; return rows['w']", "changed the order or the number of the rows that it got"),
        ("rows['w'] = 1.0; return rows['w']", "own.py:weights changed the column w of the rows that it got"),
        ("rows['x'] = list(rows['x'][::-1]); return rows['w']", "changed the column x of the rows"),
        ("del rows['y']; return rows['w']", "changed the column y of the rows"),
        ("return rows['nothing']", "own.py:weights raised KeyError"),
        (
            "class Odd(Exception):\n        def __str__(self): raise ValueError\n    raise Odd()",
            "own.py:weights raised Odd: its message raises an error itself",
        ),
        ("raise SystemExit(0)", "own.py:weights raised SystemExit: 0"),
        ("raise ValueError('no such thing')", "own.py:weights raised ValueError: no such thing"),
    ],
)
def test_what_a_function_does_wrong_is_a_sentence_that_names_it(
    tmp_path: Path, store: Store, span: Span, body: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        weights_of(write(tmp_path, body), (span,), store)
    assert str(caught.value).startswith("model.weight: own.py:weights ")
    assert words in str(caught.value)


def test_a_process_that_a_function_forks_does_not_go_on(tmp_path: Path, store: Store, span: Span) -> None:
    mark = tmp_path / "returned"
    weights_of(write(tmp_path, "import os; os.fork(); return rows['w']"), (span,), store)
    with mark.open("a") as file:
        file.write("x")
    assert mark.read_text() == "x"


def fitted(store: Store, span: Span, weight: str | None, drop: tuple[str, ...] = ("w",)) -> FeatureSet:
    schema = Schema.model_validate({"label": "y", "features": [{"name": n, "type": t} for n, t in COLUMNS]})
    return transform(
        Snapshot(pipeline="a.b", training=(span,), evaluation=(span,)),
        schema,
        TransformSpec(Features(drop=drop), label="y", problem="classification", accepts_missing=True, weight=weight),
        store=store,
        recorder=InMemoryRecorder(),
    )


COLUMNS = (("x", "number"), ("y", "boolean"), ("w", "number"))


def test_a_function_is_a_part_of_the_feature_set_by_its_content(tmp_path: Path, store: Store, span: Span) -> None:
    """The same file in another folder gives the same set; a changed one other weights; a column's are stored alike."""
    first = fitted(store, span, write(tmp_path / "a", "return rows['w']"))
    assert first.weight == "own.py:weights"
    assert fitted(store, span, write(tmp_path / "b", "return rows['w']")) == first
    assert fitted(store, span, "w").rows == first.rows
    assert fitted(store, span, write(tmp_path / "a", "return rows['w'] * 2")).rows != first.rows
    assert fitted(store, span, write(tmp_path / "a", "return rows['w']"), drop=()).numeric == ("x", "w")


@pytest.mark.parametrize(
    ("text", "function", "short"),
    [
        ("own.py:recent", True, "own.py:recent"),
        ("/teams/own/own file.py:recent", True, "own file.py:recent"),
        ("package.module:recent", True, "package.module:recent"),
        ("w", False, "w"),
        ("price/unit", False, "price/unit"),
        ("ns:weight", False, "ns:weight"),
        ("a.b", False, "a.b"),
        ("kg:", False, "kg:"),
        ("per.day: sum", False, "per.day: sum"),
    ],
)
def test_a_weight_is_a_function_only_if_it_reads_like_one(text: str, function: bool, short: str) -> None:
    model = Model(estimator="a.B", weight=text)
    assert (names_function(text), short_name(text)) == (function, short)
    assert (model.weight_function, model.weight_column) == ((text, None) if function else (None, text))
