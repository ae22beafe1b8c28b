"""The three kinds of sources: a section is read as exactly one, with what it needs, and nothing that it would not obey."""

from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from taxiway.errors import ConfigError
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.source import FileSource, FunctionSource, SqlSource, read_source, source_from_json

SQL = "SELECT * FROM f WHERE t >= {begin} AND t < {end}"
QUERY: dict[str, Any] = {"sql": SQL, "connection": "warehouse", "every": "month", "first": "2013-01", "label": "late"}
FUNCTION: dict[str, Any] = {"function": "rows.py:read", "every": "day", "first": "2013-01-01", "label": "late"}
FILES: dict[str, Any] = {"spans": "{data}/{YYYY}-{MM}.csv", "label": "late"}
REST: dict[str, Any] = {
    "pipeline": "late_arrivals",
    "team": "flights",
    "schema": "late.schema.yaml",
    "model": {"estimator": "sklearn.linear_model.LogisticRegression"},
    "gate": {"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "roc_auc"}},
}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"spans": "{data}/{YYYY}.csv", "label": "y"}, "{data}/{YYYY}.csv"),
        ({"spans": "{data}/{YYYY}.txt", "format": "csv", "label": "y"}, "{data}/{YYYY}.txt"),
        (
            {**QUERY, "sql": "SELECT *\n  FROM f\nWHERE t >= {begin} AND t < {end}\n", "version": SQL, "delay": "6h"},
            f"warehouse: {SQL}",
        ),
        (FUNCTION, "rows.py:read"),
        ({**FUNCTION, "function": "/dags/team/rows.py:read"}, "rows.py:read"),
        ({**FUNCTION, "function": "ours.rows:read"}, "ours.rows:read"),
    ],
)
def test_a_source_of_each_kind_is_known_by_what_people_wrote(content: dict[str, Any], text: str) -> None:
    source = read_source(content)
    assert source.text == text
    kept = source.model_dump_json(by_alias=True, exclude_defaults=True)
    assert source_from_json(kept) == source
    assert read_source(source.model_dump()) == source


@pytest.mark.parametrize(
    ("every", "written", "read_as"),
    [
        ("year", 2013, "2013"),
        ("day", date(2013, 4, 1), "2013-04-01"),
        ("hour", datetime(2013, 4, 1, 5), "2013-04-01T05"),
        ("hour", datetime(2013, 4, 1, 5, tzinfo=timezone(timedelta(hours=2))), "2013-04-01T03"),
        ("week", "2013-W14", "2013-W14"),
    ],
)
def test_what_yaml_makes_of_a_periods_name_is_that_name(every: str, written: Any, read_as: str) -> None:
    source = read_source({**QUERY, "every": every, "first": written})
    assert isinstance(source, SqlSource)
    assert source.first == read_as


def test_a_delay_is_a_duration() -> None:
    source = read_source({**FUNCTION, "delay": "90m"})
    assert isinstance(source, FunctionSource)
    assert source.delay == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("content", "kind"), [(FILES, FileSource), (QUERY, SqlSource), (FUNCTION, FunctionSource)], ids=["spans", "sql", "function"]
)
def test_a_pipeline_in_python_takes_the_class_of_the_kind_or_its_keys(content: dict[str, Any], kind: Any) -> None:
    given = Pipeline.model_validate({**REST, "source": kind(**content)})
    assert given == Pipeline.model_validate({**REST, "source": content})
    assert type(given.source) is kind
    assert Pipeline.model_validate_json(given.model_dump_json(by_alias=True)) == given
    assert Pipeline.model_validate(given.model_dump(by_alias=True)) == given


