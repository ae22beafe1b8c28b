"""Waits until a challenger has answered requests enough, or the time is over."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from taxiway.errors import TerminalError, TransientError
from taxiway.spec.pipeline import Pipeline

POLL_SECONDS = 2.0


class ShadowTrigger(BaseTrigger):
    """Fire when the gateway has `min_requests` answers of the challenger, or when `until` has come, or the challenger is gone.

    It carries the name of a connection, not its secret.

    :param gateway_conn_id: the Airflow connection of the gateway
    :param model: the model's name
    :param owner: whose challenger it is: `DAG/RUN`
    :param min_requests: how many answered requests are enough
    :param until: when to stop waiting, ISO 8601 with a time zone
    """

    def __init__(self, *, gateway_conn_id: str, model: str, owner: str, min_requests: int, until: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.gateway_conn_id = gateway_conn_id
        self.model = model
        self.owner = owner
        self.min_requests = min_requests
        self.until = until

    @classmethod
    def of(cls, pipeline: Pipeline, owner: str, until: datetime) -> "ShadowTrigger":
        """The trigger that waits for the challenger of `owner`."""
        assert pipeline.gateway is not None
        assert pipeline.shadow is not None
        return cls(
            gateway_conn_id=pipeline.gateway,
            model=pipeline.name,
            owner=owner,
            min_requests=pipeline.shadow.min_requests,
            until=until.isoformat(),
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and arguments that Airflow keeps."""
        arguments = {
            "gateway_conn_id": self.gateway_conn_id,
            "model": self.model,
            "owner": self.owner,
            "min_requests": self.min_requests,
            "until": self.until,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """One event, which says why the wait is over."""
        client = await self._client()
        # The connections are closed before the event: who is given it need not ask for what comes after.
        async with client.async_http() as http:
            why = await self._wait(client, http)
        yield TriggerEvent({"why": why})

    async def _wait(self, client: Any, http: Any) -> str:
        """Why the wait is over."""
        until = datetime.fromisoformat(self.until)
        while datetime.now(UTC) < until:
            over = await self._over(client, http)
            if over:
                return over
            await asyncio.sleep(POLL_SECONDS)
        return f"the time was over at {self.until}"

    async def _over(self, client: Any, http: Any) -> str:
        try:
            challenger = await client.challenger_async(http, self.model)
        except TransientError as error:
            self.log.warning("looking again: %s", error)
            return ""
        except TerminalError as error:  # the task tries it too, and fails with this reason in its own log
            return f"the gateway refuses to tell: {error}"
        if challenger is None or challenger.owner != self.owner:
            return "the challenger is gone from the gateway"
        done = challenger.answered + challenger.errors
        return f"{done} requests were answered" if done >= self.min_requests else ""

    async def _client(self) -> Any:
        from taxiway.hooks.gateway import GatewayHook
        from taxiway.hooks.mlflow import http_address
        from taxiway.serving.client import GatewayClient

        connection: Any = await GatewayHook.aget_connection(self.gateway_conn_id)
        return GatewayClient(http_address(connection), connection.password or "")
