"""What a text means is decided as Python's own readers decide it."""

import ipaddress
import re
from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.schema.constraints import SEMANTICS

_DAYS = st.dates().map(date.isoformat)
_NEARLY_DAYS = st.from_regex(r"[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]", fullmatch=True)
_NEARLY_IPS = st.lists(
    st.sampled_from(["0", "00", "1", "01", "99", "099", "100", "249", "255", "256", "999", ""]), min_size=3, max_size=5
)


def is_a_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_ipv4(text: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(text)) == text
    except ValueError:
        return False


@examples(200)
@given(text=_DAYS | _NEARLY_DAYS)
def test_a_date_is_one_that_a_calendar_has(text: str) -> None:
    assert (re.fullmatch(SEMANTICS["iso_date"], text) is not None) == is_a_date(text)


@examples(200)
@given(text=_NEARLY_IPS.map(".".join))
def test_an_address_is_one_that_a_machine_can_have(text: str) -> None:
    assert (re.fullmatch(SEMANTICS["ipv4"], text) is not None) == is_ipv4(text)


def test_duckdb_decides_as_python_does_about_every_day_of_a_century() -> None:
    days = [(date(1896, 1, 1) + timedelta(days=at)).isoformat() for at in range(0, 3 * 36_525, 7)]
    days += [f"{year}-02-29" for year in range(1890, 2110)] + [
        f"2023-{month:02d}-{day}" for month in range(14) for day in (29, 30, 31)
    ]
    with duckdb.connect() as connection:
        query = "SELECT text, regexp_full_match(text, $1) FROM unnest($2::VARCHAR[]) AS texts(text)"
        for text, matches in connection.execute(query, [SEMANTICS["iso_date"], days]).fetchall():
            assert matches == is_a_date(text), text


@pytest.mark.parametrize(
    ("semantic", "right", "wrong"),
    [
        (
            "email",
            ["a@b.org", "a.b+c@d-e.co.uk"],
            ["a@b", ".a@b.org", "a..b@c.org", "a@b..org", "a@.org", "a@b.org.", "a b@c.org"],
        ),
        (
            "url",
            ["http://a.b/c?d#e", "s3://bucket/key", "http://[::1]:80/"],
            ["http://", "http://:80/", "a.b/c", "http:///x", "http://a b"],
        ),
        (
            "uuid",
            ["550e8400-e29b-41d4-a716-446655440000"],
            ["550e8400e29b41d4a716446655440000", "550e8400-e29b-41d4-a716-44665544000g"],
        ),
    ],
)
def test_forms_without_a_reader_in_python(semantic: str, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not re.fullmatch(SEMANTICS[semantic], text)] == []
    assert [text for text in wrong if re.fullmatch(SEMANTICS[semantic], text)] == []
