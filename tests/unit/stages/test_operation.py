"""How the requests of a window were answered: each request counts once, whatever its rows."""

from datetime import date

import duckdb

from taxiway.records.served import Operation
from taxiway.stages.monitor.windows.operation import operation


def test_requests_errors_and_latency_are_by_window() -> None:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE requests (model TEXT, champion_version BIGINT, champion_status BIGINT, total_ms DOUBLE, row BIGINT, day DATE)"
    )
    monday, sunday, later = date(2026, 1, 5), date(2026, 1, 11), date(2026, 1, 12)
    rows = [("a.b", 1, 200, float(ms), 0, monday) for ms in range(1, 99)]
    rows += [("a.b", 1, 200, 7.0, row, monday) for row in range(1, 50)]  # the other rows of one request
    rows += [("a.b", 1, 500, 99.0, 0, sunday), ("a.b", 1, 400, 100.0, 0, sunday)]
    rows += [("a.b", 1, 200, None, 0, later), ("a.b", 2, 500, 1.0, 0, monday), ("a.c", 1, 500, 1.0, 0, monday)]
    connection.executemany("INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?)", rows)
    found = operation(connection, "a.b", 1, "week", None, later)
    assert found == {
        monday: Operation(requests=100, errors=1, rejected=1, p50_ms=50.5, p99_ms=99.01),
        later: Operation(requests=1, errors=0),
    }
    assert found[monday].describe() == "100 requests, 1.0% with an error, 1.0% rejected, 50.5 ms (p99 99 ms)"
    assert found[later].describe() == "1 request, 0.0% with an error"
    assert set(operation(connection, "a.b", 1, "week", later, later)) == {later}
