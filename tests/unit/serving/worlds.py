"""Served models whose workers and registry do as a test says, in the test's own process."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from running import ADMIN, CALLER

from taxiway.errors import RequestError, TransientError
from taxiway.features.signature import ModelColumns
from taxiway.serving.api import ChallengerRequest
from taxiway.serving.gateway.backing import LedgerPosition, WantedChampion
from taxiway.serving.gateway.metrics import GatewayMetrics
from taxiway.serving.gateway.models.served_model import ServedModel
from taxiway.serving.gateway.registry_lookup import RegisteredVersion
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.serving.gateway.state.served import ServedState
from taxiway.serving.model_copy import ModelCopy
from taxiway.serving.protocol import Rows
from taxiway.serving.workers.base import Outcome

MODEL = "flights.late"
ROWS = Rows(("x",), [[0.5]])


class FakeWorker:
    """A worker in this process, which loads and answers when its events are set."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.plan, self.columns, self.restarts = "original", ModelColumns(("x",), ()), 0
        self.is_stopped = False
        self.ensured = 0
        self.may_load, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_load.set()
        self.may_answer.set()
        self.load_error: Exception | None = None
        self.predict_error: Exception | None = None

    async def ensure_loaded(self) -> None:
        self.ensured += 1
        await self.may_load.wait()
        if self.load_error:
            raise self.load_error

    async def predict(self, batch: list[Rows]) -> list[Outcome]:
        await self.may_answer.wait()
        if self.predict_error:
            raise self.predict_error
        return [Outcome(200, "[0.5]", "", 1.0, 0) for _ in batch]

    def stop(self) -> None:
        self.is_stopped = True

    async def wait_stopped(self) -> None:
        pass


class World:
    """A served model, its registry and all workers it has created. The registry does not answer while `away` is set."""

    def __init__(self, folder: Path) -> None:
        tokens = {"caller_token": CALLER, "admin_token": ADMIN}
        content = {"tracking_uri": "http://127.0.0.1:1", "state_folder": folder, "workers": 2, "poll_s": 0.01, **tokens}
        self.settings = GatewaySettings.model_validate(content)
        self.log = RequestLog(folder, keep_rows=100, keep_bytes=1 << 20)
        self.state = ServedState(folder)
        self.alias = 1
        self.away = False
        self.deleted: set[int] = set()
        self.verdict: str | None = "PASS"
        self.copies: set[int] = set()
        self.lookups = 0
        self.workers: list[FakeWorker] = []
        self.prepare: Callable[[FakeWorker], None] = lambda _: None

    def served(self) -> ServedModel:
        return ServedModel(MODEL, self.settings, self.log, self.state, self, GatewayMetrics())  # type: ignore[arg-type]

    def backends_of(self, model: str, version: int, where: object, settings: GatewaySettings) -> list[FakeWorker]:
        workers = [FakeWorker(version) for _ in range(settings.workers)]
        for worker in workers:
            self.prepare(worker)
        self.workers += workers
        return workers

    async def champion(self, model: str, last_followed: LedgerPosition | None, *, fresh: bool = False) -> WantedChampion:
        self.lookups += 1
        self._answer()
        if not self.alias:
            return WantedChampion(problem="no version in the registry has the alias champion")
        return WantedChampion(RegisteredVersion(model, self.alias, f"v{self.alias}", self.verdict))

    async def require(self, model: str, version: int) -> RegisteredVersion:
        self._answer()
        if version in self.deleted:
            raise RequestError(404, f"{model} has no version {version}")
        return RegisteredVersion(model, version, f"v{version}", self.verdict)

    async def copy(self, version: RegisteredVersion) -> ModelCopy:
        if version.version not in self.copies:
            self._answer()
        self.copies.add(version.version)
        return ModelCopy(self.settings.state_folder, "")

    async def saved(self, model: str, version: int) -> tuple[RegisteredVersion, ModelCopy] | None:
        if version not in self.copies:
            return None
        return RegisteredVersion(model, version, f"v{version}", self.verdict), ModelCopy(self.settings.state_folder, "")

    async def keep_only(self, model: str, versions: set[int]) -> None:
        self.copies &= versions

    def _answer(self) -> None:
        if self.away:
            raise TransientError("the MLflow registry does not answer: connection refused")


def wanted(version: int = 2, owner: str = "run-1", expires_in_s: float = 600) -> ChallengerRequest:
    return ChallengerRequest(version=version, owner=owner, expires_in_s=expires_in_s)


async def soon(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")