SELECTION = st.fixed_dictionaries(
    {"label": st.text(min_size=1)},
    optional={
        "window": st.integers(1, 10_000) | st.just({"from": "2013-01", "to": "2013-06"}),
        "exclude": st.lists(st.sampled_from(["2013-01", "2013-04"]), max_size=2),
        "sample": st.fixed_dictionaries({"fraction": st.floats(0.01, 0.99), "by": st.text()}),
        "split": st.just("newest")
        | st.fixed_dictionaries({"evaluation": st.floats(0.01, 0.99)}, optional={"by": st.text()})
        | st.fixed_dictionaries({"evaluation": st.floats(0.01, 0.99), "stratify": st.text()}),
        "join": st.just({"planes": {"file": "{data}/planes.csv", "on": {"a": "b"}, "columns": ["c"], "min_match_rate": 1}}),
    },
)
PERIODS = {"every": st.just("month"), "first": st.sampled_from(["2013-01", "1999-12"])}
DELAY = {"delay": st.integers(0, 10**6 - 1).map(lambda seconds: f"{seconds}s")}
KEYS = st.one_of(
    st.fixed_dictionaries(
        {"spans": st.sampled_from(["{data}/{YYYY}-{MM}.csv", "s3://b/{YYYY}/{MM}/v{VERSION}"])},
        optional={"format": st.sampled_from(["csv", "jsonl", "parquet"])},
    ),
    st.fixed_dictionaries(
        {**PERIODS, "sql": st.text().map(lambda text: f"{text} {SQL}"), "connection": st.text()},
        optional={**DELAY, "version": st.just(SQL)},
    ),
    st.fixed_dictionaries({**PERIODS, "function": st.sampled_from(["rows.py:read", "ours.rows:read"])}, optional=DELAY),
)


@given(keys=KEYS, selection=SELECTION)
def test_a_trigger_reads_the_source_that_the_schedule_wrote(keys: dict[str, Any], selection: dict[str, Any]) -> None:
    source = read_source({**keys, **selection}).with_data("s3://bucket/")
    for only_given in (True, False):
        read = source_from_json(source.model_dump_json(by_alias=True, exclude_defaults=only_given))
        assert (type(read), read) == (type(source), source)


def without(content: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != key}


