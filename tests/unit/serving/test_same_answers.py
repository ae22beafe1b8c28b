"""A row is answered as the evaluation scored it, whoever shares its request, its batch and its predict call."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from helping import examples, rounds
from taxiway.data.engine.read_rows import read_rows
from taxiway.evaluation.scoring import LoadedModel, score
from taxiway.features import raw_frame
from taxiway.features.build import build_transform
from taxiway.features.columns import FeatureColumns
from taxiway.features.signature import ModelColumns, predict_function
from taxiway.models.predictor import Predictor, compiled_predictor, predictor_of
from taxiway.models.row_model import RowModel
from taxiway.records import Span
from taxiway.registry.signature import signature_of
from taxiway.registry.trust import TRUSTED_TYPES
from taxiway.serving.protocol import Rows
from taxiway.serving.protocol import read_rows as rows_of_body
from taxiway.serving.workers import process as worker

# 2 ** 53 + 1 has no float of its own: where pandas makes floats of a column with gaps, it would be another customer.
LARGE = 2**53 + 1
WORDS = [f"{first}{last}" for first in ("late", "left", "at", "on") for last in ("", "ly", "ness", "ing")]
# What a file holds of each column.
COLUMNS = {
    "distance": pa.float64(),
    "seats": pa.int64(),
    "rain": pa.bool_(),
    "carrier": pa.string(),
    "wet": pa.bool_(),
    "gate": pa.int64(),
    "customer": pa.int64(),
    "fare": pa.float64(),
    "speed": pa.float32(),
    "price": pa.decimal128(10, 2),
    "stops": pa.int8(),
    "fee": pa.decimal128(10, 2),
    "day": pa.date32(),
    "seen_at": pa.timestamp("us"),
    "left_at": pa.timestamp("us", tz="UTC"),
    "born": pa.date32(),
    "note": pa.string(),
    "tags": pa.list_(pa.string()),
    "crew": pa.large_list(pa.int64()),
    "flags": pa.list_(pa.bool_()),
    "route": pa.list_(pa.float32()),
    "waits": pa.list_(pa.float64()),
    "seat_map": pa.list_(pa.float64()),
}
NUMERIC = ("distance", "seats", "rain", "speed", "price", "stops")
CATEGORICAL = ("carrier", "wet", "gate", "customer", "fare", "fee", "day", "seen_at")
DATES, TEXT = ("left_at", "born"), ("note",)
LISTS = ("tags", "crew", "flags", "route", "waits", "seat_map")
AS_NUMBERS, AS_TEXT = NUMERIC + DATES, CATEGORICAL + TEXT + LISTS
TYPES = {
    **dict.fromkeys(("distance", "fare", "speed", "price", "fee"), "number"),
    **dict.fromkeys(("seats", "gate", "customer", "stops"), "integer"),
    "rain": "boolean",
    "carrier": "string",
    "wet": "boolean",
    "day": "date",
    "seen_at": "datetime",
    "left_at": "datetime",
    "born": "date",
    "note": "string",
    "tags": "list of string",
    "crew": "list of integer",
    "flags": "list of boolean",
    **dict.fromkeys(("route", "waits", "seat_map"), "list of number"),
}
CLASSES = ("False", "True")
DAYS = [date(2013, 6, 1), date(2013, 12, 24)]
MOMENTS = [datetime(2013, 6, 1, 12), datetime(2013, 6, 1, 12, 0, 0, 5)]
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "distance": st.floats(-1e6, 1e6, allow_subnormal=False),
    "seats": st.integers(-(2**60), 2**60) | st.integers(0, 400),
    "rain": st.booleans(),
    "carrier": st.sampled_from(["AA", "UA", "", "1", "nan", "None", "True", "never seen"]) | st.text(max_size=3),
    "wet": st.booleans(),
    "gate": st.integers(1, 4),
    "customer": st.sampled_from([LARGE - 1, LARGE, LARGE + 1]),
    "fare": st.sampled_from([1.0, 1.5, 1e300, -0.0, float("inf")]),
    "speed": st.floats(-1e6, 1e6, width=32, allow_subnormal=False),
    "price": st.decimals(-1000, 1000, places=2),
    "stops": st.integers(-128, 127),
    "fee": st.sampled_from([Decimal("1.00"), Decimal("1.50"), Decimal("0.10")]),
    "day": st.sampled_from([*DAYS, date(1899, 1, 1)]),
    "seen_at": st.sampled_from(MOMENTS),
    "left_at": st.datetimes(datetime(1600, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC)),
    "born": st.dates(date(1600, 1, 1), date(2500, 1, 1)),
    "note": st.sampled_from(["late again", "left on time, at last", "", "again"]) | st.text(max_size=8),
    "tags": st.lists(st.none() | st.sampled_from(["wifi", "", "never seen"]) | st.text(max_size=2), max_size=4),
    "crew": st.lists(st.none() | st.sampled_from([1, LARGE, LARGE + 1]), max_size=4),
    "flags": st.lists(st.none() | st.booleans(), max_size=3),
    "route": st.lists(st.none() | st.floats(-1e6, 1e6, width=32, allow_subnormal=False), min_size=2, max_size=4),
    "waits": st.lists(st.none() | st.floats(-1e300, 1e300, allow_subnormal=False), max_size=4),
    "seat_map": st.lists(st.none() | st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=2),
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | cells for name, cells in CELLS.items()}), min_size=1, max_size=40)


def learned(rows: int = 1200) -> pd.DataFrame:
    """Rows with gaps in every column."""
    chance = np.random.default_rng(7)
    values = {
        "distance": chance.normal(0, 1e3, rows).tolist(),
        "seats": chance.integers(0, 400, rows).tolist(),
        "rain": (chance.random(rows) < 0.3).tolist(),
        "carrier": chance.choice(["AA", "UA", "", "1"], rows).tolist(),
        "wet": (chance.random(rows) < 0.5).tolist(),
        "gate": chance.integers(1, 4, rows).tolist(),
        "customer": [LARGE + int(place) for place in chance.integers(0, 2, rows)],
        "fare": chance.choice([1.0, 1.5], rows).tolist(),
        "speed": np.float32(chance.normal(0, 100, rows)).astype(float).tolist(),
        "price": [Decimal(int(cents)) / 100 for cents in chance.integers(0, 10_000, rows)],
        "stops": chance.integers(0, 3, rows).tolist(),
        "fee": [Decimal(int(cents)) / 100 for cents in chance.choice([100, 150], rows)],
        "day": [DAYS[place] for place in chance.integers(0, 2, rows)],
        "seen_at": [MOMENTS[place] for place in chance.integers(0, 2, rows)],
        "left_at": [datetime(2013, 1, 1, tzinfo=UTC) + timedelta(hours=int(hour)) for hour in chance.integers(0, 8000, rows)],
        "born": [date(1950, 1, 1) + timedelta(days=int(day)) for day in chance.integers(0, 9000, rows)],
        "note": [" ".join(chance.choice(WORDS, 4)) for _ in range(rows)],
        "tags": [chance.choice(["wifi", "", "bar"], int(size)).tolist() for size in chance.integers(0, 4, rows)],
        "crew": [[LARGE + int(one) for one in chance.integers(-1, 1, int(size))] for size in chance.integers(0, 3, rows)],
        "flags": [(chance.random(int(size)) < 0.5).tolist() for size in chance.integers(0, 3, rows)],
        "route": np.float32(chance.normal(0, 1e3, (rows, 3))).astype(float).tolist(),
        "waits": [chance.normal(0, 1e3, int(size)).tolist() for size in chance.integers(0, 4, rows)],
        "seat_map": chance.normal(0, 1e3, (rows, 2)).tolist(),
    }
    return pd.DataFrame(
        {
            name: pd.Series(
                [None if gone else cell for cell, gone in zip(cells, chance.random(rows) < 0.1, strict=True)], dtype=object
            )
            for name, cells in values.items()
        }
    )


@pytest.fixture(scope="module", params=["trees", "linear"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A registered model as `train` makes it, loaded by MLflow: every category decides, and so does whether it is missing."""
    trees = request.param == "trees"
    estimator = HistGradientBoostingClassifier(max_iter=12) if trees else LogisticRegression(max_iter=300)
    rows = learned()
    columns = ModelColumns(AS_NUMBERS, AS_TEXT, TYPES, tuple(COLUMNS))
    frame = raw_frame(rows, AS_NUMBERS, AS_TEXT, TYPES)
    label = sum((rows[name].isna() | (rows[name] == rows[name].mode()[0])).astype(int) for name in CATEGORICAL)
    label = label + (frame["left_at"] % 86_400 < 40_000) + frame["note"].str.contains("late", na=False)
    label = (label + frame["tags"].str.contains("wifi", na=True) + frame["route"].str.startswith("[-", na=False)) % 3 > 0
    fitted = make_pipeline(
        build_transform(FeatureColumns(NUMERIC, CATEGORICAL, TEXT, DATES, LISTS), accepts_missing=trees, types=TYPES), estimator
    ).fit(frame, label)
    path = tmp_path_factory.mktemp("model") / "model"
    mlflow.sklearn.save_model(
        RowModel.of(fitted, columns, CLASSES),
        str(path),
        signature=signature_of(columns, CLASSES),
        pip_requirements=[],
        serialization_format="skops",
        skops_trusted_types=sorted(TRUSTED_TYPES),
        pyfunc_predict_fn="predict",
    )
    return mlflow.pyfunc.load_model(str(path))


