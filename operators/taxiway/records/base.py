"""What all records share: frozen, one JSON form, a digest; and the words with which they decide."""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from taxiway.records.digests import digest_of_bytes

Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""From the JSON fields of a record of one version to those of the next."""


class Status(StrEnum):
    """What a check, a gate or a comparison came to. UNDECIDED stops short of push and says what is missing."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"
    NOT_APPLICABLE = "NOT_APPLICABLE"


class Severity(StrEnum):
    """Whether an anomaly blocks (error) or is only reported (warning)."""

    ERROR = "error"
    WARNING = "warning"


class Record(BaseModel):
    """The base of all records: frozen, no unknown fields, one canonical JSON form, a digest over it.

    The canonical form leaves out fields at their default, so a field that is added later changes no digest, and so a default may
    not change without a new `record_version`. A record that is read keeps
    the text that it was stored as, and with it the digest that other records name, whatever this version of Taxiway would
    write. For a change that a default cannot express, a kind raises its `record_version` and says in `migrations` how the
    JSON of each older version becomes that of the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    record_version: ClassVar[int] = 1
    migrations: ClassVar[Mapping[int, Migration]] = {}

    @cached_property
    def _stored(self) -> str:
        return self._json(self.model_dump(mode="json", exclude_defaults=True))

    def _json(self, body: dict[str, Any]) -> str:
        named = {"record": type(self).__name__, "record_version": self.record_version, **body}
        return json.dumps(named, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def to_json(self) -> str:
        """The text that it was read from; the canonical JSON of a new record: sorted keys, no spaces, its kind and version."""
        return self._stored

    def to_full_json(self) -> str:
        """JSON with every field, for programs that do not know the defaults; `from_json` reads it too."""
        return self._json(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote, also of an older version.

        Raises:
            ValueError: The text is another kind of record, or of a version that this Taxiway does not know.
        """
        stored = text.decode() if isinstance(text, bytes) else text
        body = json.loads(stored)
        fields = body if isinstance(body, dict) else {}
        kind, version = fields.pop("record", None), fields.pop("record_version", None)
        if kind != cls.__name__ or version not in (cls.record_version, *cls.migrations):
            raise ValueError(f"expected a {cls.__name__} of version {cls.record_version}, got {kind} of version {version}")
        for older in range(version, cls.record_version):
            fields = cls.migrations[older](fields)
        record = cls.model_validate(fields)
        record.__dict__["_stored"] = stored
        return record

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values, which is a new record: it has a digest of its own."""
        copied = super().model_copy(update=update, deep=deep)
        for derived in set(copied.__dict__) - set(type(self).model_fields):
            del copied.__dict__[derived]
        return copied

    @cached_property
    def digest(self) -> str:
        """32 hex characters that stand for exactly this record."""
        return digest_of_bytes(self.to_json().encode())


class RecordRef(BaseModel):
    """What goes through XCom in place of a record: its kind and digest; the record itself lies in the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    record: str
    digest: str


def without(*sentinels: str) -> Migration:
    """The migration that leaves out the named fields (`checks.column` is that of every item) if they say "none" by `0` or `""`."""

    def migrate(body: dict[str, Any]) -> dict[str, Any]:
        for path in sentinels:
            *outer, name = path.split(".")
            for inner in _inner(body, outer):
                if inner.get(name) in (0, ""):
                    del inner[name]
        return body

    return migrate


def renamed(**fields: str) -> Migration:
    """The migration that gives fields other names, in the record and in all records within it: `renamed(sentence="message")`."""

    def migrate(body: Any) -> Any:
        if isinstance(body, list):
            return [migrate(item) for item in body]
        if isinstance(body, dict):
            return {fields.get(name, name): migrate(value) for name, value in body.items()}
        return body

    return migrate


def _inner(body: Any, path: list[str]) -> list[dict[str, Any]]:
    """The mappings at `path` below `body`, through lists."""
    if isinstance(body, list):
        return [found for item in body for found in _inner(item, path)]
    if not isinstance(body, dict):
        return []
    return _inner(body.get(path[0]), path[1:]) if path else [body]


def worst(statuses: tuple[Status, ...]) -> Status:
    """FAIL before UNDECIDED before PASS; NOT_APPLICABLE only where nothing applied."""
    for status in (Status.FAIL, Status.UNDECIDED, Status.PASS):
        if status in statuses:
            return status
    return Status.NOT_APPLICABLE
