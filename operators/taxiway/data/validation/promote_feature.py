"""Moving a feature to a later stage, on evidence: spans in which nothing about it would have blocked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from taxiway.data.formats.open_data import files_of, open_data
from taxiway.data.schema.constraints import LifecycleStage
from taxiway.data.schema.model import TRAINING, Schema
from taxiway.data.validation.validate import validate_files
from taxiway.errors import ConfigError, allowed_values
from taxiway.records import SchemaChange, Severity

SPANS = 3
_LATER = {
    LifecycleStage.BETA: (LifecycleStage.PLANNED, LifecycleStage.ALPHA),
    LifecycleStage.PRODUCTION: (LifecycleStage.PLANNED, LifecycleStage.ALPHA, LifecycleStage.BETA),
}


@dataclass(frozen=True)
class SpanEvidence:
    """One span: its file, and why it does not speak for the feature; empty where it does."""

    data: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """Every span that was looked at, oldest first; `needed` of them have to be clean, and none may be otherwise."""

    spans: tuple[SpanEvidence, ...]
    needed: int

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the feature may not be promoted; empty where it may."""
        found = [reason for span in self.spans for reason in span.reasons]
        clean = sum(not span.reasons for span in self.spans)
        if clean < self.needed:
            found.append(f"{clean} clean {'span' if clean == 1 else 'spans'} of {self.needed} that are needed")
        return tuple(found)


def promotion(
    schema: Schema, feature: str, stage: LifecycleStage, data: Sequence[str], *, spans: int = SPANS, today: date
) -> tuple[tuple[SchemaChange, ...], Evidence]:
    """The changes that promote a feature to `stage`, and the evidence for it: each file that `data` match is a span, in that order.

    A span is clean if no anomaly in the feature blocks, with the severity that it would have in `stage`, and drift from the span
    before is looked at too. Waivers do not help. A span whose feature has no value, or whose content was there before, is no
    evidence.

    Raises ConfigError where there is no such feature, or no way from its stage to that; DataError where data cannot be read.
    """
    known = schema.feature(feature)
    if known is None:
        raise ConfigError(
            f'"{feature}" is no feature of the schema\n    {allowed_values(feature, [f.name for f in schema.features])}'
        )
    if known.stage not in _LATER.get(stage, ()):
        ways = "; ".join(f"to {to} from {' or '.join(of)}" for to, of in _LATER.items())
        raise ConfigError(f"{feature} is {known.stage}, and is not promoted to {stage} from there; allowed: {ways}")
    alone = Schema(environments=schema.environments, features=(known.model_copy(update={"stage": stage}),))
    files = [file for pattern in data for file in files_of(pattern)]
    found: list[SpanEvidence] = []
    seen: set[str] = set()
    for at, file in enumerate(files):
        with open_data(file) as table:
            digest = table.digest
        if digest in seen:
            reasons: tuple[str, ...] = (f"{Path(file).name} holds the same as a span before it",)
        else:
            reasons = _against(file, files[at - 1] if at else None, alone)
        seen.add(digest)
        found.append(SpanEvidence(file, reasons))
    changes = (
        SchemaChange(path=("features", feature, "stage"), value=str(stage)),
        SchemaChange(path=("features", feature, "since"), value=today.isoformat()),
    )
    return changes, Evidence(tuple(found), spans)


def _against(data: str, previous: str | None, alone: Schema) -> tuple[str, ...]:
    """What speaks against the one feature of `alone` in a span; `previous` is the span before it, for drift."""
    feature = alone.features[0]
    environment = next((name for name in alone.environments if feature.expected_in(name)), TRAINING)
    found = validate_files(data, alone, previous=previous, environment=environment)
    column = found.profile.column(feature.name)
    if column is None or not column.present:
        return (f"{feature.name} in {Path(data).name} has no value.",)
    # Every other column of the data is unknown to this schema.
    return tuple(a.message for a in found.report.anomalies if a.column == feature.name and a.severity is Severity.ERROR)
