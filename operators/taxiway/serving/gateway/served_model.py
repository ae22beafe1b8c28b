"""A followed model: its champion, kept to the registry's alias, and its challenger, kept to a lease."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from functools import partial
from itertools import groupby

from taxiway.errors import ModelUnavailableError, RequestError, TransientError, WorkerLostError
from taxiway.serving.api import ChallengerRequest, ChallengerStatus, ModelStatus
from taxiway.serving.gateway.backends import backends_of
from taxiway.serving.gateway.registry_lookup import champion_of, require_version
from taxiway.serving.gateway.replica import ModelReplica, PendingRequest
from taxiway.serving.gateway.request_log import Lease, LoggedRequest, RequestLog
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.process import Outcome

log = logging.getLogger(__name__)

_RETRY_LOAD_S = 30.0
_NOT_MIRRORED = (400, 503)  # the caller's fault or ours: says nothing about either version


class ChampionReplica:
    """The version that answers, and since when."""

    def __init__(self, version: int, side: ModelReplica) -> None:
        self.version = version
        self.side = side
        self.since = datetime.now(UTC)


class ChallengerReplica:
    """The version in the shadow. `ready` is done when its processes took the model, or could not."""

    def __init__(self, lease: Lease, side: ModelReplica) -> None:
        self.lease = lease
        self.side = side
        self.ready = asyncio.create_task(side.start())

    @property
    def serving(self) -> bool:
        return self.ready.done() and not self.ready.cancelled() and self.ready.exception() is None


class ServedModel:
    """One model of the registry. All its methods run in the gateway's event loop.

    Once the champion has dealt with a batch, it goes to the log, and the same predict calls go to the challenger if its queue
    has room: both sides make the same calls, which makes their latencies comparable.
    """

    def __init__(self, name: str, settings: GatewaySettings, request_log: RequestLog) -> None:
        self.name = name
        self._settings = settings
        self._log = request_log
        self._champion: ChampionReplica | None = None
        self._challenger: ChallengerReplica | None = None
        self._problem = "its champion was not looked up yet"
        self._wanted = 0
        self._retry_at = 0.0
        self._refreshing = asyncio.Lock()
        self._challenging = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def predict(self, body: str, rows: Rows) -> tuple[str, int, Outcome]:
        """The request's id, the version that answered, and its outcome, after they are in the log.

        Raises RequestError (503) where nobody can answer, or where the log cannot be written: nothing is answered unlogged.
        """
        if self._champion is None:
            raise RequestError(503, f"{self.name} has no champion that could answer: {self._problem}")
        job = PendingRequest(body, rows, asyncio.get_running_loop().create_future())
        if not self._champion.side.try_submit([job]):
            raise RequestError(
                503, f"{self.name} has {self._settings.queue_limit} requests waiting; try again later, or add workers"
            )
        version, outcome = await job.answered
        return job.request_id, version, outcome

    async def watch(self) -> None:
        """Follow the alias, the lease and the processes, about once every `poll_s` seconds, until cancelled."""
        await asyncio.gather(self._keep_champion(), self._keep_challenger())

    async def _keep_champion(self) -> None:
        while True:
            try:
                await self.refresh(again=False)
                if self._champion:
                    await self._champion.side.restart_dead()
            except (RequestError, TransientError) as error:
                self._problem = str(error)
            except Exception:
                log.exception("%s: following the champion", self.name)
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
                    await held.side.restart_dead()
            except WorkerLostError as error:
                log.warning("%s", error)
                await self._forget(held)
            except RequestError:
                log.info("%s: the challenger changed hands just now", self.name)
            except Exception:
                log.exception("%s: keeping the challenger", self.name)
            await asyncio.sleep(self._settings.poll_s)

    async def refresh(self, *, again: bool = True) -> None:
        """Serve the version that the registry calls champion. `again`: try to load one that failed a moment ago.

        A version that cannot be loaded leaves the old one in place. Raises RequestError (404) or TransientError as `champion_of`.
        """
        async with self._refreshing:
            wanted = await asyncio.to_thread(champion_of, self._settings.tracking_uri, self.name)
            if wanted != self._wanted or again:
                self._retry_at = 0.0
            self._wanted = wanted
            if self._champion and self._champion.version == wanted:
                self._problem = ""
            elif wanted == 0:
                self._problem = "the registry has no version with the alias champion"
                self._swap(None)
            elif time.monotonic() >= self._retry_at:
                await self._load_champion(wanted)

    async def put_challenger(self, asked: ChallengerRequest) -> None:
        """Load a challenger; the same version and owner again only prolongs its lease.

        Raises RequestError: 404 for an unknown version, 409 while another owner's lives, 422 if it cannot be loaded.
        """
        lease = Lease(asked.version, asked.owner, time.time() + asked.expires_in_s, asked.remote)
        async with self._challenging:
            held = self._challenger
            if held and held.lease.owner != asked.owner and time.time() < held.lease.expires_at:
                until = datetime.fromtimestamp(held.lease.expires_at, UTC).isoformat(timespec="seconds")
                raise RequestError(
                    409,
                    f"{self.name} has a challenger already: version {held.lease.version} of {held.lease.owner}, until {until}",
                )
            if held and (held.lease.version, held.lease.owner, held.lease.remote) == (lease.version, lease.owner, lease.remote):
                held.lease = lease
            else:
                await asyncio.to_thread(require_version, self._settings.tracking_uri, self.name, asked.version)
                self._drop_challenger()
                held = self._challenger = self._new_challenger(lease)
            await self._log.hold(self.name, lease)
        await self._ready(held)

    async def remove_challenger(self, owner: str) -> None:
        """End this owner's challenger; nothing happens if there is none. Raises RequestError (409) if it is another owner's."""
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
        """Who answers, and how the challenger fares."""
        champion = self._champion
        return ModelStatus(
            model=self.name,
            champion=champion.version if champion else 0,
            since=champion.since if champion else None,
            problem=self._problem,
            challenger=await self.challenger(),
        )

    async def challenger(self) -> ChallengerStatus | None:
        """The challenger with its counts, or None."""
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
        """End all processes, when no caller waits any more; the challenger's lease stays for the next start."""
        self._drop_challenger()
        self._swap(None)
        for draining in self._closing:
            draining.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _load_champion(self, version: int) -> None:
        did = partial(self._champion_did, version)
        side = ModelReplica(
            backends_of(self.name, version, self._settings), limit=self._settings.queue_limit, batching=True, done=did
        )
        try:
            await side.start()
        except ModelUnavailableError as error:
            self._retry_at = time.monotonic() + _RETRY_LOAD_S
            self._problem = str(error)
            log.warning("%s", error)
            return
        self._problem = ""
        self._swap(ChampionReplica(version, side))

    def _swap(self, new: ChampionReplica | None) -> None:
        """From here on `new` answers; the old one finishes what it has queued."""
        old, self._champion = self._champion, new
        log.info("%s: champion is %s, was %s", self.name, new.version if new else "none", old.version if old else "none")
        if old:
            draining = asyncio.create_task(old.side.drain(self._settings.predict_timeout_s))
            self._closing.add(draining)
            draining.add_done_callback(self._closing.discard)

    def _champion_did(self, version: int, batch: list[tuple[PendingRequest, Outcome]]) -> None:
        """Mirror and log a batch that the champion has dealt with; tell the callers once the log has it."""
        rows = []
        for _, group in groupby(sorted(batch, key=_call), key=_call):
            done = list(group)
            call = done[0][0].request_id
            mirrored = [job for job, outcome in done if outcome.status not in _NOT_MIRRORED]
            challenger = self._challenger if mirrored and self._challenger and self._challenger.serving else None
            mirror = None if challenger is None else "queued" if challenger.side.try_submit(mirrored) else "dropped"
            for job, outcome in done:
                to = challenger.lease if challenger and outcome.status not in _NOT_MIRRORED else None
                rows.append(
                    LoggedRequest(
                        *(job.request_id, job.at, self.name, job.body, call, version, outcome.status),
                        *(outcome.predictions, outcome.error, outcome.latency_ms),
                        *((to.version, to.owner, mirror) if to else (None, None, None)),
                    )
                )
        self._log.add(rows).add_done_callback(lambda logged: _tell(version, batch, logged.exception()))

    def _challenger_did(self, batch: list[tuple[PendingRequest, Outcome]]) -> None:
        done = [(o.status, o.predictions, o.error, o.latency_ms, job.request_id) for job, o in batch if o.status != 503]
        if done:
            self._log.challenger_answered(done).add_done_callback(_warn)

    def _new_challenger(self, lease: Lease) -> ChallengerReplica:
        workers = backends_of(self.name, lease.version, self._settings, lease.remote)
        return ChallengerReplica(
            lease, ModelReplica(workers, limit=self._settings.mirror_limit, batching=False, done=self._challenger_did)
        )

    def _drop_challenger(self) -> None:
        if self._challenger is not None:
            self._challenger.ready.cancel()
            self._challenger.side.kill()
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
            raise RequestError(409, f"the challenger of {self.name} was removed while it was being loaded") from None

    async def _forget(self, challenger: ChallengerReplica | None) -> None:
        """End this challenger, unless another one has taken its place."""
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
            log.warning("%s: the challenger of before the restart is lost: %s", self.name, error)


def _call(done: tuple[PendingRequest, Outcome]) -> int:
    return done[1].call


def _tell(version: int, batch: list[tuple[PendingRequest, Outcome]], error: BaseException | None) -> None:
    for job, outcome in batch:
        if job.answered.done():  # the caller has hung up
            continue
        if error is None:
            job.answered.set_result((version, outcome))
        else:
            job.answered.set_exception(
                RequestError(503, f"the request log cannot be written ({error}), so nothing is answered")
            )


def _warn(logged: asyncio.Future[None]) -> None:
    if logged.exception() is not None:
        log.error("the challenger's answers are lost, the request log cannot be written: %s", logged.exception())
