"""What the gateway serves again after a restart: the followed models, the last champion of each, and its challenger.

It is one JSON file; a new version is written to a temporary file, which is then renamed. It does not depend on the request log,
which may be lost or unreadable.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from taxiway.errors import RequestError
from taxiway.messages import invalid_text
from taxiway.serving.api import Remote
from taxiway.serving.gateway.backing import LedgerPosition
from taxiway.serving.gateway.state.set_aside import set_aside

log = logging.getLogger(__name__)

_FILE = "served.json"


@dataclass(frozen=True)
class Lease:
    """The permission of a challenger to run until a time.

    Attributes:
        version: The model version.
        owner: The DAG run that deployed it.
        expires_at: When the gateway removes it, in seconds since 1970.
        remote: The remote worker that serves it; None if the gateway loads it.
    """

    version: int
    owner: str
    expires_at: float
    remote: Remote | None = None


@dataclass(frozen=True)
class Served:
    """What is known of a served model.

    Attributes:
        followed: Whether it is served after a restart, even if the settings do not name it.
        champion: The version that answered last; None if there was none.
        lease: The lease of its challenger, which is loaded after a restart; None if there is none.
        position: The place in the ledger of the newest promotion that was followed; None if there was none.
    """

    followed: bool = False
    champion: int | None = None
    lease: Lease | None = None
    position: LedgerPosition | None = None


_CONTENT = TypeAdapter(dict[str, Served])


class ServedState:
    """The served models. A change is on disk when its method returns.

    Args:
        folder: The state folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._lock = threading.Lock()
        self._models: Mapping[str, Served] = _read(self._path)

    @property
    def models(self) -> list[str]:
        """The names of the followed models."""
        return sorted(name for name, served in self._models.items() if served.followed)

    def of(self, model: str) -> Served:
        """What is known of a model."""
        return self._models.get(model, Served())

    async def follow(self, model: str) -> None:
        """Serve a model again after a restart. Raises RequestError (503), as all methods that write."""
        await self._change(model, followed=True)

    async def save_champion(self, model: str, version: int | None) -> None:
        """Note the champion that answers."""
        await self._change(model, champion=version)

    async def save_position(self, model: str, position: LedgerPosition) -> None:
        """Note the promotion that was followed, behind which the ledger must not go back."""
        await self._change(model, position=position)

    async def save_lease(self, model: str, lease: Lease) -> None:
        """Store the lease of a challenger, so that it is loaded after a restart."""
        await self._change(model, lease=lease)

    async def delete_lease(self, model: str) -> None:
        """Delete the stored lease of a model's challenger, so that none is loaded after a restart."""
        await self._change(model, lease=None)

    async def _change(self, model: str, **changes: Any) -> None:
        try:
            await asyncio.to_thread(self._store, model, changes)
        except OSError as error:
            raise RequestError(
                503, f"{self._path} cannot be written: {error}; check the disk's space and the folder"
            ) from error

    def _store(self, model: str, changes: dict[str, Any]) -> None:
        with self._lock:
            models = {**self._models, model: replace(self.of(model), **changes)}
            if models == self._models:
                return
            temporary = self._path.with_suffix(".partial")
            with os.fdopen(
                os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
            ) as file:  # it may hold a token
                file.write(_CONTENT.dump_json(models, indent=2))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
            self._models = models


def _read(path: Path) -> dict[str, Served]:
    try:
        return _CONTENT.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValidationError, OSError) as error:
        why = invalid_text(error) if isinstance(error, ValidationError) else str(error)
        kept = set_aside(path)
        log.warning(
            "%s cannot be read (%s); it was renamed to %s. Models that the settings do not name must be added again: POST /models/NAME/refresh",
            path,
            why,
            kept.name,
        )
        return {}
