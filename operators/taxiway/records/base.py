"""The base class of records, with JSON form, digest and migrations, and the enums Status and Severity."""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from taxiway.records.digests import digest_of_bytes

Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""A function from the JSON fields of one record version to those of the next."""


class Status(StrEnum):
    """The result of a check, a gate or a comparison.

    UNDECIDED means too little evidence; the model is not pushed. INFO is that of a reason for which there is no requirement.
    """

    PASS = "PASS"
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    INFO = "INFO"


class Severity(StrEnum):
    """Whether an anomaly blocks (error) or is only reported (warning)."""

    ERROR = "error"
    WARNING = "warning"


class FrozenModel(BaseModel):
    """The base of records, sections and settings: frozen, without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values, which are not validated.

        Raises:
            TypeError: There is no field of a name in `update`.
        """
        fields = type(self).model_fields
        if unknown := [name for name in update or () if name not in fields]:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(unknown)}; its fields: {', '.join(fields)}")
        return super().model_copy(update=update, deep=deep)


class Record(FrozenModel):
    """The base of all records: one canonical JSON form, a digest over it.

    The canonical form leaves out fields at their default, so a new field changes no digest, and a default must not change without a
    new `record_version`. A record that is read keeps its stored text, and with it the digest that other records refer to. For other
    changes, a class increases its `record_version` and adds a migration from each older version to the next.
    """

    record_version: ClassVar[int] = 1
    migrations: ClassVar[Mapping[int, Migration]] = {}

    @cached_property
    def _stored(self) -> str:
        return self._json(self.model_dump(mode="json", exclude_defaults=True))

    def _json(self, body: dict[str, Any]) -> str:
        named = {"record": type(self).__name__, "record_version": self.record_version, **body}
        return json.dumps(named, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def to_json(self) -> str:
        """The stored text, or for a new record its canonical JSON: sorted keys, no spaces, with class name and version."""
        return self._stored

    def to_full_json(self) -> str:
        """JSON with every field, for programs without the defaults; `from_json` can read it."""
        return self._json(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read the JSON of a record, also of an older version.

        Raises:
            ValueError: The text is another kind of record, or has an unknown version.
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
        """A copy with other values, which are not validated, and with its own digest."""
        copied = super().model_copy(update=update, deep=deep)
        for derived in set(copied.__dict__) - set(type(self).model_fields):
            del copied.__dict__[derived]
        return copied

    @cached_property
    def digest(self) -> str:
        """The digest of the record, 32 hex characters."""
        return digest_of_bytes(self.to_json().encode())


class RecordRef(FrozenModel):
    """A reference to a record in the store, for XCom: its class name and digest."""

    record: str
    digest: str


def without(*sentinels: str) -> Migration:
    """A migration that removes fields whose value is `0` or `""`; `checks.column` is the field of every item of `checks`."""

    def migrate(body: dict[str, Any]) -> dict[str, Any]:
        for path in sentinels:
            *outer, name = path.split(".")
            for inner in _inner(body, outer):
                if inner.get(name) in (0, ""):
                    del inner[name]
        return body

    return migrate


def renamed(**fields: str) -> Migration:
    """A migration that renames fields in the record and in all nested records: `renamed(sentence="message")`."""

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
    """The worst of some statuses: FAIL, then UNDECIDED, then PASS; NOT_APPLICABLE if there is none of these."""
    for status in (Status.FAIL, Status.UNDECIDED, Status.PASS):
        if status in statuses:
            return status
    return Status.NOT_APPLICABLE