# The section, the line and key of the mistake in a file whose first line is `source:`, and what is said of it.
MISTAKES = [
    (
        {"label": "y"},
        ":1: source is {label: y}; none of spans, file, sql and function is given; allowed: exactly one of files by spans",
    ),
    ({**FILES, "sql": SQL}, ":1: source: spans and sql are given; allowed: exactly one of files by"),
    ({**QUERY, "function": "rows.py:read"}, ":1: source: sql and function are given; allowed: exactly one of"),
    (
        {**QUERY, "format": "csv"},
        ':7: source.format is "csv"; format is for a source with spans or file, but this source has sql; remove format',
    ),
    (
        {**FILES, "every": "month"},
        ':4: source.every is "month"; every is for a source with file, sql or function, but this source has spans; remove',
    ),
    ({**FILES, "delay": "1d"}, ':4: source.delay is "1d"; delay is for a source with file, sql or function'),
    (
        {**FILES, "version": SQL},
        ":4: source.version: version is for a source with sql, but this source has spans; remove version",
    ),
    (
        {**FUNCTION, "connection": "warehouse"},
        "connection is for a source with sql, but this source has function; remove connection",
    ),
    ({**FUNCTION, "version": SQL}, "version is for a source with sql, but this source has function"),
    (
        without(QUERY, "connection"),
        ":1: source.connection is missing; it is required: the Airflow connection of the database",
    ),
    (without(QUERY, "first"), ":1: source.first is missing; it is required: the name of the first period, such as 2013-04"),
    (
        without(FUNCTION, "every"),
        ":1: source.every is missing; it is required: the length of each period: hour, day",
    ),
    ({**QUERY, "every": "decade"}, ':4: source.every is "decade"\n    allowed: day, hour, month, quarter, week, year'),
    (
        {**QUERY, "first": "2013"},
        ':5: source.first is "2013"; "2013" is not the name of a period of one month; allowed: a name such as 2013-04',
    ),
    ({**QUERY, "first": "2013-13"}, '"2013-13" is not the name of a period of one month: month must be in 1..12'),
    ({**QUERY, "every": "year", "first": "9999"}, '"9999" is not the name of a period of one year: year 10000 is out of range'),
    (
        {**QUERY, "sql": "SELECT * FROM f WHERE t >= {begin}"},
        ":2: source.sql is",
        "it has no {end}; allowed: a query for one period",
    ),
    ({**QUERY, "sql": "SELECT 1"}, ':2: source.sql is "SELECT 1"; it has no {begin} and no {end}'),
    ({**QUERY, "sql": SQL.replace("{begin}", "'{begin}'")}, "{begin} is in quotes; remove them"),
    ({**QUERY, "version": "SELECT count(*) FROM f"}, ":7: source.version is", "it has no {begin} and no {end}"),
    ({**FUNCTION, "function": "rows.py"}, ':2: source.function is "rows.py"; allowed: FILE.py:function'),
    ({**FUNCTION, "function": "rows.py:a-b"}, "allowed: FILE.py:function"),
    ({**FILES, "spans": "{data}/{YYY}.csv"}, ':2: source.spans is "{data}/{YYY}.csv"; {YYY} is not a placeholder; allowed:'),
    (
        {**FILES, "spans": "{data}/all.csv"},
        ":1: source: spans is {data}/all.csv, which is one span; allowed: window: 1 with split: {evaluation: 0.2}, to",
    ),
    (
        {**FILES, "spans": "all.csv", "split": {"by": "id", "evaluation": 0.2}},
        "spans is all.csv, which is one span; allowed: window: 1",
    ),
    ({**FILES, "spans": None}, ":2: source.spans is null; allowed: a string"),
    # An unknown key: the nearest of this kind's, or of all kinds' if the kind is not known.
    ({**FILES, "fromat": "csv"}, ":4: source.fromat is not an allowed key", 'did you mean "format"?'),
    ({**QUERY, "conection": "c"}, ":7: source.conection is not an allowed key", 'did you mean "connection"?'),
    ({**FUNCTION, "dely": "1d"}, ":6: source.dely is not an allowed key", 'did you mean "delay"?'),
    (
        {"span": "{YYYY}.csv", "label": "y"},
        ":2: source.span is not an allowed key",
        'did you mean "spans"?',
        ":1: source is {",
        "none of spans",
    ),
    ({"function": "rows.py:read", "label": 5}, ":3: source.label is 5", "source.every is missing", "source.first is missing"),
    ("{YYYY}.csv", ':1: source is "{YYYY}.csv"; allowed: a mapping with exactly one of spans, file, sql and function'),
]


@pytest.mark.parametrize("case", MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_in_a_file_names_its_line_its_key_and_the_remedy(case: tuple[Any, ...], tmp_path: Path) -> None:
    content, *expected = case
    path = tmp_path / "late.pipeline.yaml"
    path.write_text(yaml.safe_dump({"source": content, **REST}, sort_keys=False, width=1000))
    with pytest.raises(ConfigError) as caught:
        read_pipeline(path)
    for part in expected:
        assert part in str(caught.value), str(caught.value)


def test_keys_of_this_kind_only_are_suggested(tmp_path: Path) -> None:
    path = tmp_path / "late.pipeline.yaml"
    path.write_text(yaml.safe_dump({"source": {**FILES, "cnnection": "c"}, **REST}, sort_keys=False))
    with pytest.raises(ConfigError) as caught:
        read_pipeline(path)
    shared = {"window", "exclude", "rows", "join", "sample", "split", "label", "unlabelled", "label_wait", "rename"}
    assert set(caught.value.allowed) == {*shared, "spans", "format", "csv"}


def test_in_python_a_key_of_another_kind_is_refused_with_the_kind_that_it_goes_with() -> None:
    keys: dict[str, Any] = {**FILES, "every": "month"}
    with pytest.raises(
        ValidationError, match="every is for a source with file, sql or function, but this source has spans; remove every"
    ):
        FileSource(**keys)
