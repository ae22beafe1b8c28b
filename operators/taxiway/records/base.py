"""What all records share: frozen, one JSON form, a digest; and the words with which they decide."""

import json
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from taxiway.digests import digest_of_bytes


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
    """The base of all records: frozen, no unknown fields, one canonical JSON form, a digest over it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    record_version: ClassVar[int] = 1

    def to_json(self) -> str:
        """The canonical JSON: sorted keys, no spaces, with the record's kind and version."""
        body = self.model_dump(mode="json")
        return json.dumps(
            {"record": type(self).__name__, "record_version": self.record_version, **body},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote. Raises ValueError where the text is another kind of record."""
        body = json.loads(text)
        kind, version = body.pop("record", None), body.pop("record_version", None)
        if kind != cls.__name__ or version != cls.record_version:
            raise ValueError(f"expected a {cls.__name__} of version {cls.record_version}, got {kind} of version {version}")
        return cls.model_validate(body)

    @property
    def digest(self) -> str:
        """32 hex characters that stand for exactly this record."""
        return digest_of_bytes(self.to_json().encode())


class RecordRef(BaseModel):
    """What goes through XCom in place of a record: its kind and digest; the record itself lies in the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    record: str
    digest: str


def worst(statuses: tuple[Status, ...]) -> Status:
    """FAIL before UNDECIDED before PASS; NOT_APPLICABLE only where nothing applied."""
    for status in (Status.FAIL, Status.UNDECIDED, Status.PASS):
        if status in statuses:
            return status
    return Status.NOT_APPLICABLE
