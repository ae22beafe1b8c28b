"""The trigger that waits until a challenger has answered enough requests."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from taxiway.errors import TerminalError, TransientError
from taxiway.spec.pipeline import Pipeline

if TYPE_CHECKING:
    from taxiway.stages.shadow import Wait

POLL_SECONDS = 2.0


class ShadowTrigger(BaseTrigger):
    """Fire when the challenger has answered `min_requests` requests, `labelled` of which have a label.

    It also fires at the time `until`, or when the challenger is gone.

    Airflow stores the name of the connection, not its token.

    Args:
        gateway_conn_id: The Airflow connection of the gateway.
        model: The registered model.
        owner: The challenger's owner.
        min_requests: How many answered requests are enough.
        until: When to stop waiting, in ISO 8601 with a time zone.
        labelled: How many of these requests are to have a label.
    """

    def __init__(
        self, *, gateway_conn_id: str, model: str, owner: str, min_requests: int, until: str, labelled: int = 0
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.gateway_conn_id = gateway_conn_id
        self.model = model
        self.owner = owner
        self.min_requests = min_requests
        self.until = until
        self.labelled = labelled

    @classmethod
    def of(cls, pipeline: Pipeline, wait: "Wait") -> "ShadowTrigger":
        """Create the trigger for a pipeline's challenger."""
        assert pipeline.gateway is not None
        return cls(
            gateway_conn_id=pipeline.gateway,
            model=pipeline.name,
            owner=wait.owner,
            min_requests=wait.requests,
            until=wait.until.isoformat(),
            labelled=wait.labelled,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class path and the arguments, as Airflow stores them."""
        arguments = {
            "gateway_conn_id": self.gateway_conn_id,
            "model": self.model,
            "owner": self.owner,
            "min_requests": self.min_requests,
            "until": self.until,
            "labelled": self.labelled,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, with the reason why the wait ended, and when it would have ended at the latest."""
        client = await self._client()
        # The connections are closed before the event: Airflow may not resume this generator after it.
        async with client.async_http() as http:
            why = await self._wait(client, http)
        yield TriggerEvent({"why": why, "until": self.until})

    async def _wait(self, client: Any, http: Any) -> str:
        """Wait; returns why the wait ended."""
        until = datetime.fromisoformat(self.until)
        while datetime.now(UTC) < until:
            reason = await self._check(client, http)
            if reason:
                return reason
            await asyncio.sleep(POLL_SECONDS)
        return f"max_wait ended at {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

    async def _check(self, client: Any, http: Any) -> str:
        """Why the wait ends now; empty if it does not."""
        try:
            challenger = await client.challenger_async(http, self.model)
        except TransientError as error:
            self.log.warning("the check is repeated in %g s: %s", POLL_SECONDS, error)
            return ""
        except TerminalError as error:  # the task makes the same request, and fails with this reason in its own log
            return f"the gateway rejects the request: {error}"
        if challenger is None or challenger.owner != self.owner:
            return "the gateway no longer has this challenger"
        done = challenger.answered + challenger.errors
        if done < self.min_requests or challenger.labelled < self.labelled:
            return ""
        labels = f", and {challenger.labelled:,} of them have labels" if self.labelled else ""
        return f"the challenger answered {done:,} requests{labels}"

    async def _client(self) -> Any:
        from taxiway.hooks.gateway import GatewayHook
        from taxiway.hooks.mlflow import http_address
        from taxiway.serving.client import GatewayClient

        connection: Any = await GatewayHook.aget_connection(self.gateway_conn_id)
        return GatewayClient(http_address(connection), connection.password or "")
