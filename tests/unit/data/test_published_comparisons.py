"""Published behaviour of TensorFlow Data Validation and of Deequ where data are compared: with rows before, their history and serving.

The cases are those of the projects' own tests.
"""

import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from validated import Write, judged, only, schema

from taxiway.data.schema.constraints import Drift, FeatureSkew, Range
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.watch import MetricMonitor


@pytest.mark.parametrize(("least", "kinds"), [(1.0, ["rows_ratio"]), (0.5, [])])
def test_rows_are_compared_with_the_rows_before(write: Write, least: float, kinds: list[str]) -> None:
    expected = schema(Feature(name="x", type="integer"), rows_ratio=Range(min=least, max=1.0))
    report = judged(write(x=[1, 2]), expected, previous=write("previous", x=[1, 2, 3, 4]))
    assert [anomaly.kind for anomaly in report.anomalies] == kinds
    assert all("0.50 times" in anomaly.message for anomaly in report.anomalies)


def test_a_change_of_volume_is_seen_where_it_is_asked_for(write: Write) -> None:
    now, before = write(x=["a"] * 10 + ["b"] * 50), write("before", x=["a"] * 100 + ["b"] * 500)
    shares = Feature(name="x", type="string", drift=Drift(limit=0.2))
    volume = Feature(name="x", type="string", drift=Drift(limit=0.2, distance="normalized_difference"))
    assert judged(now, schema(shares), previous=before).anomalies == ()
    found = only(judged(now, schema(volume), previous=before))
    assert found.observed == "normalized difference 0.682"
    assert found.examples == ('"b"',)


def test_many_small_changes_are_seen_by_the_divergence_of_all_values(write: Write) -> None:
    values = [f"v{at}" for at in range(40)]
    now, before = write(x=values[:20] * 100 + values[20:] * 60), write("before", x=values[:20] * 60 + values[20:] * 100)
    largest = Feature(name="x", type="string", drift=Drift(limit=0.04))
    every = Feature(name="x", type="string", drift=Drift(limit=0.04, distance="jensen_shannon"))
    assert judged(now, schema(largest), previous=before).anomalies == ()
    assert only(judged(now, schema(every), previous=before)).observed == "Jensen-Shannon divergence 0.046"


def test_few_rows_and_identical_rows_of_nan_are_no_drift(write: Write) -> None:
    import numpy as np

    feature = Feature(name="x", type="number", presence=0, drift=Drift(limit=0.1))
    rng = np.random.default_rng(1)
    many, few = write("many", x=rng.normal(0, 0.1, 1000)), write("few", x=rng.normal(0, 0.1, 10))
    assert judged(few, schema(feature), previous=many).anomalies == ()
    nothing = write("nan", x=pa.array([math.nan] * 50, from_pandas=False))
    assert judged(nothing, schema(feature), previous=nothing).anomalies == ()


@pytest.mark.parametrize(("digits", "kinds"), [(None, ["feature_skew"]), (3, ["feature_skew"]), (2, [])])
def test_rows_of_one_key_are_compared_value_by_value(write: Write, digits: int | None, kinds: list[str]) -> None:
    features = (Feature(name="id", type="integer"), Feature(name="x", type="number", presence=0.5))
    expected = schema(*features, key="id", feature_skew=FeatureSkew(digits=digits))
    training = write("training", id=[1, 2, 3, 4], x=[1.0, 2.0, None, 4.0])
    serving = pq.read_table(write("serving", id=[3, 2, 1, 9], x=[None, 2.001, 1.0, 7.0])).drop_columns("y")
    pq.write_table(serving, training.with_name("served.parquet"))
    report = judged(training, expected, serving=training.with_name("served.parquet"))
    assert [anomaly.kind for anomaly in report.anomalies] == kinds
    for anomaly in report.anomalies:
        assert "1 of 3 rows" in anomaly.message
        assert '"2": "2.0" in training, "2.001" in serving' in anomaly.message


def test_the_history_of_a_metric_is_told_by_the_files_before(write: Write) -> None:
    for day in range(6):
        write(f"day-{day}", x=[1.0 + day % 2] * 8)
    watch = MetricMonitor(metric="mean", column="x", strategy="normal")
    expected = schema(Feature(name="x", type="number"), metric_checks=(watch,))
    earlier = write("now", x=[1.5] * 8).with_name("day-*.parquet")
    assert judged(write("now", x=[2.5] * 8), expected, previous=earlier).anomalies == ()
    found = only(judged(write("now", x=[9.0] * 8), expected, previous=earlier))
    assert (found.kind, found.column) == ("history", "x")
    assert "6 spans before it, last values 2, 1, 2" in found.message


def test_what_was_compared_with_nothing_is_said(write: Write) -> None:
    data = write(x=[1, 2])
    report = judged(data, schema(Feature(name="x", type="integer")), previous=data, serving=data)
    assert [note.partition(":")[0] for note in report.notes] == [
        "drift from the previous data was not checked",
        "serving data was not compared",
    ]


def test_skew_of_a_column_that_serving_data_lack_is_never_silent(write: Write) -> None:
    feature = Feature(name="x", type="number", skew=Drift(limit=0.1))
    data = write(x=[1.0, 2.0])
    other = write("other", z=[1.0, 2.0])
    assert (
        only(judged(data, schema(feature), serving=other)).message
        == "x: the serving data cannot be compared with the training data: there is no such column in the serving data."
    )
    texts = write("texts", x=["a", "b"])
    assert only(judged(data, schema(feature), serving=texts)).kind == "skew_unmeasured"


def test_what_could_not_be_judged_is_said(write: Write) -> None:
    watch = MetricMonitor(metric="mean", column="x", strategy="normal")
    feature = Feature(name="x", type="number", drift=Drift(limit=0.1))
    report = judged(write(x=[1.0] * 5), schema(feature, metric_checks=(watch,)), previous=write("before", x=[9.0] * 5))
    assert report.anomalies == ()
    assert [note.partition(":")[0] for note in report.notes] == ["x", "mean of x was not checked (normal)"]
