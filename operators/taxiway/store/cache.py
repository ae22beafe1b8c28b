"""The cache of stage results, by a key of all their inputs.

A ref maps the key to a record. If the record or its objects are lost, corrupt or of an unknown version, this is a cache miss.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any, TypeVar

from taxiway.records import Record
from taxiway.records.digests import digest_of_bytes
from taxiway.store.store import Store

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class StageKey:
    """All inputs of a stage; the same key means the same result.

    Args:
        stage: The stage, or a part of it, such as `transform`.
        inputs: The digest of each record or object that it reads, by name.
        params: Its parameters, as JSON values. `rule` is the version of the stage's code, increased when its results change.
        code: The digest of each file of user code that it runs, by name.
        packages: The packages whose installed version may change the result.
    """

    stage: str
    inputs: Mapping[str, str | None]
    params: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The digest of the key, 32 hex characters."""
        parts = {
            "stage": self.stage,
            "inputs": dict(self.inputs),
            "params": dict(self.params),
            "code": dict(self.code),
            "packages": {name: _installed_version(name) for name in self.packages},
        }
        return digest_of_bytes(json.dumps(parts, sort_keys=True).encode())

    @property
    def ref(self) -> str:
        """The name of the ref to the result."""
        return f"cache/{self.stage}/{self.digest}"


def made_before(store: Store, key: StageKey, kind: type[R], *, whole: Callable[[R], bool] = lambda _: True) -> R | None:
    """The cached record of a key.

    Args:
        store: The store.
        key: The key.
        kind: The type of the record.
        whole: Whether the objects that the record refers to are whole.

    Returns:
        The record; None if there is none, or if it or its objects are lost.
    """
    made = store.follow(kind, key.ref)
    return made if made is not None and whole(made) else None


def keep(store: Store, key: StageKey, made: R) -> R:
    """Store a record in the cache under `key`; returns the record."""
    store.set_ref(key.ref, store.put(made).digest)
    return made


@cache
def _installed_version(package: str) -> str:
    return version(package)
