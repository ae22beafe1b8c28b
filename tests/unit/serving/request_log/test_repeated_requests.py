"""Requests that repeat an earlier one: those of a client that tries again, and not rows that are the same by chance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from taxiway.data.engine.connection import connect
from taxiway.serving.request_log.repeated_requests import find_repeated, most_alike

HOUR, DAY = 3600, 86_400
Sent = tuple[float, str, Any]
"""When a request was sent, in seconds, by whom, and its rows."""


def repeated(sent: Sequence[Sent], labelled: Sequence[int] = ()) -> set[int]:
    """The positions of the requests that repeat another one."""
    with connect() as connection:
        return _repeated(connection, sent, labelled)


def _repeated(connection: Any, sent: Sequence[Sent], labelled: Sequence[int]) -> set[int]:
    connection.execute(
        'CREATE TABLE requests (day DATE, caller VARCHAR, request_id VARCHAR, received_at TIMESTAMPTZ, row BIGINT, "input.a" VARCHAR, '
        "other_inputs MAP(VARCHAR, VARCHAR))"
    )
    connection.execute("CREATE TABLE labels (request_id VARCHAR, row BIGINT)")
    rows = [
        (at, caller, str(position), row, value)
        for position, (at, caller, content) in enumerate(sent)
        for row, value in enumerate(content if isinstance(content, list) else [content])
    ]
    columns = dict(zip(("seconds", "caller", "id", "row", "value"), map(list, zip(*rows, strict=True)), strict=True))
    connection.execute(
        "INSERT INTO requests SELECT to_timestamp(seconds)::DATE, caller, id, to_timestamp(seconds), row, value::VARCHAR, MAP {'order': '1'} "
        "FROM (SELECT unnest($seconds::DOUBLE[]) AS seconds, unnest($caller::VARCHAR[]) AS caller, unnest($id::VARCHAR[]) AS id, "
        "unnest($row::BIGINT[]) AS row, unnest($value::VARCHAR[]) AS value)",
        columns,
    )
    for position in labelled:
        connection.execute("INSERT INTO labels VALUES ($1, 0)", [str(position)])
    return set(map(int, find_repeated(connection, "requests", "labels")))


def traffic(count: int, values: Any, seconds: float = DAY, seed: int = 0) -> list[Sent]:
    """Requests at random times of a day with random values."""
    rng = np.random.default_rng(seed)
    return [
        (at, "app", value)
        for at, value in zip(np.sort(rng.uniform(0, seconds, count)).tolist(), values(rng, count).tolist(), strict=True)
    ]


def different(rng: np.random.Generator, count: int) -> Any:
    return rng.permutation(count)


def test_what_a_client_sends_again_counts_once() -> None:
    sent = traffic(2000, different)
    again = [(at + 20, caller, value) for at, caller, value in sent[100:400]]
    assert repeated([*sent, *again]) == set(range(2000, 2300))
    twice = [(at + 40, caller, value) for at, caller, value in sent[100:400]]
    assert repeated([*sent, *again, *twice]) == set(range(2000, 2600))


def test_the_request_with_a_label_is_the_one_that_counts() -> None:
    sent = traffic(2000, different)
    again = [(at + 20, caller, value) for at, caller, value in sent[100:400]]
    assert repeated([*sent, *again], labelled=[2000]) == {100, *range(2001, 2300)}
    assert repeated([*sent, *again], labelled=[100, 2000]) == set(range(2000, 2300)), "the first of those"


def test_a_request_of_several_rows_repeats_another_if_all_of_them_do_in_their_order() -> None:
    sent: list[Sent] = [(at, caller, [value, value + 5000]) for at, caller, value in traffic(500, different)]
    again = [(at + 20, caller, list(rows)) for at, caller, rows in sent[:40]]
    others = [(at + 20, caller, [*rows[1:], rows[0]]) for at, caller, rows in sent[40:80]]
    parts = [(at + 20, caller, rows[0]) for at, caller, rows in sent[80:90]]
    assert repeated([*sent, *again, *others, *parts]) == set(range(500, 540))


@pytest.mark.parametrize("kinds", [2, 50, 3000, 100_000])
def test_rows_that_are_the_same_by_chance_count(kinds: int) -> None:
    sent = traffic(3000, lambda rng, count: rng.integers(kinds, size=count))
    assert len(repeated(sent)) <= 1


def test_a_nightly_job_whose_rows_are_the_same_by_chance_loses_none() -> None:
    def values(rng: np.random.Generator, count: int) -> Any:
        return rng.integers(2000, size=count)

    assert repeated(traffic(2000, values, seconds=200)) == set(), "nothing is known of longer distances"
    assert repeated(traffic(2000, values, seconds=HOUR)) == set()


def test_a_nightly_job_that_sends_some_again_counts_them_once() -> None:
    sent = traffic(2000, different, seconds=HOUR)
    again = [(at + 20, caller, value) for at, caller, value in sent[:200]]
    assert repeated([*sent, *again]) == set(range(2000, 2200))


def test_other_callers_days_and_times_are_other_requests() -> None:
    sent = traffic(2000, different)
    others = [(at + 20, "other", value) for at, _, value in sent[:50]]
    later = [(at + HOUR, caller, value) for at, caller, value in sent[100:150]]
    tomorrow = [(at + DAY, caller, value) for at, caller, value in sent[200:250]]
    assert repeated([*sent, *others, *later, *tomorrow]) == set()


def test_a_probe_that_sends_one_row_all_day_counts_and_is_seen_as_alike() -> None:
    probe: list[Sent] = [(at, "probe", -1) for at in range(0, DAY, 60)]
    with connect() as connection:
        assert _repeated(connection, [*traffic(100, different), *probe], ()) == set()
        assert most_alike(connection, "requests") == len(probe)
