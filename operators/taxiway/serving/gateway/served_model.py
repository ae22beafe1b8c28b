"""A served model: its champion, which follows the alias in the registry, and its challenger, which has a lease."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from functools import partial

from taxiway.errors import ModelUnavailableError, RequestError, TransientError, WorkerLostError
from taxiway.serving.api import ChallengerRequest, ChallengerStatus, ModelStatus
from taxiway.serving.gateway.backends import backends_of
from taxiway.serving.gateway.batches import Batch, by_call, resolve, warn_if_lost
from taxiway.serving.gateway.registry_lookup import champion_of, require_version
from taxiway.serving.gateway.replica import ChallengerReplica, ChampionReplica, ModelReplica, PendingRequest
from taxiway.serving.gateway.request_log import Lease, LoggedRequest, RequestLog
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.process import Outcome

log = logging.getLogger(__name__)

_RETRY_LOAD_S = 30.0
_NOT_MIRRORED = (400, 503)  # errors of the caller or of the gateway, which say nothing about the versions


class ServedModel:
    """One model of the registry. All its methods run in the gateway's event loop.

    When the champion has answered a batch, the batch is logged, and its predict calls are mirrored to the challenger if its queue
    has room. Both versions make the same predict calls, so their latencies are comparable.

    Args:
        name: The registered model.
        settings: The settings of the gateway.
        request_log: The log of all requests.
    """

    def __init__(self, name: str, settings: GatewaySettings, request_log: RequestLog) -> None:
        self.name = name
        self._settings = settings
        self._log = request_log
        self._champion: ChampionReplica | None = None
        self._challenger: ChallengerReplica | None = None
        self._problem = "the gateway has not looked up its champion yet"
        self._wanted = 0
        self._retry_at = 0.0
        self._refreshing = asyncio.Lock()
        self._challenging = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

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
        if not self._champion.replica.try_submit([request]):
            raise RequestError(
                503,
                f"the queue of {self.name} is full ({self._settings.queue_limit:,} requests); try again later, or add workers",
            )
        version, outcome = await request.answered
        return request.request_id, version, outcome

    async def watch(self) -> None:
        """Check the alias, the lease and the processes about every `poll_s` seconds, until cancelled."""
        await asyncio.gather(self._keep_champion(), self._keep_challenger())

    async def _keep_champion(self) -> None:
        while True:
            try:
                await self.refresh(again=False)
                if self._champion:
                    await self._champion.replica.restart_dead()
            except (RequestError, TransientError) as error:
                self._problem = str(error)
            except Exception:
                log.exception("%s: the check of the champion failed and is repeated", self.name)
            await asyncio.sleep(self._settings.poll_s)

    async def _keep_challenger(self) -> None:
        await self._restore_challenger()
        while True:
            held = self._challenger
            try:
                if held and time.time() >= held.lease.expires_at:
                    log.info("%s: the lease of challenger %d ended", self.name, held.lease.version)
                    await self.remove_challenger(held.lease.owner)
                elif held and held.serving:
                    await held.replica.restart_dead()
            except WorkerLostError as error:
                log.warning("%s", error)
                await self._forget(held)
            except RequestError:
                log.info("%s: another owner has just replaced the challenger", self.name)
            except Exception:
                log.exception("%s: the check of the challenger failed and is repeated", self.name)
            await asyncio.sleep(self._settings.poll_s)

    async def refresh(self, *, again: bool = True) -> None:
        """Look up the champion in the registry and serve it. If it cannot be loaded, the old version stays.

        Args:
            again: Whether to load a version again whose loading failed less than 30 s ago.

        Raises:
            RequestError: 404 if the registry has no such model.
            TransientError: The registry does not answer.
        """
        async with self._refreshing:
            wanted = await asyncio.to_thread(champion_of, self._settings.tracking_uri, self.name)
            if wanted != self._wanted or again:
                self._retry_at = 0.0
            self._wanted = wanted
            if self._champion and self._champion.version == wanted:
                self._problem = ""
            elif wanted == 0:
                self._problem = "no version in the registry has the alias champion"
                self._swap(None)
            elif time.monotonic() >= self._retry_at:
                await self._load_champion(wanted)

    async def put_challenger(self, request: ChallengerRequest) -> None:
        """Load a challenger; for the same version and owner, only the lease is extended.

        Raises:
            RequestError: 404 for an unknown version, 409 if another owner's challenger is deployed, 422 if it cannot be loaded.
        """
        lease = Lease(request.version, request.owner, time.time() + request.expires_in_s, request.remote)
        async with self._challenging:
            held = self._challenger
            if held and held.lease.owner != request.owner and time.time() < held.lease.expires_at:
                until = f"{datetime.fromtimestamp(held.lease.expires_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
                raise RequestError(
                    409,
                    f"{self.name} already has a challenger: version {held.lease.version} of {held.lease.owner}, until {until}",
                )
            if held and (held.lease.version, held.lease.owner, held.lease.remote) == (lease.version, lease.owner, lease.remote):
                held.lease = lease
            else:
                await asyncio.to_thread(require_version, self._settings.tracking_uri, self.name, request.version)
                self._drop_challenger()
                held = self._challenger = self._new_challenger(lease)
            await self._log.hold(self.name, lease)
        await self._ready(held)

    async def remove_challenger(self, owner: str) -> None:
        """Remove this owner's challenger, if there is one.

        Raises:
            RequestError: 409 if the challenger belongs to another owner.
        """
        async with self._challenging:
            if self._challenger is None:
                return
            if self._challenger.lease.owner != owner:
                raise RequestError(
                    409, f"the challenger of {self.name} belongs to {self._challenger.lease.owner}, not to {owner}"
                )
            self._drop_challenger()
            await self._log.release(self.name)

    async def status(self) -> ModelStatus:
        """The champion and the challenger."""
        champion = self._champion
        return ModelStatus(
            model=self.name,
            champion=champion.version if champion else 0,
            since=champion.since if champion else None,
            problem=self._problem,
            challenger=await self.challenger(),
        )

    async def challenger(self) -> ChallengerStatus | None:
        """The challenger with its counts; None if there is none."""
        if self._challenger is None:
            return None
        lease = self._challenger.lease
        status = ChallengerStatus(
            version=lease.version,
            owner=lease.owner,
            state="serving" if self._challenger.serving else "loading",
            expires_at=datetime.fromtimestamp(lease.expires_at, UTC),
        )
        return await asyncio.to_thread(self._log.counted, self.name, status)

    async def close(self) -> None:
        """End all processes after the queued requests; the lease of the challenger is kept for the next start."""
        self._drop_challenger()
        self._swap(None)
        for draining in self._closing:
            draining.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _load_champion(self, version: int) -> None:
        done = partial(self._on_champion_batch, version)
        replica = ModelReplica(
            backends_of(self.name, version, self._settings), limit=self._settings.queue_limit, batching=True, done=done
        )
        try:
            await replica.start()
        except ModelUnavailableError as error:
            self._retry_at = time.monotonic() + _RETRY_LOAD_S
            self._problem = str(error)
            log.warning("%s", error)
            return
        self._problem = ""
        self._swap(ChampionReplica(version, replica))

    def _swap(self, new: ChampionReplica | None) -> None:
        """Replace the champion; the old one finishes its queued requests."""
        old, self._champion = self._champion, new
        log.info(
            "%s: serving champion version %s (before: %s)",
            self.name,
            new.version if new else "none",
            old.version if old else "none",
        )
        if old:
            draining = asyncio.create_task(old.replica.drain(self._settings.predict_timeout_s))
            self._closing.add(draining)
            draining.add_done_callback(self._closing.discard)

    def _on_champion_batch(self, version: int, batch: Batch) -> None:
        """Mirror and log a batch that the champion has answered; the callers get their answers once it is logged."""
        rows = []
        for answered in by_call(batch):
            call = answered[0][0].request_id
            mirrored = [request for request, outcome in answered if outcome.status not in _NOT_MIRRORED]
            challenger = self._challenger if mirrored and self._challenger and self._challenger.serving else None
            mirror = None if challenger is None else "queued" if challenger.replica.try_submit(mirrored) else "dropped"
            for request, outcome in answered:
                to = challenger.lease if challenger and outcome.status not in _NOT_MIRRORED else None
                rows.append(
                    LoggedRequest(
                        *(request.request_id, request.at, self.name, request.body, call, version, outcome.status),
                        *(outcome.predictions, outcome.error, outcome.latency_ms),
                        *((to.version, to.owner, mirror) if to else (None, None, None)),
                    )
                )
        self._log.add(rows).add_done_callback(lambda logged: resolve(version, batch, logged.exception()))

    def _on_challenger_batch(self, batch: Batch) -> None:
        answers = [
            (outcome.status, outcome.predictions, outcome.error, outcome.latency_ms, request.request_id)
            for request, outcome in batch
            if outcome.status != 503
        ]
        if answers:
            self._log.challenger_answered(answers).add_done_callback(warn_if_lost)

    def _new_challenger(self, lease: Lease) -> ChallengerReplica:
        workers = backends_of(self.name, lease.version, self._settings, lease.remote)
        return ChallengerReplica(
            lease, ModelReplica(workers, limit=self._settings.mirror_limit, batching=False, done=self._on_challenger_batch)
        )

    def _drop_challenger(self) -> None:
        if self._challenger is not None:
            self._challenger.ready.cancel()
            self._challenger.replica.kill()
            self._challenger = None

    async def _ready(self, challenger: ChallengerReplica) -> None:
        try:
            await asyncio.shield(challenger.ready)
        except ModelUnavailableError as error:
            await self._forget(challenger)
            raise RequestError(422, str(error)) from None
        except asyncio.CancelledError:
            if not challenger.ready.cancelled():
                raise
            raise RequestError(409, f"the challenger of {self.name} was removed while it was loading") from None

    async def _forget(self, challenger: ChallengerReplica | None) -> None:
        """Remove this challenger, unless another one has replaced it."""
        async with self._challenging:
            if challenger is not None and self._challenger is challenger:
                self._drop_challenger()
                await self._log.release(self.name)

    async def _restore_challenger(self) -> None:
        lease = await asyncio.to_thread(self._log.lease, self.name)
        if lease is None or time.time() >= lease.expires_at or self._challenger is not None:
            return
        self._challenger = self._new_challenger(lease)
        try:
            await self._ready(self._challenger)
        except RequestError as error:
            log.warning("%s: the challenger could not be loaded again after the restart: %s", self.name, error)
