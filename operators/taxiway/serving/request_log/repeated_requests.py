"""Requests of a log that repeat an earlier one, as those of a client that tries again, and how alike rows are.

A repeated request is no further evidence of how well a model predicts: if it counted, intervals would be too narrow. A request repeats an
earlier one if the same caller sent the same rows, with all their inputs, within `AT_ONCE_MINUTES`, and at no other time of that day (UTC).

Rows can also be the same by chance, as with few inputs. Then they also come at longer distances: of all pairs of requests of the caller on
that day, those that are near have equal rows as often as the others. So nothing counts as repeated unless at most `MAX_BY_CHANCE` of it
would be expected by chance.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from taxiway.data.engine.conditions import quoted_name
from taxiway.serving.request_log.columns import INPUT, OTHER_INPUTS

if TYPE_CHECKING:
    import duckdb

AT_ONCE_MINUTES = 5
"""The longest time between a request and the last one that repeats it."""
MAX_BY_CHANCE = 0.1
"""The largest expected share of requests that count as repeated although their rows are the same by chance."""
REPEATED = "repeated"
"""The temporary table with the ids of the requests that repeat an earlier one."""
NOT_REPEATED = f"request_id NOT IN (SELECT request_id FROM {REPEATED})"  # noqa: S608 (a constant)
"""SQL for whether a row is of another request, after `find_repeated`."""
# A response may get lost, so the labels may be for any of the same requests: the one with the most labels counts, or else the first one.
_FIND = """
CREATE OR REPLACE TEMP TABLE {table} AS
WITH asked AS MATERIALIZED (
  SELECT day, caller, request_id, min(received_at) AS received, count(*) AS size, bit_xor(hash(row, {content})) AS content
  FROM {rows} GROUP BY day, caller, request_id
), again AS MATERIALIZED (
  SELECT day, caller, size, content, max(received) - min(received) <= INTERVAL {minutes} MINUTE AS at_once
  FROM asked GROUP BY ALL HAVING count(*) > 1
), near AS (
  SELECT day, caller, count(*) OVER (
    PARTITION BY day, caller ORDER BY received RANGE BETWEEN INTERVAL {minutes} MINUTE PRECEDING AND CURRENT ROW
  ) - 1 AS near
  FROM asked SEMI JOIN again USING (day, caller)
), pairs AS (
  SELECT day, caller, sum(near)::DOUBLE AS near, count(*)::DOUBLE * (count(*) - 1) / 2 - sum(near) AS far FROM near GROUP BY ALL
), counts AS (
  SELECT day, caller, count(*) FILTER (at_once) AS at_once, count(*) FILTER (NOT at_once) AS apart FROM again GROUP BY ALL
), certain AS (
  SELECT day, caller FROM pairs JOIN counts USING (day, caller)
  WHERE far > 0 AND (apart + 1) * near <= {most_by_chance} * at_once * far
), same AS (
  SELECT day, caller, size, content, received, request_id
  FROM asked JOIN again USING (day, caller, size, content) SEMI JOIN certain USING (day, caller) WHERE at_once
)
SELECT request_id FROM same LEFT JOIN (SELECT request_id, count(*) AS labelled FROM {labels} GROUP BY ALL) USING (request_id)
QUALIFY row_number() OVER (
  PARTITION BY day, caller, size, content ORDER BY coalesce(labelled, 0) DESC, received, request_id
) > 1
"""


def find_repeated(connection: "duckdb.DuckDBPyConnection", rows: str, labels: str) -> frozenset[str]:
    """The ids of the requests that repeat an earlier one, which are also in the temporary table `REPEATED` then.

    Args:
        connection: Reads the files.
        rows: SQL for the answered rows of a request log.
        labels: SQL for their labels.
    """
    query = _FIND.format(
        table=REPEATED,
        rows=rows,
        labels=labels,
        content=_content(connection, rows),
        minutes=AT_ONCE_MINUTES,
        most_by_chance=MAX_BY_CHANCE,
    )
    connection.execute(query)
    return frozenset(name for (name,) in connection.execute(f"FROM {REPEATED}").fetchall())


def note_repeated(connection: "duckdb.DuckDBPyConnection", request_ids: Collection[str]) -> None:
    """Make the temporary table `REPEATED` of requests that `find_repeated` has found before."""
    import pyarrow as pa

    found = pa.table({"request_id": pa.array(sorted(request_ids), pa.string())})
    connection.register("found", found)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {REPEATED} AS FROM found")
    connection.unregister("found")


def most_alike(connection: "duckdb.DuckDBPyConnection", rows: str) -> int:
    """How many rows have the inputs that most rows have, without repeated requests, after `find_repeated`.

    Args:
        connection: Reads the files.
        rows: SQL for the same rows.
    """
    counts = f"SELECT count(*) AS count FROM {rows} WHERE {NOT_REPEATED} GROUP BY hash({_content(connection, rows)})"  # noqa: S608 (the names are quoted)
    ((most,),) = connection.execute(f"SELECT coalesce(max(count), 0) FROM ({counts})").fetchall()  # noqa: S608 (see above)
    return int(most)


def _content(connection: "duckdb.DuckDBPyConnection", rows: str) -> str:
    """SQL for all inputs of a row, as arguments of a hash."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {rows}").fetchall()  # noqa: S608 (the names are quoted)
    names = [name for name, *_ in described if name.startswith(INPUT) or name == OTHER_INPUTS]
    return ", ".join(map(quoted_name, names)) or "NULL"
