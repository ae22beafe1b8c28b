"""What a stage made before, found again by everything that it was made of.

A ref leads from the key to the record. A ref whose record is gone, altered or of an unknown version, or whose objects are gone,
is a miss: the stage makes it again.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any, TypeVar

from taxiway.errors import CorruptArtifactError, NotStoredError, UnreadableRecordError
from taxiway.records import Record
from taxiway.records.digests import digest_of_bytes
from taxiway.store.store import Store

R = TypeVar("R", bound=Record)
LOST = (NotStoredError, CorruptArtifactError, UnreadableRecordError)
"""The errors of a record that is not to be had, and never will be by trying again."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageKey:
    """Everything that decides what a stage makes: the same key, the same result.

    Args:
        stage: The stage, or the part of one, such as `transform`.
        inputs: The digest of each record or object that it reads, by name.
        params: Its parameters, as JSON values. `rule` is raised when the stage's own code makes something else of the same inputs.
        code: The digest of each file of the team's own code that it runs, by name.
        packages: The installed packages whose version may change the result.
    """

    stage: str
    inputs: Mapping[str, str | None]
    params: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """32 hex characters that stand for the key."""
        parts = {
            "stage": self.stage,
            "inputs": dict(self.inputs),
            "params": dict(self.params),
            "code": dict(self.code),
            "packages": {name: _installed(name) for name in self.packages},
        }
        return digest_of_bytes(json.dumps(parts, sort_keys=True).encode())

    @property
    def ref(self) -> str:
        """The ref of the store that leads to what was made."""
        return f"cache/{self.stage}/{self.digest}"


def made_before(store: Store, key: StageKey, kind: type[R], *, whole: Callable[[R], bool] = lambda _: True) -> R | None:
    """The record that was kept under `key`; None if there is none, or if it is lost, or not `whole`: what it names is gone."""
    digest = store.get_ref(key.ref)
    if digest is None:
        return None
    try:
        made = store.get(kind, digest)
    except LOST as error:
        _log.warning("made again by %s: %s", key.stage, error)
        if isinstance(error, CorruptArtifactError):
            store.forget(kind, digest)
        return None
    return made if whole(made) else None


def keep(store: Store, key: StageKey, made: R) -> R:
    """Store a record and let `key` lead to it; returns the record."""
    store.set_ref(key.ref, store.put(made).digest)
    return made


@cache
def _installed(package: str) -> str:
    return version(package)
