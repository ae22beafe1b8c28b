"""The challenger of a model: it is loaded for an owner, and removed when its lease expires.

The owner is the name under which a caller deploys the challenger: that of the DAG run that compares it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from taxiway.errors import ModelRefusedError, ModelUnavailableError, RequestError, TransientError, WorkerLostError
from taxiway.serving.api import ChallengerRequest, ChallengerStatus
from taxiway.serving.gateway.backends import backends_of
from taxiway.serving.gateway.batches import warn_if_lost
from taxiway.serving.gateway.models.context import ModelContext
from taxiway.serving.gateway.models.loading_challenger import Challenger, canceled
from taxiway.serving.gateway.pending_request import Batch
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.serving.gateway.state.served import Lease
from taxiway.serving.gateway.version_server import VersionServer
from taxiway.serving.model_copy import ModelCopy
from taxiway.serving.retries import Retry

log = logging.getLogger(__name__)


class ChallengerDeployment:
    """Deploys at most one challenger of a model. All methods run in the gateway's event loop.

    A challenger stays until its owner removes or replaces it, its lease expires, loading fails permanently, or its remote worker is
    lost. If loading fails for another reason, such as a registry that does not answer, it is tried again. Its lease is stored, so that it is loaded
    again after a restart of the gateway: by the first check of the lease, or before the first request that deploys or removes a
    challenger.

    Args:
        model: What the deployments of the model share.
        request_log: The log that the challenger's answers are added to, and from which `status` counts them.
        on_versions_changed: Awaited after a challenger has been loaded or removed, because the files of other versions are needed
            from then on.

    Attributes:
        current: The deployed challenger, which may still be loading; None if there is none.
    """

    def __init__(
        self,
        model: ModelContext,
        request_log: RequestLog,
        *,
        on_versions_changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._model = model
        self._log = request_log
        self._on_versions_changed = on_versions_changed
        self._challenger_lock = asyncio.Lock()
        self._restored = False
        self._retry = Retry(model.settings.poll_s)
        self._ending: set[asyncio.Task[None]] = set()
        self.current: Challenger | None = None

    async def put(self, request: ChallengerRequest) -> None:
        """Load a challenger, and wait until it has been loaded.

        If the deployed challenger has the same version, owner and remote worker, and loading it has not failed, only its lease is
        extended. Otherwise the new challenger replaces that of the same owner, or one whose lease has expired.

        Raises:
            RequestError: 404 for an unknown version. 409 if another owner's challenger is deployed, or if the challenger was removed
                or replaced, or the gateway was shut down, while it was loading. 422 if loading fails permanently. 503 if
                the lease cannot be stored.
            TransientError: The version cannot be looked up now, and nothing has changed; or it cannot be loaded now, and then it
                stays deployed, and loading is tried again.
        """
        lease = Lease(request.version, request.owner, time.time() + request.expires_in_s, request.remote)
        async with self._challenger_lock:
            self._restore()
            current = self.current
            if current and current.lease.owner != request.owner and not current.expired:
                until = f"{datetime.fromtimestamp(current.lease.expires_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
                raise RequestError(
                    409,
                    f"{self._model.name} already has a challenger: version {current.lease.version}, deployed by "
                    f"{current.lease.owner} until {until}",
                )
            if current and _same_deployment(current.lease, lease) and current.load_error is None:
                await self._model.state.save_lease(self._model.name, lease)
                current.lease = lease
            else:
                await self._model.versions.require(self._model.name, request.version)
                # Before it is loaded, so that no challenger runs without a stored lease.
                await self._model.state.save_lease(self._model.name, lease)
                self.end_workers()
                self._retry.reset()
                current = self.current = self._load(lease)
        await self._wait_until_loaded(current)

    async def remove(self, owner: str) -> None:
        """Remove this owner's challenger, if there is one.

        Raises:
            RequestError: 409 if the challenger belongs to another owner.
        """
        async with self._challenger_lock:
            self._restore()
            if self.current is not None and self.current.lease.owner != owner:
                raise RequestError(
                    409, f"the challenger of {self._model.name} belongs to {self.current.lease.owner}, not to {owner}"
                )
            await self._remove_current()

    async def status(self) -> ChallengerStatus | None:
        """The challenger with its counts; None if there is none.

        Its state is `loading` until it has been loaded, also while a failed attempt waits to be tried again.
        """
        if self.current is None:
            return None
        lease = self.current.lease
        status = ChallengerStatus(
            version=lease.version,
            owner=lease.owner,
            state="serving" if self.current.server else "loading",
            expires_at=datetime.fromtimestamp(lease.expires_at, UTC),
        )
        return await asyncio.to_thread(self._log.counted, self._model.name, status)

    async def check_lease(self) -> None:
        """Remove a challenger whose lease has expired or whose loading failed permanently; retry loading that failed otherwise."""
        async with self._challenger_lock:
            self._restore()
            current = self.current
            if current is None:
                return
            if current.expired:
                log.info("%s: the lease of challenger version %d expired", self._model.name, current.lease.version)
                await self._remove_current()
            elif current.refused:
                log.warning("%s: the challenger was removed: %s", self._model.name, current.load_error)
                await self._remove_current()
            elif current.load_error is not None and self._retry.due:
                self._retry.failed()
                self.current = self._load(current.lease)
        self._report_load_error(self.current)

    async def check_workers(self) -> None:
        """Restart workers that died.

        If they cannot be started, the challenger is loaded again. A challenger whose remote worker is lost is removed.
        """
        current = self.current
        if current is None or current.server is None:
            return
        try:
            error = await current.server.restart_dead()
        except WorkerLostError as lost:
            log.warning("%s", lost)
            await self._remove_if_current(current)
            return
        delayed = current.server.restart_delay
        if delayed is not None:
            self._model.problems.begin("challenger's restarts", f"the challenger: {delayed}")
        else:
            self._model.problems.end("challenger's restarts")
        if not error:
            self._model.problems.end("challenger's workers")
            return
        self._model.problems.begin("challenger's workers", f"a worker process of the challenger cannot be started: {error}")
        async with self._challenger_lock:
            if self.current is current and self._retry.due:  # from another copy, if this one was altered
                self._retry.failed()
                self._end_server(current.server)
                self.current = self._load(current.lease)

    async def close(self) -> None:
        """End the workers, as `end_workers`, and wait until they have ended."""
        self.end_workers()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def end_workers(self) -> None:
        """End the workers of the challenger. Its stored lease is kept, so that a restarted gateway loads it again."""
        current, self.current = self.current, None
        if current is None:
            return
        if current.server is not None:
            self._end_server(current.server)
        else:
            self._run_in_background(canceled(current.ready))

    async def _remove_current(self) -> None:
        """End the workers of the challenger and delete its stored lease. The caller holds the lock."""
        await self._model.state.delete_lease(self._model.name)  # first: if it fails, the next check tries again
        self.end_workers()
        for problem in ("challenger", "challenger's workers", "challenger's restarts"):
            self._model.problems.end(problem)
        await self._on_versions_changed()

    def _end_server(self, server: VersionServer) -> None:
        server.kill()
        self._run_in_background(server.wait_closed())

    def _run_in_background(self, ending: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the background. The event loop keeps only weak references to tasks, so this object keeps one."""
        task = asyncio.create_task(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _load(self, lease: Lease) -> Challenger:
        """Begin to load the challenger of a lease; it is loaded in the background."""
        return Challenger(lease, self._start_server(lease))

    async def _start_server(self, lease: Lease) -> VersionServer:
        where = lease.remote or await self._copy(lease.version)
        server = VersionServer(
            self._model.name,
            lease.version,
            backends_of(self._model.name, lease.version, where, self._model.settings),
            limit=self._model.settings.mirror_limit,
            batching=False,
            on_answered=self._on_answered,
        )
        await server.start()
        try:
            await self._on_versions_changed()
        except BaseException:  # no other code can end this server yet
            server.kill()
            await server.wait_closed()
            raise
        return server

    async def _copy(self, version: int) -> ModelCopy:
        """The files of a version; if the registry does not answer, an earlier copy of them."""
        try:
            return await self._model.versions.copy(await self._model.versions.require(self._model.name, version))
        except TransientError:
            saved = await self._model.versions.saved(self._model.name, version)
            if saved is None:
                raise
            return saved[1]

    def _report_load_error(self, challenger: Challenger | None) -> None:
        error = challenger.load_error if challenger else None
        if challenger and challenger.server:
            self._retry.reset()
        if challenger is None or challenger.server:
            self._model.problems.end("challenger")
        elif error is not None:
            version = challenger.lease.version
            self._model.problems.begin(
                "challenger", f"the challenger cannot be loaded and is tried again: {error}", about=str(version)
            )

    def _on_answered(self, batch: Batch) -> None:
        answers = [
            (outcome.status, outcome.predictions, outcome.error, outcome.latency_ms, request.request_id)
            for request, outcome in batch
            if outcome.status
            != 503  # an error of the gateway, such as a worker that cannot be reached: it counts as not answered
        ]
        if answers:
            self._log.challenger_answered(answers).add_done_callback(warn_if_lost)

    async def _wait_until_loaded(self, challenger: Challenger) -> None:
        try:
            await asyncio.shield(challenger.ready)
        except asyncio.CancelledError:
            if not challenger.ready.cancelled():
                raise
            message = f"the challenger of {self._model.name} was removed or replaced while it was loading, or the gateway is shutting down"
            raise RequestError(409, message) from None
        except ModelRefusedError as error:
            await self._remove_if_current(challenger)
            raise RequestError(422, str(error)) from None
        except RequestError:
            await self._remove_if_current(challenger)
            raise
        except ModelUnavailableError as error:
            raise TransientError(str(error)) from None

    async def _remove_if_current(self, challenger: Challenger) -> None:
        """Remove this challenger, unless another one has replaced it."""
        async with self._challenger_lock:
            if self.current is challenger:
                await self._remove_current()

    def _restore(self) -> None:
        """Load the challenger of the stored lease again, once after the start. The caller holds the lock."""
        if not self._restored:
            self._restored = True
            lease = self._model.state.of(self._model.name).lease
            self.current = self._load(lease) if lease else None


def _same_deployment(one: Lease, other: Lease) -> bool:
    return (one.version, one.owner, one.remote) == (other.version, other.owner, other.remote)
