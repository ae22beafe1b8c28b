"""The gateway's client makes only the connections that it uses, and the trigger's wait makes one for all its polls."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from running import ADMIN

from taxiway.serving.client import GatewayClient
from taxiway.triggers import shadow
from taxiway.triggers.shadow import ShadowTrigger

STATUS = {"version": 2, "owner": "f.late/run-1", "state": "serving", "expires_at": "2026-01-01T00:00:00Z"}


class Watched(GatewayClient):
    """A client whose polls are answered here: the challenger has answered one request more each time."""

    def __init__(self) -> None:
        super().__init__("http://gateway", ADMIN)
        self.polls = 0
        self.made: list[httpx.AsyncClient] = []

    def async_http(self) -> httpx.AsyncClient:
        self.made.append(httpx.AsyncClient(transport=httpx.MockTransport(self._answer)))
        return self.made[-1]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/models/f.late/challenger"
        self.polls += 1
        counts = {"mirrored": self.polls, "answered": self.polls, "errors": 0, "dropped": 0, "labelled": self.polls // 2}
        return httpx.Response(200, json={"challenger": STATUS | counts})


@pytest.mark.parametrize(
    ("min_requests", "labelled", "wait_s", "why"),
    [
        (4, 0, 60, "the challenger answered 4 requests"),
        (2, 3, 60, "the challenger answered 6 requests, and 3 of them have labels"),
        (10**9, 0, 0.2, "max_wait ended at"),
        (2, 10**9, 0.2, "max_wait ended at"),
    ],
)
def test_one_wait_is_one_set_of_connections(
    min_requests: int, labelled: int, wait_s: float, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Watched()

    async def made(_: Any) -> Watched:
        return client

    monkeypatch.setattr(ShadowTrigger, "_client", made)
    monkeypatch.setattr(shadow, "POLL_SECONDS", 0.01)
    until = (datetime.now(UTC) + timedelta(seconds=wait_s)).isoformat()
    trigger = ShadowTrigger(
        gateway_conn_id="g",
        model="f.late",
        owner="f.late/run-1",
        min_requests=min_requests,
        until=until,
        labelled=labelled,
    )
    assert ShadowTrigger(**trigger.serialize()[1]).serialize() == trigger.serialize()

    async def events() -> list[str]:
        return [event.payload["why"] async for event in trigger.run()]

    (reason,) = asyncio.run(events())
    assert reason.startswith(why)
    assert client.polls >= 4
    assert [http.is_closed for http in client.made] == [True]
    assert "_http" not in vars(client), "the connections of the other methods were never made"


def test_a_client_that_asked_nothing_has_nothing_to_close() -> None:
    with GatewayClient("http://gateway", ADMIN) as client:
        pass
    assert "_http" not in vars(client)
    http = client._http
    client.close()
    assert http.is_closed
