"""Sends the rows of a table to a gateway, one request per row, as live traffic for tests and demonstrations."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class ReplayResult:
    """The results of the requests.

    Attributes:
        sent: How many requests were sent.
        answered: How many got predictions.
        errors: How many got an HTTP error.
        lost: How many got no HTTP response.
    """

    sent: int
    answered: int
    errors: int
    lost: int


async def replay(
    url: str,
    token: str,
    model: str,
    records: Sequence[Mapping[str, Any]],
    *,
    connections: int = 8,
    progress: Callable[[ReplayResult], None] | None = None,
) -> ReplayResult:
    """Send each record once, as fast as the gateway answers.

    Args:
        url: The gateway's address.
        token: The caller token.
        model: The registered model.
        records: The rows, with JSON values and None for a missing value.
        connections: How many requests are sent at a time.
        progress: Called after every request, from the event loop.
    """
    counts = {"answered": 0, "errors": 0, "lost": 0}
    remaining = iter(records)
    target = f"{url.rstrip('/')}/models/{quote(model, safe='')}/invocations"

    def so_far() -> ReplayResult:
        return ReplayResult(sum(counts.values()), **counts)

    async def one_connection(http: httpx.AsyncClient) -> None:
        for record in remaining:
            try:
                response = await http.post(target, json={"dataframe_records": [record]})
                counts["answered" if response.is_success else "errors"] += 1
            except httpx.TransportError:
                counts["lost"] += 1
            if progress is not None:
                progress(so_far())

    limits = httpx.Limits(max_connections=connections)
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT_S, limits=limits) as http:
        await asyncio.gather(*(one_connection(http) for _ in range(connections)))
    return so_far()