@pytest.fixture(scope="module", params=["compiled", "original"])
def predictor(request: pytest.FixtureRequest, model: Any) -> Predictor:
    """How the gateway predicts with it, and how Python does."""
    if request.param == "original":
        return predictor_of(model)
    compiled = compiled_predictor(model, None)
    assert compiled.plan.startswith("compiled, but for text, lists")
    return compiled


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in the gateway's workers: threads that wait for each other take seconds on a busy machine."""
    with threadpool_limits(1):
        yield


class Folder:
    """A store of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def local_file(self, _: str) -> Iterator[Path]:
        yield self.path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("span") / "rows.parquet"


def evaluated(model: Any, rows: list[dict[str, Any]], file: Path) -> list[float]:
    """The scores that the evaluation gives the rows of a file."""
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(list(COLUMNS.items()))), file)
    span = Span.model_construct(content="rows")
    rows = read_rows((span,), Folder(file))  # type: ignore[arg-type]
    return score(LoadedModel(1, model, CLASSES), rows, CLASSES, 1).values[:, 1].tolist()


def served(predictor: Predictor, batch: list[Rows]) -> list[float]:
    outcomes = worker.predict_with(predictor, batch)
    assert [outcome.error for outcome in outcomes] == [""] * len(batch)
    return [row[1] for outcome in outcomes for row in json.loads(outcome.predictions)]


def as_sent(name: str, cell: Any, form: int) -> Any:
    """One of the ways in which a caller may write the cell as JSON."""
    if isinstance(cell, list):
        return [item if name not in ("crew", "flags") or item is None or not form else str(item) for item in cell]
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return float(cell) if form else int(cell) if cell == int(cell) else float(cell)
    if cell is None or form == 0:
        return cell
    if isinstance(cell, bool):
        return str(cell) if name in CATEGORICAL else int(cell)
    if isinstance(cell, int):
        return str(cell) if form == 1 or abs(cell) > 2**53 else float(cell)
    return str(cell) if name in NUMERIC else cell


def request_of(rows: list[dict[str, Any]], draw: Any) -> Rows:
    """The rows as one request's body: columns in any order, one too many, and cells written in any way."""
    names = draw(st.permutations(list(COLUMNS))) if draw(st.booleans()) else list(COLUMNS)
    form = draw(st.integers(0, 2))
    records = [{**{name: as_sent(name, row[name], form) for name in names}, "extra": len(rows)} for row in rows]
    return rows_of_body(json.dumps({"dataframe_records": records}).encode())[1]


