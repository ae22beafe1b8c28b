"""What the stages hand on: frozen records with one JSON form, the same in XCom, in MLflow and on the pages.

Every record names its inputs by digest, so lineage falls out of the records. A record's own digest is that of its
canonical JSON; nothing in it depends on when it was made, save a `Promotion`, which is an event.
"""

import json
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, field_validator

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


class Span(Record):
    """One arrived slice of a source; its rows lie in the store as the object `content`: Parquet, exactly as they arrived."""

    source: str
    name: str
    version: int = 0
    rows: int
    content: str

    @property
    def label(self) -> str:
        """How people name it: `2013-04`, or `2013-04 v2` where a corrected version came."""
        return f"{self.name} v{self.version}" if self.version else self.name


class Snapshot(Record):
    """The ordered spans of one run and their split: its digest stands for exactly these rows.

    `training` are the spans to learn from, oldest first; `evaluation` the labelled spans after them that no training sees.
    """

    pipeline: str
    training: tuple[Span, ...]
    evaluation: tuple[Span, ...]

    @property
    def spans(self) -> tuple[Span, ...]:
        """All spans, oldest first."""
        return self.training + self.evaluation

    @property
    def newest(self) -> Span:
        """The span that the run decides on."""
        return self.evaluation[-1]


class Anomaly(Record):
    """One finding in the data, with its evidence.

    `span` is the name of the span that it was found in, `column` is empty for findings on whole tables;
    `proposal` says what to change in the schema if the data are right after all (empty where nothing would help).
    """

    kind: str
    span: str
    column: str
    severity: Severity
    observed: str
    expected: str
    sentence: str
    examples: tuple[str, ...] = ()
    proposal: str = ""


class Waiver(Record):
    """A person's word that one kind of anomaly in one column may pass until a date (that day included)."""

    kind: str
    column: str
    owner: str
    reason: str
    until: date

    def covers(self, anomaly: Anomaly, today: date) -> bool:
        """Whether this waiver excuses `anomaly` on `today`."""
        return self.kind == anomaly.kind and self.column == anomaly.column and today <= self.until


class DataReport(Record):
    """The verdict on one snapshot's rows under one version of the schema.

    `checks` counts what was looked at, so that an empty report can be told from one that found nothing. Every anomaly is
    here, waived ones too; `waivers` are those that excused one. FAIL if any anomaly of severity error is not waived.
    """

    snapshot: str
    schema_version: str
    status: Status
    checks: int
    anomalies: tuple[Anomaly, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @property
    def blocking(self) -> tuple[Anomaly, ...]:
        """The anomalies of severity error that no waiver excused."""
        return tuple(
            a
            for a in self.anomalies
            if a.severity is Severity.ERROR and not any((w.kind, w.column) == (a.kind, a.column) for w in self.waivers)
        )


class FeatureSet(Record):
    """A fitted transform and the training rows that it made, both in the store.

    `transform` is the digest of the fitted scikit-learn object (skops); `rows` the digest of the transformed training rows
    and their labels (Parquet). `numeric` and `categorical` name the raw columns that the transform takes, in order.
    """

    snapshot: str
    schema_version: str
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    label: str
    transform: str
    rows: str
    row_count: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that a model of this feature set takes."""
        return self.numeric + self.categorical


class Candidate(Record):
    """A registered model version, with what it was trained from and under. `params` is JSON text, keys sorted."""

    model: str
    version: int
    snapshot: str
    report: str
    features: str
    schema_version: str
    estimator: str
    params: str


class Interval(Record):
    """An estimate with its interval at the gate's reliability, over `rows` rows."""

    value: float
    low: float
    high: float
    rows: int


class MetricResult(Record):
    """One metric on all evaluation rows; `champion` and `difference` (candidate minus champion) are empty without one."""

    metric: str
    candidate: Interval
    champion: Interval | None
    difference: Interval | None


class SliceResult(Record):
    """One metric on the evaluation rows where `column` is `value`; the difference is candidate minus champion.

    `difference` is empty where the slice is too small, or of one class, to tell.
    """

    metric: str
    column: str
    value: str
    rows: int
    difference: Interval | None


class Evaluation(Record):
    """Candidate and champion (version 0: there is none), scored on the same rows of a snapshot by the same code."""

    snapshot: str
    model: str
    candidate: int
    champion: int
    reliability: float
    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...] = ()


class Reason(Record):
    """One ground of a verdict, as a sentence with numbers."""

    status: Status
    sentence: str


class Verdict(Record):
    """The model gate's decision on one model version. FAIL if any reason fails, else UNDECIDED if any is, else PASS."""

    model: str
    version: int
    champion: int
    snapshot: str
    report: str
    evaluation: str
    status: Status
    reasons: tuple[Reason, ...]


class ShadowReport(Record):
    """The paired comparison of challenger and champion on live requests, and its decision.

    `champion` is version 0 where there was nobody to compare with; the status is then NOT_APPLICABLE, as it is where the
    pipeline switches shadow off. `requests` counts the pairs in which both answers are known.
    """

    model: str
    version: int
    champion: int
    status: Status
    reasons: tuple[Reason, ...]
    requests: int = 0
    agreement: Interval | None = None
    score_shift: Interval | None = None
    champion_errors: int = 0
    challenger_errors: int = 0
    latency_p50_ratio: Interval | None = None
    latency_p99_ratio: Interval | None = None


class Promotion(Record):
    """An alias that moved: an event, recorded append-only. Version 0 means that the alias did not exist."""

    model: str
    alias: str
    from_version: int
    to_version: int
    by: str
    at: datetime
    verdict: str
    shadow: str
    reason: str

    @field_validator("at")
    @classmethod
    def _aware(cls, at: datetime) -> datetime:
        if at.tzinfo is None:
            raise ValueError("a promotion's time needs a time zone")
        return at


class Outcome(StrEnum):
    """How a run over a span ended."""

    FIRST_CHAMPION = "FIRST_CHAMPION"
    PROMOTED = "PROMOTED"
    BLOCKED = "BLOCKED"
    REJECTED = "REJECTED"
    UNDECIDED = "UNDECIDED"


class RunSummary(Record):
    """What a run came to, in one look: it marks its newest span as decided, and fills the tables that people read.

    BLOCKED: the data did not pass. REJECTED: the model or its shadow did not. `version` is 0 where no model was trained.
    """

    pipeline: str
    run: str
    span: Span
    outcome: Outcome
    reasons: tuple[str, ...]
    version: int
    mlflow_run: str


def worst(statuses: tuple[Status, ...]) -> Status:
    """FAIL before UNDECIDED before PASS; NOT_APPLICABLE only where nothing applied."""
    for status in (Status.FAIL, Status.UNDECIDED, Status.PASS):
        if status in statuses:
            return status
    return Status.NOT_APPLICABLE
