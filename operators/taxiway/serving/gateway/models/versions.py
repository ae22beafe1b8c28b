"""Model versions for the gateway: looked up in the registry, with a copy of their files that outlives its outages."""

import asyncio
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from taxiway.errors import TransientError
from taxiway.ledger.keys import LedgerKeys
from taxiway.serving.gateway.backing import BackingRules, LedgerPosition, WantedChampion, wanted_champion
from taxiway.serving.gateway.registry_lookup import RegisteredVersion, champion_version, download_version, version_of
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.gateway.state.copies import Copies
from taxiway.serving.model_copy import ModelCopy

T = TypeVar("T")

_REGISTRY_THREADS = 16
_COPY_THREADS = 4
_LEDGER_S = 30.0


@dataclass(frozen=True)
class _Compared:
    """A result that is used again until the alias changes, or until this time of `time.monotonic`."""

    aliased: RegisteredVersion | None
    wanted: WantedChampion
    until: float


class ModelVersions:
    """The versions of all models.

    Requests to the registry run in threads of their own, and so does the use of copies on this machine, so a registry that does
    not answer delays neither the rest of the gateway nor the use of copies.

    Args:
        settings: The settings of the gateway.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._uri = settings.tracking_uri
        self._rules = BackingRules(
            LedgerKeys.parse(settings.ledger_keys.get_secret_value()), allow_unbacked_alias=settings.allow_unbacked_alias
        )
        self._compared: dict[str, _Compared] = {}
        self._copies = Copies(settings.state_folder)
        self._registry = ThreadPoolExecutor(_REGISTRY_THREADS, "registry")
        self._local = ThreadPoolExecutor(_COPY_THREADS, "copies")

    def close(self) -> None:
        """Cancel all lookups and uses of copies that have not begun."""
        for threads in (self._registry, self._local):
            threads.shutdown(wait=False, cancel_futures=True)

    async def champion(self, model: str, last_followed: LedgerPosition | None, *, fresh: bool = False) -> WantedChampion:
        """The version that should be served.

        Args:
            model: The registered model.
            last_followed: The place of the newest promotion that was followed; None if there was none.
            fresh: Whether to read the ledger even if the alias has not changed since it was read, less than 30 s ago.

        Raises:
            RequestError: 404 if there is no such model.
            TransientError: The registry does not answer.
        """
        return await _run(self._registry, partial(self._champion, model, last_followed, fresh=fresh))

    async def require(self, model: str, version: int) -> RegisteredVersion:
        """A version that exists.

        Raises:
            RequestError: 404 if it does not.
            TransientError: The registry does not answer.
        """
        return await _run(self._registry, partial(version_of, self._uri, model, version))

    async def copy(self, version: RegisteredVersion) -> ModelCopy:
        """The files of a version: its copy, or a new one.

        Raises:
            RequestError: 404 if the version does not exist any more.
            TransientError: The files cannot be downloaded now, or not written.
        """
        known = await self.saved(version.model, version.version)
        if known is not None and known[0].identity == version.identity and version.files_digest in (None, known[1].digest):
            return known[1]
        return await _run(self._registry, partial(self._download, version))

    async def saved(self, model: str, version: int) -> tuple[RegisteredVersion, ModelCopy] | None:
        """The copy of a version, without asking the registry; None if there is none, or if its files were altered."""
        return await _run(self._local, partial(self._copies.find, model, version))

    async def keep_only(self, model: str, versions: Collection[int]) -> None:
        """Remove the copies of all other versions of a model."""
        await _run(self._local, partial(self._copies.keep_only, model, versions))

    def _champion(self, model: str, last_followed: LedgerPosition | None, *, fresh: bool) -> WantedChampion:
        from mlflow import MlflowClient

        aliased, known = champion_version(self._uri, model), self._compared.get(model)
        if known is not None and not fresh and known.aliased == aliased and time.monotonic() < known.until:
            return known.wanted
        wanted = wanted_champion(MlflowClient(self._uri), model, aliased, self._rules, last_followed)
        if wanted.may_be_cached:
            self._compared[model] = _Compared(aliased, wanted, time.monotonic() + _LEDGER_S)
        else:
            self._compared.pop(model, None)
        return wanted

    def _download(self, version: RegisteredVersion) -> ModelCopy:
        try:
            return self._copies.add(version, partial(download_version, self._uri, version))
        except OSError as error:
            raise TransientError(f"the copy of {version.model} version {version.version} cannot be written: {error}") from error


async def _run(threads: ThreadPoolExecutor, function: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, function)
