"""A served model: its champion answers requests, which are logged and mirrored to the challenger."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from taxiway.errors import RequestError, TransientError
from taxiway.features.signature import ModelColumns
from taxiway.serving.api import ModelStatus
from taxiway.serving.gateway.batches import by_call, resolve, warn_if_lost
from taxiway.serving.gateway.metrics import GatewayMetrics, ModelGauges
from taxiway.serving.gateway.models.challenger import ChallengerDeployment
from taxiway.serving.gateway.models.champion import ChampionDeployment
from taxiway.serving.gateway.models.context import ModelContext
from taxiway.serving.gateway.models.explainer import Explainer
from taxiway.serving.gateway.models.versions import ModelVersions
from taxiway.serving.gateway.pending_request import Batch, PendingRequest
from taxiway.serving.gateway.problems import Problems
from taxiway.serving.gateway.registry_lookup import RegisteredVersion
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.gateway.state.logged_request import LoggedRequest
from taxiway.serving.gateway.state.logged_version import LoggedVersion
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.serving.gateway.state.served import ServedState
from taxiway.serving.protocol import PickledRows, Rows
from taxiway.serving.workers.base import Outcome

_NOT_MIRRORED = (400, 503)  # errors of the caller or of the gateway, which say nothing about the versions


class ServedModel:
    """One model of the registry. All its methods run in the gateway's event loop.

    When the champion has answered a batch, the batch is logged, and its predict calls are queued for the challenger if the
    challenger's queue has room. Calls that failed because of the caller or the gateway are not queued. Both versions make the
    same predict calls, so their latencies are comparable.

    Args:
        name: The registered model.
        settings: The settings of the gateway.
        request_log: The log of all requests.
        state: What is served after a restart.
        versions: The model versions.
        metrics: Counts predict calls.

    Attributes:
        champion: Follows the alias in the registry.
        challenger: Deploys and removes the challenger.
        explainer: Explains predictions.
    """

    def __init__(
        self,
        name: str,
        settings: GatewaySettings,
        request_log: RequestLog,
        state: ServedState,
        versions: ModelVersions,
        metrics: GatewayMetrics,
    ) -> None:
        self.name = name
        self._settings = settings
        self._log = request_log
        self._state = state
        self._versions = versions
        self._metrics = metrics
        self._problems = Problems(name)
        context = ModelContext(name, settings, versions, state, self._problems)
        self.champion = ChampionDeployment(
            context,
            on_loaded=self._on_loaded,
            on_answered=self._on_champion_batch,
            on_versions_changed=self._remove_unused_copies,
        )
        self.explainer = Explainer(context)
        self.challenger = ChallengerDeployment(context, request_log, on_versions_changed=self._remove_unused_copies)

    async def predict(self, body: str, rows: Rows | PickledRows, caller: str = "") -> tuple[str, RegisteredVersion, Outcome]:
        """Answer a request with the champion, and log it before returning.

        Args:
            body: The request's JSON.
            rows: Its rows.
            caller: The name of the caller, for the log; empty if it has none.

        Returns:
            The request's id, the version that answered, and the outcome.

        Raises:
            RequestError: 503 if there is no champion, if its queue is full, or if the log cannot be written.
        """
        champion = self.champion.current
        if champion is None:
            raise RequestError(
                503,
                f"{self.name} cannot answer: no champion is loaded yet. Try again later; its team sees a problem, if there is one",
            )
        request = PendingRequest(body, rows, asyncio.get_running_loop().create_future(), caller)
        if not champion.server.try_submit([request]):
            full = f"the queue of {self.name} is full ({self._settings.queue_limit:,} requests)"
            self._problems.begin("queue", f"{full}, so requests are refused; add workers")
            raise RequestError(503, f"{full}; try again later")
        _, outcome = await request.answered
        return request.request_id, champion.version, outcome

    @property
    def problem(self) -> str:
        """What is wrong with the model; empty if nothing is."""
        return self._problems.text

    async def watch(self) -> None:
        """Check the alias, the lease and the workers about every `poll_s` seconds, until cancelled."""
        checks = {
            "alias": self._check_alias,
            "workers": self.champion.check_workers,
            "lease": self.challenger.check_lease,
            "challenger's workers": self.challenger.check_workers,
        }
        async with asyncio.TaskGroup() as group:
            group.create_task(self._start_from_copy())
            for name, check in checks.items():  # separate tasks: restarting a worker may take minutes
                group.create_task(self._watch(name, check))

    async def _start_from_copy(self) -> None:
        while not await self._run_check("saved copy", self.champion.serve_copy_if_registry_is_down):
            await asyncio.sleep(self._settings.poll_s)

    async def _watch(self, name: str, check: Callable[[], Awaitable[None]]) -> None:
        while True:
            await self._run_check(name, check)
            await asyncio.sleep(self._settings.poll_s)

    async def _run_check(self, name: str, check: Callable[[], Awaitable[None]]) -> bool:
        """Run a check once; if it raises, that is a problem of the model."""
        problem = f"check of the {name}"
        try:
            await check()
        except RequestError as error:
            self._problems.begin(problem, error.message)
        except Exception as error:
            message = f"the {problem} failed and will be retried: {type(error).__name__}: {error}"
            self._problems.begin(problem, message, error=error)
        else:
            self._problems.end(problem)
            return True
        return False

    async def _check_alias(self) -> None:
        self._problems.end_if_quiet("queue")
        self.explainer.end_if_idle()
        with contextlib.suppress(RequestError, TransientError):  # it is one of the problems
            await self.champion.refresh(retry_failed=False)

    async def status(self) -> ModelStatus:
        """The champion and the challenger."""
        champion = self.champion.current
        return ModelStatus(
            model=self.name,
            champion=champion.version.version if champion else 0,
            since=champion.since if champion else None,
            problem=self._problems.text,
            promotion=self.champion.promotion,
            registry_away_since=self.champion.registry_away_since,
            plan=champion.server.plan if champion else "",
            challenger=await self.challenger.status(),
        )

    def gauges(self) -> ModelGauges:
        """What a scrape of the metrics shows."""
        champion = self.champion.current
        delayed = champion.server.restart_delay if champion else None
        return ModelGauges(
            model=self.name,
            version=champion.version.version if champion else 0,
            age_s=(datetime.now(UTC) - champion.since).total_seconds() if champion else None,
            queued=champion.server.unanswered if champion else 0,
            restarts=champion.server.restarts if champion else 0,
            restart_delay_s=(delayed.retry_after_s or 0.0) if delayed else 0.0,
            has_problem=bool(self.problem),
            registry_away=self.champion.registry_away_since is not None,
        )

    async def close(self) -> None:
        """End all workers; queued requests are answered with an error, and the lease of the challenger is kept."""
        self.explainer.close()
        await self.challenger.close()
        await self.champion.close()

    async def _remove_unused_copies(self) -> None:
        known, challenger = self._state.of(self.name), self.challenger.current
        leases = [lease for lease in (known.lease, challenger.lease if challenger else None) if lease]
        versions = {*self.champion.versions_in_use, *(lease.version for lease in leases)}
        await self._versions.keep_only(self.name, versions | ({known.champion} if known.champion else set()))

    def _on_loaded(self, version: RegisteredVersion, columns: ModelColumns | None) -> None:
        known = LoggedVersion(columns or ModelColumns((), ()), tuple(version.classes), version.threshold)
        self._log.versions.note(self.name, version.version, known)

    def _on_champion_batch(self, version: int, batch: Batch) -> None:
        """Mirror and log a batch that the champion has answered; the callers get their answers once it is logged, with `log: fast` before."""
        try:
            rows = [row for answered in by_call(batch) for row in self._mirror_call(version, answered)]
            logged = self._log.add(rows)
        except Exception as error:
            resolve(version, batch, error)
            raise
        if self._settings.log == "fast" and self._log.may_answer_first:
            resolve(version, batch, None)
            logged.add_done_callback(partial(warn_if_lost, what=f"answered requests of {self.name}"))
            return
        logged.add_done_callback(lambda logged: resolve(version, batch, logged.exception()))

    def _mirror_call(self, version: int, answered: Batch) -> list[LoggedRequest]:
        """Mirror the requests of one predict call to the challenger; returns their rows for the log."""
        requests = [request for request, _ in answered]
        now = time.monotonic()
        status, latency_ms = answered[0][1].status, answered[0][1].latency_ms  # the same for all outcomes of a predict call
        self._metrics.predicted(self.name, version, sum(request.rows.row_count for request in requests), latency_ms / 1e3)
        challenger = self.challenger.current
        server = challenger.server if challenger else None
        lease, mirror = None, None
        if challenger and server and status not in _NOT_MIRRORED:
            lease = challenger.lease
            # Its answers update the rows, which are not yet queued for the log. It cannot answer before they are: it runs in this
            # event loop, and nothing is awaited in between.
            mirror = "queued" if server.try_submit(requests) else "dropped"
            self._metrics.mirrored(self.name, len(requests), mirror)
        return [
            LoggedRequest(
                request_id=request.request_id,
                at=request.at,
                model=self.name,
                payload=request.body,
                call_id=requests[0].request_id,
                champion_version=version,
                champion_status=outcome.status,
                champion_answer=outcome.predictions,
                champion_error=outcome.error,
                champion_ms=outcome.latency_ms,
                challenger_version=lease.version if lease else None,
                challenger_owner=lease.owner if lease else None,
                mirror=mirror,
                caller=request.caller,
                total_ms=(now - request.received) * 1e3,
            )
            for request, outcome in answered
        ]
