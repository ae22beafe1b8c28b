"""Asks a challenger the logged requests of past days, and pairs its answers with those that the champion gave then.

The challenger predicts in this process, so neither the gateway nor its log knows of it. Nothing is kept: whoever is stopped in the middle
asks again, and gets the same pairs. Latencies are not compared: the champion's is of another time, in another process.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.conditions import quoted_name
from taxiway.errors import ConfigError, NoRequestsError, RequestError
from taxiway.records.shadow_pairs import Answer, Pair
from taxiway.serving.protocol import LARGEST_LIMITS, read_rows
from taxiway.serving.request_log.columns import INPUT, OTHER_INPUTS
from taxiway.serving.request_log.files import read_request_log
from taxiway.serving.workers.process import predict_with

if TYPE_CHECKING:
    import duckdb

    from taxiway.features.signature import ModelColumns
    from taxiway.models.predictor import Predictor
    from taxiway.serving.workers.base import Outcome

MAX_ROWS = 50_000
"""The largest number of rows that are replayed: those of the newest requests."""
_MAX_BODIES_CHARACTERS = 16 << 20
_REQUESTS_AT_ONCE = 256
_ROWS_AT_ONCE = 2_000
_ANSWERED = """
FROM requests WHERE model = $model AND champion_version = $champion AND champion_status = 200 AND day BETWEEN $since AND $until
AND challenger_owner IS DISTINCT FROM $owner
"""
_NEWEST = """
SELECT request_id FROM (
    SELECT request_id, sum(count(*)) OVER (ORDER BY max(received_at) DESC, request_id) AS rows {answered} GROUP BY request_id
) WHERE rows <= {most}
"""


@dataclass(frozen=True)
class Replay:
    """Which requests are replayed.

    Attributes:
        folder: The folder of the request log's Parquet files.
        model: The registered model.
        champion: The version that answered them.
        challenger: The version that predicts the logged requests.
        owner: The owner of the challenger: requests that were mirrored to it are live ones, and are left out.
        since: The first day of the requests, in UTC.
        until: The last day.
    """

    folder: Path
    model: str
    champion: int
    challenger: int
    owner: str
    since: date
    until: date


@dataclass(frozen=True)
class _Logged:
    """A logged request: its body is made anew from its inputs; `labels` is None if a row has none."""

    request_id: str
    at: datetime
    columns: tuple[str, ...]
    body: str
    predictions: list[Any]
    labels: tuple[Any, ...] | None


def replayed_pairs(replay: Replay, predictor: "Predictor", needed: "ModelColumns", *, bodies: int) -> tuple[Pair, ...]:
    """Ask a challenger the newest requests that the champion answered on some days.

    Args:
        replay: Which requests.
        predictor: The challenger.
        needed: The columns that the champion takes.
        bodies: How many of the pairs, the newest ones, have the bodies of their requests; at most 16 Mi characters together.

    Returns:
        The pairs, oldest first, with a latency of 0 and the labels that are known by now; none if the log has no such requests.

    Raises:
        ConfigError: The folder does not exist, or the log does not have the inputs as they were sent.
    """

    def read(connection: "duckdb.DuckDBPyConnection") -> list[Pair]:
        found: list[Pair] = []
        for batch in _batches(_requests(connection, replay)):
            _require_inputs(batch, needed)
            outcomes = predict_with(predictor, [_rows(logged, replay) for logged in batch])
            found += [_pair(logged, outcome, replay) for logged, outcome in zip(batch, outcomes, strict=True)]
            _drop_bodies(found, bodies)
        return found

    try:
        pairs = read_request_log(replay.folder, read, model=replay.model, since=replay.since, until=replay.until)
    except NoRequestsError:
        return ()
    return tuple(pairs)


def _requests(connection: "duckdb.DuckDBPyConnection", replay: Replay) -> Iterator[_Logged]:
    described = connection.execute("DESCRIBE requests").fetchall()
    names = [name.removeprefix(INPUT) for name, *_ in described if name.startswith(INPUT)]
    inputs = ", ".join(quoted_name(INPUT + name) for name in names)
    query = f"""
        SELECT request_id, epoch(received_at), prediction, label, label_value, {OTHER_INPUTS}{inputs and ", "}{inputs}
        FROM (SELECT * {_ANSWERED}) SEMI JOIN ({_NEWEST.format(answered=_ANSWERED, most=MAX_ROWS)}) USING (request_id)
        LEFT JOIN labels USING (model, day, request_id, row) ORDER BY received_at, request_id, row
    """  # noqa: S608 (names are quoted)
    parameters = {"model": replay.model, "champion": replay.champion, "owner": replay.owner}
    cursor = connection.execute(query, parameters | {"since": replay.since, "until": replay.until})
    for request_id, rows in groupby(_fetched(cursor), key=lambda row: row[0]):
        yield _logged(request_id, list(rows), names)


def _fetched(cursor: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        yield from rows


def _logged(request_id: str, rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> _Logged:
    """A request of its rows; an input that is null in SQL was not sent, and one that is null in JSON was."""
    cells = [_cells(names, row[6:], row[5]) for row in rows]
    columns = tuple(cells[0])
    data = ", ".join(f"[{', '.join(of_row.get(name, 'null') for name in columns)}]" for of_row in cells)
    predictions = [json.loads(row[2]) for row in rows]
    labels = [
        row[4] if isinstance(prediction, int | float) else row[3] for row, prediction in zip(rows, predictions, strict=True)
    ]
    return _Logged(
        request_id=request_id,
        at=datetime.fromtimestamp(rows[0][1], UTC),
        columns=columns,
        body=f'{{"dataframe_split": {{"columns": {json.dumps(columns, ensure_ascii=False)}, "data": [{data}]}}}}',
        predictions=predictions,
        labels=None if None in labels else tuple(labels),
    )


def _cells(names: Sequence[str], inputs: Sequence[str | None], others: Mapping[str, str] | None) -> dict[str, str]:
    own = {name: cell for name, cell in zip(names, inputs, strict=True) if cell is not None}
    return own | {name: cell for name, cell in (others or {}).items() if name not in own}


def _batches(requests: Iterator[_Logged]) -> Iterator[list[_Logged]]:
    """A few requests at a time, with few rows together, because they are predicted in one call."""
    batch: list[_Logged] = []
    for request in requests:
        batch.append(request)
        if len(batch) == _REQUESTS_AT_ONCE or sum(len(each.predictions) for each in batch) >= _ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _require_inputs(batch: Sequence[_Logged], needed: "ModelColumns") -> None:
    for logged in batch:
        missing = [name for name in needed.names if name not in logged.columns and name not in needed.optional]
        if missing:
            raise ConfigError(
                f"request {logged.request_id} cannot be replayed, because the log does not have its {', '.join(missing)}: the gateway leaves such "
                "inputs out (--omit-column), or has logged them under another name; remove shadow.replay"
            )


def _rows(logged: _Logged, replay: Replay) -> Any:
    try:
        return read_rows(logged.body.encode(), LARGEST_LIMITS)[1]
    except RequestError as error:
        raise ConfigError(
            f"request {logged.request_id} cannot be replayed from {replay.folder}: {error}. With taxiway serve --hash-column, the log has "
            "hashes instead of values; remove shadow.replay, or the option"
        ) from None


def _pair(logged: _Logged, outcome: "Outcome", replay: Replay) -> Pair:
    predictions = json.loads(outcome.predictions) if outcome.status == 200 else None
    return Pair(
        request_id=logged.request_id,
        call=logged.request_id,
        at=logged.at,
        champion=Answer(version=replay.champion, predictions=logged.predictions, error="", latency_ms=0),
        challenger=Answer(version=replay.challenger, predictions=predictions, error=outcome.error, latency_ms=0),
        body=logged.body,
        labels=logged.labels,
    )


def _drop_bodies(pairs: list[Pair], most: int) -> None:
    """Keep only the newest bodies, so that memory does not grow with them."""
    characters = 0
    for position in range(len(pairs) - 1, -1, -1):
        body = pairs[position].body
        if body is None:
            break
        characters += len(body)
        if len(pairs) - position > most or characters > _MAX_BODIES_CHARACTERS:
            pairs[position] = pairs[position].model_copy(update={"body": None})
