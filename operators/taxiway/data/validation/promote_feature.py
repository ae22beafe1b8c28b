"""Promoting a feature to a later lifecycle stage, if enough spans have no blocking anomaly in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from taxiway.data.formats.convert import ReadOptions
from taxiway.data.formats.open_data import AS_DETECTED, files_of, open_data
from taxiway.data.schema.constraints import LifecycleStage
from taxiway.data.schema.model import TRAINING, Schema
from taxiway.data.validation.validate import validate_with_profiles
from taxiway.errors import ConfigError, allowed_values
from taxiway.messages import counted
from taxiway.records import SchemaChange, Severity

SPANS = 3
_LATER = {
    LifecycleStage.BETA: (LifecycleStage.PLANNED, LifecycleStage.ALPHA),
    LifecycleStage.PRODUCTION: (LifecycleStage.PLANNED, LifecycleStage.ALPHA, LifecycleStage.BETA),
}


@dataclass(frozen=True)
class SpanEvidence:
    """One span: its file, and the reasons against promoting the feature; no reasons if the span is clean."""

    data: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """Every span that was checked, oldest first. At least `needed` spans must be clean, and no span may be unclean."""

    spans: tuple[SpanEvidence, ...]
    needed: int

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the feature cannot be promoted; empty if it can."""
        found = [reason for span in self.spans for reason in span.reasons]
        clean = sum(not span.reasons for span in self.spans)
        if clean < self.needed:
            found.append(f"{counted(clean, 'clean span')}; required: at least {self.needed}")
        return tuple(found)


def promotion(
    schema: Schema,
    feature: str,
    stage: LifecycleStage,
    data: Sequence[str],
    *,
    spans: int = SPANS,
    today: date,
    options: ReadOptions = AS_DETECTED,
) -> tuple[tuple[SchemaChange, ...], Evidence]:
    """The schema changes that promote a feature to `stage`, and the evidence for it.

    A span is clean if the feature has a value and no blocking anomaly, with the severity that it would have in `stage`. Drift from
    the span before is checked too. Waivers do not count, and a copy of an earlier span is not clean.

    Args:
        schema: The schema with the feature.
        feature: The feature's name.
        stage: The new stage.
        data: Files or patterns of files; each matching file is a span, oldest first.
        spans: How many clean spans are required.
        today: The date to write as `since`.
        options: How the files are read.

    Raises:
        ConfigError: There is no such feature, or it cannot be promoted from its stage to `stage`.
        DataError: A file cannot be read.
    """
    known = schema.feature(feature)
    if known is None:
        raise ConfigError(
            f'"{feature}" is not a feature of the schema\n    {allowed_values(feature, [f.name for f in schema.features])}'
        )
    if known.stage not in _LATER.get(stage, ()):
        steps = "; ".join(f"to {to} from {' or '.join(of)}" for to, of in _LATER.items())
        raise ConfigError(f"{feature} is {known.stage} and cannot be promoted to {stage}; allowed: {steps}")
    alone = Schema(environments=schema.environments, features=(known.model_copy(update={"stage": stage}),))
    files = [file for pattern in data for file in files_of(pattern)]
    found: list[SpanEvidence] = []
    seen: set[str] = set()
    for index, file in enumerate(files):
        with open_data(file, options) as table:
            digest = table.digest
        if digest in seen:
            reasons: tuple[str, ...] = (f"{Path(file).name} has the same content as an earlier span",)
        else:
            reasons = _reasons_against(file, files[index - 1] if index else None, alone, options)
        seen.add(digest)
        found.append(SpanEvidence(file, reasons))
    changes = (
        SchemaChange(path=("features", feature, "stage"), value=str(stage)),
        SchemaChange(path=("features", feature, "since"), value=today.isoformat()),
    )
    return changes, Evidence(tuple(found), spans)


def _reasons_against(data: str, previous: str | None, alone: Schema, options: ReadOptions) -> tuple[str, ...]:
    """The blocking anomalies of the one feature in the schema `alone`; `previous` is the span before, for drift."""
    feature = alone.features[0]
    environment = next((name for name in alone.environments if feature.expected_in(name)), TRAINING)
    found = validate_with_profiles(data, alone, previous=previous, environment=environment, options=options)
    column = found.profile.column(feature.name)
    if column is None or not column.present:
        return (f"{feature.name} in {Path(data).name} has no value.",)
    # All other columns of the data are new to this schema.
    return tuple(a.message for a in found.report.anomalies if a.column == feature.name and a.severity is Severity.ERROR)
