"""The champion of a model: it follows the ledger, and keeps answering while the registry is down."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from taxiway.errors import ModelUnavailableError, RequestError, TransientError
from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.backends import backends_of
from taxiway.serving.gateway.backing import LedgerPosition, WantedChampion
from taxiway.serving.gateway.models.context import ModelContext
from taxiway.serving.gateway.pending_request import Batch
from taxiway.serving.gateway.registry_lookup import RegisteredVersion
from taxiway.serving.gateway.version_server import VersionServer
from taxiway.serving.model_copy import ModelCopy
from taxiway.serving.retries import Retry

log = logging.getLogger(__name__)

_FIRST_LOOKUP_S = 3.0
_LOAD_ERRORS = (ModelUnavailableError, RequestError, TransientError)


class Champion:
    """The champion, and since when it answers.

    Args:
        version: The model version.
        server: Serves it.
    """

    def __init__(self, version: RegisteredVersion, server: VersionServer) -> None:
        self.version = version
        self.server = server
        self.since = datetime.now(UTC)


class ChampionDeployment:
    """Serves the champion of a model. All methods run in the gateway's event loop.

    Args:
        model: What the deployments of the model share.
        on_loaded: Called in the event loop with a loaded version and its columns, if they are known, before it answers.
        on_answered: Called in the event loop with each answered batch and the version that answered it.
        on_versions_changed: Awaited when another version is served, so that the files of other versions are needed.

    Attributes:
        current: The champion that answers; None if there is none.
        promotion: Why it is the champion, by the ledger; empty while that is not known.
        registry_away_since: The time since which the registry has not answered; None if it answers.
    """

    def __init__(
        self,
        model: ModelContext,
        *,
        on_loaded: Callable[[RegisteredVersion, ModelColumns | None], None],
        on_answered: Callable[[int, Batch], None],
        on_versions_changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._model = model
        self._on_loaded = on_loaded
        self._on_answered = on_answered
        self._on_versions_changed = on_versions_changed
        self._lock = asyncio.Lock()
        self._first_lookup_ended = asyncio.Event()
        self._registry_has_answered = False  # since the start
        self._wanted: RegisteredVersion | None = None
        self._keep_current = False  # `WantedChampion.keep_current` of the last lookup
        self._retry, self._copy_retry = Retry(model.settings.poll_s), Retry(model.settings.poll_s)
        self._copy_lock = asyncio.Lock()
        self._draining: dict[asyncio.Task[None], Champion] = {}
        self._before: RegisteredVersion | None = None  # the last champion: a rollback to it need not download its files
        self.current: Champion | None = None
        self.promotion = ""
        self.registry_away_since: datetime | None = None

    @property
    def versions_in_use(self) -> set[int]:
        """The versions whose files are needed."""
        served = [champion.version for champion in (self.current, *self._draining.values()) if champion]
        return {version.version for version in (*served, self._wanted, self._before) if version}

    async def refresh(self, *, retry_failed: bool = True) -> None:
        """Look up the champion in the registry and serve it. If it cannot be loaded, the old version stays.

        Args:
            retry_failed: Whether to retry at once a version that recently failed to load.

        Raises:
            RequestError: 404 if the registry has no such model.
            TransientError: The registry does not answer.
        """
        async with self._lock:
            found = await self._look_up(fresh=retry_failed)
            self._report_backing(found)
            self._keep_current = found.keep_current
            if found.keep_current:
                await self._serve_saved()
                return
            wanted, self.promotion = found.version, found.explanation
            if wanted != self._wanted or retry_failed:
                self._retry.reset()
            self._wanted = wanted
            if found.position is not None:
                await self._remember(found.position)
            if wanted is None:
                await self._swap(None)
                return
            if self.current is None or not _same_files(self.current.version, wanted):
                await self._load_if_due(wanted)
            else:
                self.current.version = wanted  # its verdict may have changed
                self._model.problems.end("load")
            self._report_verdict()

    async def serve_copy_if_registry_is_down(self) -> None:
        """Serve the champion from before the restart if the registry does not answer soon."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._first_lookup_ended.wait(), _FIRST_LOOKUP_S)
        if not self._registry_has_answered:
            await self._serve_saved()

    async def check_workers(self) -> None:
        """Restart workers that died; if that fails, the version is loaded again, from a new download if its copy was altered."""
        current = self.current
        if current is None:
            return
        error = await current.server.restart_dead()
        delayed = current.server.restart_delay
        if delayed is not None:
            self._model.problems.begin("restarts", str(delayed))
        else:
            self._model.problems.end("restarts")
        if not error:
            self._model.problems.end("workers")
            self._model.problems.end("reload")
            return
        self._model.problems.begin("workers", f"a worker process cannot be started: {error}")
        async with self._lock:
            if self.current is current:
                await self._load_if_due(current.version, problem="reload")

    async def close(self) -> None:
        """End all workers; queued requests are answered with an error."""
        for draining, champion in list(self._draining.items()):
            draining.cancel()
            champion.server.kill()  # a task that is cancelled before its first step does not get to this
            await champion.server.wait_closed()
        if self.current:
            champion, self.current = self.current, None
            champion.server.kill()
            await champion.server.wait_closed()

    def _report_backing(self, found: WantedChampion) -> None:
        """Report how alias and ledger differ."""
        if found.problem:
            about = f"{found.version.version if found.version else None} {found.keep_current}"
            self._model.problems.begin("alias", found.problem, about=about)
        else:
            self._model.problems.end("alias")

    async def _remember(self, position: LedgerPosition) -> None:
        if self._model.state.of(self._model.name).position == position:
            return
        try:
            await self._model.state.save_position(self._model.name, position)
        except RequestError as error:
            self._model.problems.begin(
                "state", f"the promotion could not be saved, and will be lost at a restart: {error.message}"
            )

    async def _look_up(self, *, fresh: bool) -> WantedChampion:
        try:
            wanted = await self._model.versions.champion(
                self._model.name, self._model.state.of(self._model.name).position, fresh=fresh
            )
        except TransientError as error:
            self.registry_away_since = self.registry_away_since or datetime.now(UTC)
            self._model.problems.begin("registry", f"since {self.registry_away_since:%Y-%m-%d %H:%M:%S} UTC, {error}")
            self._first_lookup_ended.set()
            await self._serve_saved()
            raise
        except RequestError as error:
            self._registry_answered()
            self._model.problems.begin("model", error.message)
            raise
        self._registry_answered()
        self._model.problems.end("model")
        return wanted

    def _registry_answered(self) -> None:
        self._registry_has_answered = True
        self._first_lookup_ended.set()
        self.registry_away_since = None
        self._model.problems.end("registry")

    async def _load_if_due(self, version: RegisteredVersion, problem: str = "load") -> None:
        if not self._retry.due:
            return
        try:
            server = await self._start_server(version, await self._model.versions.copy(version))
        except _LOAD_ERRORS as error:
            self._retry.failed()
            self._model.problems.begin(problem, str(error), about=str(version.version))
            if self.current is None:
                await self._serve_saved()
            return
        self._retry.reset()
        for solved in ("load", "reload", "workers"):
            self._model.problems.end(solved)
        await self._swap(Champion(version, server))

    async def _serve_saved(self) -> None:
        """Serve the last champion from its copy, if nothing is served."""
        async with self._copy_lock:
            last = self._model.state.of(self._model.name).champion
            if self.current is not None or last is None or not self._copy_retry.due:
                return
            await self._serve_copy(last)

    async def _serve_copy(self, last: int) -> None:
        found = await self._model.versions.saved(self._model.name, last)
        if found is None:
            self._copy_retry.failed()
            return
        try:
            champion = Champion(found[0], await self._start_server(*found))
        except _LOAD_ERRORS as error:
            self._copy_retry.failed()
            self._model.problems.begin("copy", f"the copy of version {last} cannot be served: {error}")
            return
        self._model.problems.end("copy")
        has_no_champion = self._registry_has_answered and self._wanted is None and not self._keep_current
        if self.current is not None or has_no_champion:  # the registry has answered meanwhile
            champion.server.kill()
            return
        await self._swap(champion)
        self._report_verdict()

    async def _start_server(self, version: RegisteredVersion, copy: ModelCopy) -> VersionServer:
        server = VersionServer(
            self._model.name,
            version.version,
            backends_of(self._model.name, version.version, copy, self._model.settings),
            limit=self._model.settings.queue_limit,
            batching=True,
            on_answered=partial(self._on_answered, version.version),
        )
        await server.start()
        self._on_loaded(version, server.columns)
        return server

    async def _swap(self, new: Champion | None) -> None:
        """Replace the champion; the old one finishes its queued requests."""
        old, self.current = self.current, new
        if old is None and new is None:
            return
        versions = [str(champion.version.version) if champion else "none" for champion in (new, old)]
        log.info("%s: serving champion version %s (before: %s)", self._model.name, *versions)
        if old:
            self._before = old.version
            draining = asyncio.create_task(old.server.drain(self._model.settings.predict_timeout_s))
            self._draining[draining] = old
            draining.add_done_callback(self._draining.pop)
        try:
            await self._model.state.save_champion(self._model.name, new.version.version if new else None)
        except RequestError as error:
            self._model.problems.begin(
                "state", f"the champion could not be saved, and will be lost at a restart: {error.message}"
            )
        else:
            self._model.problems.end("state")
        await self._on_versions_changed()

    def _report_verdict(self) -> None:
        """Report a champion that did not pass the model gate: a person has forced it, or an alias without a promotion is allowed."""
        version = self.current.version if self.current else None
        if version is None or version.verdict == "PASS" or (version.verdict is None and not version.trained_by_taxiway):
            self._model.problems.end("verdict")
            return
        found = f"its verdict is {version.verdict}" if version.verdict else "it has no verdict"
        how = (
            f"forced on {version.forced_promotion}"
            if version.forced_promotion is not None
            else "somebody moved the alias by hand"
        )
        self._model.problems.begin(
            "verdict",
            f"version {version.version} is champion although {found}: {how}; to undo it: taxiway rollback {self._model.name}",
            about=str(version),
        )


def _same_files(one: RegisteredVersion, other: RegisteredVersion) -> bool:
    return (one.version, one.identity) == (other.version, other.identity)
