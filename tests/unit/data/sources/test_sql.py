"""The rows of a query on a real PostgreSQL: streamed, of the right types, with both ends bound; and what goes wrong, in words."""

import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, create_engine

from ending import undone
from taxiway.data.sources import sql as sql_rows
from taxiway.data.sources.sql import query_number, query_to_parquet
from taxiway.errors import ConfigError, DataError, TransientError
from taxiway.local.postgres.server import Postgres

BEGINS, ENDS = datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC)
ALL = "{begin}::timestamptz < {end}::timestamptz"  # for queries that need no period


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL with the database `warehouse`."""
    home = tmp_path_factory.mktemp("home")
    server = Postgres(home / "postgres")
    with undone(sys.executable, "-m", "taxiway.cli", "down", "--home", str(home)):
        try:
            yield server.start(["warehouse"])["warehouse"]
        finally:
            server.stop()


@pytest.fixture(scope="module", params=["psycopg", "psycopg2"])
def engine(request: pytest.FixtureRequest, url: str) -> Iterator[Engine]:
    made = create_engine(url.replace("psycopg2", request.param))
    with made.begin() as connection:
        # Not UTC, as many servers are.
        connection.exec_driver_sql("ALTER DATABASE warehouse SET TimeZone TO 'America/New_York'")
    made.dispose()
    yield made
    made.dispose()


def ask(engine: Engine, folder: Path, query: str) -> pa.Table:
    query_to_parquet(engine, query, BEGINS, ENDS, folder / "rows.parquet", "source.sql of warehouse, 2013-04")
    return pq.read_table(folder / "rows.parquet")


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_a_period_begins_and_ends_at_midnight_in_utc(engine: Engine, tmp_path: Path, kind: str) -> None:
    days = "generate_series('2013-03-30 00:00Z'::timestamptz, '2013-05-02 00:00Z'::timestamptz, interval '1 day')"
    # What a team's own loader wrote, as times of UTC.
    column = {"timestamptz": "day", "timestamp": "day AT TIME ZONE 'UTC'", "date": "(day AT TIME ZONE 'UTC')::date"}[kind]
    query = (
        f"SELECT t FROM (SELECT {column} AS t FROM {days} AS days(day)) AS f WHERE t >= {{begin}} AND t < {{end}} ORDER BY t;"
    )
    found = ask(engine, tmp_path, query).column("t").to_pylist()
    assert len(found) == 30
    assert (found[0].day, found[0].month, found[-1].day, found[-1].month) == (1, 4, 30, 4)


TYPES = {
    "small": ("1::smallint", "int64", 1),
    "big": ("9223372036854775807", "int64", 2**63 - 1),
    "whole": ("5::numeric", "int64", 5),
    "huge": ("18446744073709551616::numeric", "string", "18446744073709551616"),
    "money": ("12.50::numeric(10, 2)", "double", 12.5),
    "nan": ("'NaN'::numeric", "double", None),
    "single": ("0.5::real", "double", 0.5),
    "yes": ("true", "bool", True),
    "word": ("'é''x'::varchar(9)", "string", "é'x"),
    "day": ("'2013-04-05'::date", "date32[day]", "2013-04-05"),
    "naive": ("'2013-04-05 06:07:08.9'::timestamp", "timestamp[us]", "2013-04-05 06:07:08.900000"),
    "zoned": ("'2013-04-05 06:07:08+02'::timestamptz", "timestamp[us, tz=UTC]", "2013-04-05 04:07:08+00:00"),
    "clock": ("'06:07:08'::time", "string", "06:07:08"),
    "id": ("'6f1b6a4e-0b0e-4f3a-9a31-0e7f0e9d2b1c'::uuid", "string", "6f1b6a4e-0b0e-4f3a-9a31-0e7f0e9d2b1c"),
    "doc": ("""'{"a": [1, "é"]}'::jsonb""", "string", '{"a": [1, "é"]}'),
    "list": ("ARRAY[1, 2]", "string", "[1, 2]"),
    "bytes": (r"'\x0102'::bytea", "binary", b"\x01\x02"),
    "nothing": ("NULL::numeric", "null", None),
}


@pytest.mark.parametrize("name", TYPES)
def test_every_type_comes_as_what_it_is_even_after_a_batch_of_nothing(
    engine: Engine, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_rows, "_BATCH_ROWS", 100)
    value, type_, wanted = TYPES[name]
    query = f"SELECT CASE WHEN n > 250 THEN {value} END AS v, n FROM generate_series(1, 300) AS n WHERE {ALL} ORDER BY n"
    table = ask(engine, tmp_path, query)
    assert str(table.schema.field("v").type) == type_
    found = table.column("v").to_pylist()
    assert found[:250] == [None] * 250
    if name == "nan":
        assert found[-1] != found[-1]
    else:
        assert (found[-1] if isinstance(wanted, int | float | bytes | None) else str(found[-1])) == wanted


def test_numbers_of_both_kinds_are_numbers(engine: Engine, tmp_path: Path) -> None:
    table = ask(engine, tmp_path, f"SELECT v FROM (VALUES (1::numeric), (2.5), (NULL)) AS f(v) WHERE {ALL}")
    assert table.column("v").to_pylist() == [1.0, 2.5, None]


def test_colons_percents_and_braces_of_the_query_are_left_alone(engine: Engine, tmp_path: Path) -> None:
    query = f"SELECT ':begin 10:30 %s %% {{x}}'::text AS \"a%b:c\", '{{1,2}}'::int[] AS l WHERE {ALL} -- 5%"
    (row,) = ask(engine, tmp_path, query).to_pylist()
    assert row == {"a%b:c": ":begin 10:30 %s %% {x}", "l": "[1, 2]"}


def test_rows_are_streamed_in_bounded_memory(engine: Engine, tmp_path: Path) -> None:
    query = "SELECT n, repeat('x', 1000) || n AS t, n / 7.0 AS x FROM generate_series(1, {rows}) AS n WHERE " + ALL
    peaks = []
    for rows in (6_000, 25_000):
        tracemalloc.start()
        table = ask(engine, tmp_path, query.replace("{rows}", str(rows)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert table.num_rows == rows
    # Four times the rows, and no more memory to speak of: at once they would be over 25 MB.
    assert peaks[1] < 2 * peaks[0]
    assert peaks[1] < 20_000_000


@pytest.mark.parametrize(
    ("query", "kind", "said"),
    [
        (f"SELECT 1 AS a WHERE NOT {ALL}", DataError, "2013-04 has 0 columns and no rows"),
        (f"SELEC 1 WHERE {ALL}", ConfigError, 'the database rejects the query: syntax error at or near "SELEC"'),
        (f"SELECT a FROM nowhere WHERE {ALL}", ConfigError, 'relation "nowhere" does not exist'),
        (f"SELECT 1 AS a, 2 AS a WHERE {ALL}", ConfigError, "more than one column named a; rename them with AS"),
        (f"SELECT 1 / (n - 7000) AS a FROM generate_series(1, 9000) AS n WHERE {ALL}", DataError, "division by zero"),
        (
            f"SELECT ('x' || n)::int AS a FROM generate_series(1, 9) AS n WHERE {ALL}",
            DataError,
            "invalid input syntax for type integer",
        ),
        (f"SELECT int4range(1, 5) AS a WHERE {ALL}", DataError, "column a cannot be read: .*Range"),
        (f"SELECT 'infinity'::timestamptz AS a WHERE {ALL}", DataError, "cannot be read"),
        (f"SET statement_timeout = 1; SELECT pg_sleep(1) WHERE {ALL}", Exception, "source.sql of warehouse, 2013-04"),
    ],
)
def test_what_goes_wrong_with_a_query_is_said(
    engine: Engine, tmp_path: Path, query: str, kind: type[Exception], said: str
) -> None:
    if "infinity" in query and engine.driver == "psycopg2":
        pytest.skip("psycopg2 reads infinity as the last moment of the year 9999")
    with pytest.raises(kind, match=said):
        ask(engine, tmp_path, query)


def test_a_database_that_is_not_there_is_asked_again(tmp_path: Path) -> None:
    engine = create_engine("postgresql+psycopg2://user:secret@127.0.0.1:1/warehouse")
    with pytest.raises(
        TransientError, match=r"cannot connect to the database: .*Connection refused.*check the connection"
    ) as error:
        ask(engine, tmp_path, f"SELECT 1 AS a WHERE {ALL}")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "number"),
    [("7", 7), ("7::numeric", 7), ("count(*)", 1), ("extract(epoch FROM '2013-01-01 00:00Z'::timestamptz)", 1356998400)],
)
def test_a_version_is_one_whole_number(engine: Engine, answer: str, number: int) -> None:
    assert query_number(engine, f"SELECT {answer} WHERE {ALL}", BEGINS, ENDS, "source.version") == number


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT NULL WHERE {all}", "source.version returned None; allowed: one whole number"),
        ("SELECT 1.5 WHERE {all}", r"returned Decimal\('1.5'\); allowed"),
        ("SELECT -1 WHERE {all}", "returned -1; allowed"),
        ("SELECT 'x' WHERE {all}", "returned 'x'; allowed"),
        ("SELECT true WHERE {all}", "returned True; allowed"),
        ("SELECT 'NaN'::float WHERE {all}", "returned nan; allowed"),
        ("SELECT 'Infinity'::float WHERE {all}", "returned inf; allowed"),
        ("SELECT 1 WHERE NOT {all}", "returned no row; allowed"),
        ("SELECT 1, 2 WHERE {all}", "returned more than one value; allowed"),
        ("SELECT n FROM generate_series(1, 2) AS n WHERE {all}", "returned more than one value; allowed"),
    ],
)
def test_another_answer_is_no_version(engine: Engine, query: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        query_number(engine, query.replace("{all}", ALL), BEGINS, ENDS, "source.version")


def test_other_databases_are_asked_the_same_way(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/rows.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE f (t TEXT, a INTEGER)")
        connection.exec_driver_sql(
            "INSERT INTO f VALUES ('2013-03-31 23:59:59', 1), ('2013-04-01 00:00:00.000000', 2), ('2013-05-01 00:00:00.000000', 3)"
        )
    assert ask(engine, tmp_path, "SELECT a FROM f WHERE t >= {begin} AND t < {end}").to_pydict() == {"a": [2]}
