"""The challenger of a model: it is loaded for an owner, and removed when its lease expires."""

import asyncio
import logging
import time
from datetime import UTC, datetime

from taxiway.errors import ModelUnavailableError, RequestError, WorkerLostError
from taxiway.serving.api import ChallengerRequest, ChallengerStatus
from taxiway.serving.gateway.backends import backends_of
from taxiway.serving.gateway.batches import warn_if_lost
from taxiway.serving.gateway.pending_request import Batch
from taxiway.serving.gateway.registry_lookup import require_version
from taxiway.serving.gateway.request_log import Lease, RequestLog
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.gateway.version_server import VersionServer

log = logging.getLogger(__name__)


class Challenger:
    """A challenger, which starts to load at once; `ready` is done when it has loaded or failed to.

    Args:
        lease: Who deployed it, and until when.
        server: Serves its version.
    """

    def __init__(self, lease: Lease, server: VersionServer) -> None:
        self.lease = lease
        self.server = server
        self.ready = asyncio.create_task(server.start())

    @property
    def serving(self) -> bool:
        """Whether the version has been loaded."""
        return self.ready.done() and self.load_error is None

    @property
    def load_error(self) -> BaseException | None:
        """Why the version could not be loaded; None if it has been, or is still loading."""
        if not self.ready.done():
            return None
        return asyncio.CancelledError("it was removed") if self.ready.cancelled() else self.ready.exception()

    @property
    def expired(self) -> bool:
        """Whether the lease has expired."""
        return time.time() >= self.lease.expires_at


class ChallengerDeployment:
    """Deploys at most one challenger of a model. All methods run in the gateway's event loop.

    A challenger that was deployed before a restart is loaded again by the first check, or before the first change.

    Args:
        name: The registered model.
        settings: The settings of the gateway.
        request_log: The log, which also stores the lease.
    """

    def __init__(self, name: str, settings: GatewaySettings, request_log: RequestLog) -> None:
        self._name = name
        self._settings = settings
        self._log = request_log
        self._challenger_lock = asyncio.Lock()
        self._restored = False
        self.current: Challenger | None = None

    async def put(self, request: ChallengerRequest) -> None:
        """Load a challenger; for the same version and owner, only the lease is extended.

        Raises:
            RequestError: 404 for an unknown version, 409 if another owner's challenger is deployed, 422 if it cannot be loaded.
        """
        lease = Lease(request.version, request.owner, time.time() + request.expires_in_s, request.remote)
        async with self._challenger_lock:
            await self._restore()
            current = self.current
            if current and current.lease.owner != request.owner and not current.expired:
                until = f"{datetime.fromtimestamp(current.lease.expires_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
                raise RequestError(
                    409,
                    f"{self._name} already has a challenger: version {current.lease.version} of {current.lease.owner}, "
                    f"until {until}",
                )
            if current and _same_deployment(current.lease, lease):
                await self._log.hold(self._name, lease)
                current.lease = lease
            else:
                await asyncio.to_thread(require_version, self._settings.tracking_uri, self._name, request.version)
                await self._log.hold(self._name, lease)  # first, so that no challenger runs without a stored lease
                self.drop()
                current = self.current = self._load(lease)
        await self._wait_until_loaded(current)

    async def remove(self, owner: str) -> None:
        """Remove this owner's challenger, if there is one.

        Raises:
            RequestError: 409 if the challenger belongs to another owner.
        """
        async with self._challenger_lock:
            await self._restore()
            if self.current is not None and self.current.lease.owner != owner:
                raise RequestError(409, f"the challenger of {self._name} belongs to {self.current.lease.owner}, not to {owner}")
            self.drop()
            await self._log.release(self._name)

    async def status(self) -> ChallengerStatus | None:
        """The challenger with its counts; None if there is none."""
        if self.current is None:
            return None
        lease = self.current.lease
        status = ChallengerStatus(
            version=lease.version,
            owner=lease.owner,
            state="serving" if self.current.serving else "loading",
            expires_at=datetime.fromtimestamp(lease.expires_at, UTC),
        )
        return await asyncio.to_thread(self._log.counted, self._name, status)

    async def check_lease(self) -> None:
        """Remove a challenger whose lease has expired, or that could not be loaded; the first check restores one."""
        async with self._challenger_lock:
            await self._restore()
            current = self.current
            if current is None:
                return
            if current.expired:
                log.info("%s: the lease of challenger %d expired", self._name, current.lease.version)
            elif current.load_error is not None:
                log.warning("%s: the challenger could not be loaded: %s", self._name, current.load_error)
            else:
                return
            self.drop()
            await self._log.release(self._name)

    async def check_workers(self) -> None:
        """Restart workers that died; a challenger whose remote worker is lost is removed."""
        current = self.current
        if current is None or not current.serving:
            return
        try:
            await current.server.restart_dead()
        except WorkerLostError as error:
            log.warning("%s", error)
            await self._remove_if_current(current)

    def drop(self) -> None:
        """End the workers; the stored lease is kept."""
        if self.current is not None:
            self.current.ready.cancel()
            self.current.server.kill()
            self.current = None

    def _load(self, lease: Lease) -> Challenger:
        server = VersionServer(
            self._name,
            lease.version,
            backends_of(self._name, lease.version, self._settings, lease.remote),
            limit=self._settings.mirror_limit,
            batching=False,
            done=self._on_answered,
        )
        return Challenger(lease, server)

    def _on_answered(self, batch: Batch) -> None:
        answers = [
            (outcome.status, outcome.predictions, outcome.error, outcome.latency_ms, request.request_id)
            for request, outcome in batch
            if outcome.status != 503
        ]
        if answers:
            self._log.challenger_answered(answers).add_done_callback(warn_if_lost)

    async def _wait_until_loaded(self, challenger: Challenger) -> None:
        try:
            await asyncio.shield(challenger.ready)
        except asyncio.CancelledError:
            if not challenger.ready.cancelled():
                raise
            raise RequestError(409, f"the challenger of {self._name} was removed while it was loading") from None
        except ModelUnavailableError as error:
            await self._remove_if_current(challenger)
            raise RequestError(422, str(error)) from None
        except Exception:
            await self._remove_if_current(challenger)
            raise

    async def _remove_if_current(self, challenger: Challenger) -> None:
        """Remove this challenger, unless another one has replaced it."""
        async with self._challenger_lock:
            if self.current is challenger:
                self.drop()
                await self._log.release(self._name)

    async def _restore(self) -> None:
        """Load the challenger of the stored lease again, once after the start. The caller holds the lock."""
        if self._restored:
            return
        lease = await asyncio.to_thread(self._log.lease, self._name)
        if lease is not None and time.time() >= lease.expires_at:
            await self._log.release(self._name)
            lease = None
        self._restored = True
        if lease is not None:
            self.current = self._load(lease)


def _same_deployment(one: Lease, other: Lease) -> bool:
    return (one.version, one.owner, one.remote) == (other.version, other.owner, other.remote)
