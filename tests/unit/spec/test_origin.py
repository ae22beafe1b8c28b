"""The keys of `source` that say where rows come from: exactly one kind, with what it needs, and nothing that it would not obey."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from taxiway.spec.source import Source

SQL = "SELECT * FROM f WHERE t >= {begin} AND t < {end}"
QUERY: dict[str, Any] = {"sql": SQL, "connection": "warehouse", "every": "month", "first": "2013-01", "label": "late"}
FUNCTION: dict[str, Any] = {"function": "rows.py:read", "every": "day", "first": "2013-01-01", "label": "late"}


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
    source = Source.model_validate(content)
    assert source.text == text
    kept = source.model_dump_json(by_alias=True, exclude_defaults=True)
    assert Source.model_validate_json(kept) == source
    assert Source.model_validate(source.model_dump()) == source


@pytest.mark.parametrize(
    ("every", "written", "read_as"),
    [
        ("year", 2013, "2013"),
        ("day", date(2013, 4, 1), "2013-04-01"),
        ("hour", datetime(2013, 4, 1, 5), "2013-04-01T05"),
        ("week", "2013-W14", "2013-W14"),
    ],
)
def test_what_yaml_makes_of_a_periods_name_is_that_name(every: str, written: Any, read_as: str) -> None:
    assert Source.model_validate({**QUERY, "every": every, "first": written}).first == read_as


def test_a_delay_is_a_duration() -> None:
    assert Source.model_validate({**QUERY, "delay": "90m"}).delay == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"label": "y"}, "none of spans, sql and function is given; allowed: exactly one"),
        ({**QUERY, "spans": "{YYYY}.csv"}, "spans and sql of spans, sql and function is given"),
        ({**QUERY, "function": "rows.py:read"}, "sql and function of"),
        ({**QUERY, "format": "csv"}, "format goes with spans, and here is sql; leave format out"),
        ({"spans": "{YYYY}.csv", "label": "y", "every": "month"}, "every goes with sql or function, and here is spans"),
        ({"spans": "{YYYY}.csv", "label": "y", "delay": "1d"}, "delay goes with sql or function"),
        ({**FUNCTION, "connection": "warehouse"}, "connection goes with sql, and here is function"),
        ({**FUNCTION, "version": SQL}, "version goes with sql, and here is function"),
        ({key: QUERY[key] for key in QUERY if key != "connection"}, "sql needs connection: the Airflow connection"),
        ({key: QUERY[key] for key in QUERY if key != "first"}, "sql needs first: the name of the first period"),
        ({key: FUNCTION[key] for key in FUNCTION if key != "every"}, "function needs every: how long"),
        ({**QUERY, "every": "decade"}, "Input should be 'hour', 'day', 'week', 'month' or 'year'"),
        ({**QUERY, "first": "2013"}, '"2013" names no month; allowed: a name such as 2013-04'),
        ({**QUERY, "first": "2013-13"}, '"2013-13" names no month: month must be in 1..12'),
        ({**QUERY, "sql": "SELECT * FROM f WHERE t >= {begin}"}, "it has no {end}; allowed: a query of one period's rows"),
        ({**QUERY, "sql": "SELECT 1"}, "it has no {begin} and no {end}"),
        (
            {**QUERY, "sql": "SELECT * FROM f WHERE t >= '{begin}' AND t < {end}"},
            "{begin} stands in quotes; allowed: without them",
        ),
        ({**QUERY, "version": "SELECT count(*) FROM f"}, "it has no {begin} and no {end}"),
        ({**FUNCTION, "function": "rows.py"}, 'function is "rows.py"; allowed: FILE.py:function'),
        ({**FUNCTION, "function": "rows.py:a-b"}, "allowed: FILE.py:function"),
    ],
)
def test_what_would_not_be_obeyed_is_refused(content: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        Source.model_validate(content)
    assert said in str(error.value)