@examples(60)
@given(rows=ROWS, data=st.data())
def test_any_partition_into_requests_and_batches_is_answered_as_the_evaluation_scores_it(
    model: Any, predictor: Predictor, file: Path, rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    expected = [number.hex() for number in evaluated(model, rows, file)]
    requests, start = [], 0
    while start < len(rows):
        size = data.draw(st.integers(1, len(rows) - start))
        requests.append(request_of(rows[start : start + size], data.draw))
        start += size
    answers, start = [], 0
    while start < len(requests):
        size = data.draw(st.integers(1, len(requests) - start))
        answers += served(predictor, requests[start : start + size])
        start += size
    assert [number.hex() for number in answers] == expected


ALONE = rounds(50, 300)


def _by_hand(cell: Any) -> str:
    if isinstance(cell, list):
        texts = [item if isinstance(item, str) else str(item) for item in cell]
        return json.dumps(cell if cell and isinstance(cell[0], float) else texts)
    if isinstance(cell, date):
        return cell.isoformat()
    return str(float(cell) if isinstance(cell, Decimal) else cell).removesuffix(".0")


@pytest.mark.deep
def test_a_thousand_requests_are_answered_as_mlflow_does_alone_and_together(model: Any, predictor: Predictor) -> None:
    """The oracle's frame is made by hand, from the texts and numbers that the JSON was made of."""
    rows = learned(1008)
    cells = {name: rows[name].tolist() for name in COLUMNS}
    frame: dict[str, Any] = {name: pd.Series(cells[name], dtype="float64") for name in NUMERIC}
    for name in DATES:
        frame[name] = [math.nan if cell is None else pd.Timestamp(cell).timestamp() for cell in cells[name]]
    for name in AS_TEXT:
        texts = [None if cell is None else _by_hand(cell) for cell in cells[name]]
        frame[name] = pd.Series(texts, dtype="object")
    oracle = predict_function(model)(pd.DataFrame(frame))
    sent = [[as_sent(name, cell, 0) for cell in column] for name, column in cells.items()]
    requests = [Rows(tuple(COLUMNS), [list(row)]) for row in zip(*sent, strict=True)][:1000]
    expected = [number.hex() for number in oracle[:1000, 1].tolist()]
    assert [number.hex() for number in served(predictor, requests)] == expected
    # Alone, the first of them: the property above draws requests of one row, too, and each takes the time of many in one call.
    alone = [answer.hex() for request in requests[:ALONE] for answer in served(predictor, [request])]
    assert alone == expected[:ALONE]
