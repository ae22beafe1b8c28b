"""A served model: its champion follows the alias in the registry, and its answers are logged and mirrored to the challenger."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from taxiway.errors import ModelUnavailableError, RequestError, TransientError
from taxiway.serving.api import ModelStatus
from taxiway.serving.gateway.backends import backends_of
from taxiway.serving.gateway.batches import by_call, resolve
from taxiway.serving.gateway.challenger import ChallengerDeployment
from taxiway.serving.gateway.pending_request import Batch, PendingRequest
from taxiway.serving.gateway.registry_lookup import champion_of
from taxiway.serving.gateway.request_log import LoggedRequest, RequestLog
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.gateway.version_server import VersionServer
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.base import Outcome

log = logging.getLogger(__name__)

_LOAD_RETRY_DELAY_S = 30.0
_NOT_MIRRORED = (400, 503)  # errors of the caller or of the gateway, which say nothing about the versions


class Champion:
    """The champion, and since when it answers.

    Args:
        version: The model version.
        server: Serves its version.
    """

    def __init__(self, version: int, server: VersionServer) -> None:
        self.version = version
        self.server = server
        self.since = datetime.now(UTC)


class ServedModel:
    """One model of the registry. All its methods run in the gateway's event loop.

    When the champion has answered a batch, the batch is logged, and its predict calls are mirrored to the challenger if its queue
    has room. Both versions make the same predict calls, so their latencies are comparable.

    Args:
        name: The registered model.
        settings: The settings of the gateway.
        request_log: The log of all requests.

    Attributes:
        challenger: Deploys and removes the challenger.
    """

    def __init__(self, name: str, settings: GatewaySettings, request_log: RequestLog) -> None:
        self.name = name
        self._settings = settings
        self._log = request_log
        self._champion: Champion | None = None
        self._problem = "the gateway has not looked up its champion yet"
        self._wanted = 0
        self._retry_at = 0.0
        self._refresh_lock = asyncio.Lock()
        self._draining: dict[asyncio.Task[None], VersionServer] = {}
        self.challenger = ChallengerDeployment(name, settings, request_log)

    async def predict(self, body: str, rows: Rows) -> tuple[str, int, Outcome]:
        """Answer a request with the champion, and log it before returning.

        Args:
            body: The request's JSON.
            rows: Its rows.

        Returns:
            The request's id, the version that answered, and the outcome.

        Raises:
            RequestError: 503 if there is no champion, if its queue is full, or if the log cannot be written.
        """
        if self._champion is None:
            raise RequestError(503, f"{self.name} cannot answer, no champion is loaded: {self._problem}")
        request = PendingRequest(body, rows, asyncio.get_running_loop().create_future())
        if not self._champion.server.try_submit([request]):
            raise RequestError(
                503,
                f"the queue of {self.name} is full ({self._settings.queue_limit:,} requests); try again later, or add workers",
            )
        version, outcome = await request.answered
        return request.request_id, version, outcome

    async def watch(self) -> None:
        """Check the alias, the lease and the workers about every `poll_s` seconds, until cancelled."""
        checks = (self._check_alias, self._check_workers, self.challenger.check_lease, self.challenger.check_workers)
        async with asyncio.TaskGroup() as group:
            for check in checks:  # separate tasks: restarting a worker may take minutes
                group.create_task(self._watch(check))

    async def _watch(self, check: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await check()
            except Exception:
                log.exception("%s: a check failed and is repeated", self.name)
            await asyncio.sleep(self._settings.poll_s)

    async def _check_alias(self) -> None:
        try:
            await self.refresh(retry_failed=False)
        except (RequestError, TransientError) as error:
            self._problem = str(error)

    async def _check_workers(self) -> None:
        if self._champion:
            await self._champion.server.restart_dead()

    async def refresh(self, *, retry_failed: bool = True) -> None:
        """Look up the champion in the registry and serve it. If it cannot be loaded, the old version stays.

        Args:
            retry_failed: Whether to load a version again whose loading failed less than 30 s ago.

        Raises:
            RequestError: 404 if the registry has no such model.
            TransientError: The registry does not answer.
        """
        async with self._refresh_lock:
            wanted = await asyncio.to_thread(champion_of, self._settings.tracking_uri, self.name)
            if wanted != self._wanted or retry_failed:
                self._retry_at = 0.0
            self._wanted = wanted
            if self._champion and self._champion.version == wanted:
                self._problem = ""
            elif wanted == 0:
                self._problem = "no version in the registry has the alias champion"
                self._swap(None)
            elif time.monotonic() >= self._retry_at:
                await self._load_champion(wanted)

    async def status(self) -> ModelStatus:
        """The champion and the challenger."""
        champion = self._champion
        return ModelStatus(
            model=self.name,
            champion=champion.version if champion else 0,
            since=champion.since if champion else None,
            problem=self._problem,
            challenger=await self.challenger.status(),
        )

    async def close(self) -> None:
        """End all workers; queued requests are answered with an error, and the lease of the challenger is kept."""
        self.challenger.drop()
        for draining, server in list(self._draining.items()):
            draining.cancel()
            server.kill()  # a task that is cancelled before its first step does not get to this
            await server.closed()
        if self._champion:
            champion, self._champion = self._champion, None
            champion.server.kill()
            await champion.server.closed()

    async def _load_champion(self, version: int) -> None:
        done = partial(self._on_champion_batch, version)
        server = VersionServer(
            self.name,
            version,
            backends_of(self.name, version, self._settings),
            limit=self._settings.queue_limit,
            batching=True,
            done=done,
        )
        try:
            await server.start()
        except ModelUnavailableError as error:
            self._retry_at = time.monotonic() + _LOAD_RETRY_DELAY_S
            self._problem = str(error)
            log.warning("%s", error)
            return
        self._problem = ""
        self._swap(Champion(version, server))

    def _swap(self, new: Champion | None) -> None:
        """Replace the champion; the old one finishes its queued requests."""
        old, self._champion = self._champion, new
        if old is new:
            return
        versions = [str(champion.version) if champion else "none" for champion in (new, old)]
        log.info("%s: serving champion version %s (before: %s)", self.name, *versions)
        if old:
            draining = asyncio.create_task(old.server.drain(self._settings.predict_timeout_s))
            self._draining[draining] = old.server
            draining.add_done_callback(self._draining.pop)

    def _on_champion_batch(self, version: int, batch: Batch) -> None:
        """Mirror and log a batch that the champion has answered; the callers get their answers once it is logged."""
        try:
            rows = [row for answered in by_call(batch) for row in self._mirror(version, answered)]
            logged = self._log.add(rows)
        except Exception as error:
            resolve(version, batch, error)
            raise
        logged.add_done_callback(lambda logged: resolve(version, batch, logged.exception()))

    def _mirror(self, version: int, answered: Batch) -> list[LoggedRequest]:
        """Mirror the requests of one predict call to the challenger; returns their rows for the log."""
        requests = [request for request, _ in answered]
        status = answered[0][1].status  # all outcomes of a predict call have the same status
        challenger = self.challenger.current
        lease, mirror = None, None
        if challenger and challenger.serving and status not in _NOT_MIRRORED:
            lease = challenger.lease
            # Its answers update the rows, which are not yet queued for the log. It cannot answer before they are: it runs in this
            # event loop, and nothing is awaited in between.
            queued = challenger.server.try_submit(requests)
            mirror = "queued" if queued else "dropped"
        return [
            LoggedRequest(
                request_id=request.request_id,
                at=request.at,
                model=self.name,
                payload=request.body,
                call=requests[0].request_id,
                champion_version=version,
                champion_status=outcome.status,
                champion_answer=outcome.predictions,
                champion_error=outcome.error,
                champion_ms=outcome.latency_ms,
                challenger_version=lease.version if lease else None,
                challenger_owner=lease.owner if lease else None,
                mirror=mirror,
            )
            for request, outcome in answered
        ]
