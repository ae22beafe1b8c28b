"""The records of one run, read by their references: from the XComs of its tasks, or from the tags of its MLflow run."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Protocol, TypeVar, get_args, get_type_hints

from taxiway.errors import TaxiwayError
from taxiway.records import (
    Candidate,
    DataReport,
    Decision,
    Evaluation,
    FeatureSet,
    Promotion,
    Record,
    RecordRef,
    RunSummary,
    ShadowReport,
    Snapshot,
    SweepReport,
    Verdict,
)
from taxiway.store import Store

R = TypeVar("R", bound=Record)
_UNREADABLE = (TaxiwayError, ValueError, OSError)


class RecordReader(Protocol):
    """Where records are read from: the store, or the artifacts of an MLflow run."""

    def get(self, kind: type[R], digest: str) -> R:
        """Read the record of this kind and digest.

        Raises:
            TaxiwayError, ValueError, OSError: It cannot be read.
        """


@dataclass(frozen=True)
class RunRecords:
    """The records that the stages of a run have made so far; `unread` has a message for each one that could not be read."""

    snapshot: Snapshot | None = None
    report: DataReport | None = None
    features: FeatureSet | None = None
    candidate: Candidate | None = None
    sweep: SweepReport | None = None
    evaluation: Evaluation | None = None
    verdict: Verdict | None = None
    shadow: ShadowReport | None = None
    approval: Decision | None = None
    promotion: Promotion | None = None
    summary: RunSummary | None = None
    unread: tuple[str, ...] = ()


def run_records(reader: RecordReader, refs: Iterable[RecordRef], skip: tuple[type[Exception], ...] = _UNREADABLE) -> RunRecords:
    """Read the records of a run; other kinds are ignored.

    The Evaluation of the Verdict and the SweepReport of the Candidate are read too.

    Args:
        reader: Where the records are read from.
        refs: Their references.
        skip: The types of errors that only make a record unread; others are raised.
    """
    found = RunRecords()
    for ref in refs:
        if ref.record in _KINDS:
            found = _with(found, reader, ref, skip)
    if found.verdict is not None:
        found = _with(found, reader, RecordRef(record=Evaluation.__name__, digest=found.verdict.evaluation), skip)
    if found.candidate is not None and found.candidate.sweep is not None:
        found = _with(found, reader, RecordRef(record=SweepReport.__name__, digest=found.candidate.sweep), skip)
    return found


def behind_verdict(store: Store, verdict: str | None) -> RunRecords:
    """The Verdict of a promotion with its Snapshot and Evaluation.

    Args:
        store: The store.
        verdict: The digest of the Verdict; None for a promotion without one, such as a rollback.
    """
    if verdict is None:
        return RunRecords()
    found = run_records(store, [RecordRef(record=Verdict.__name__, digest=verdict)])
    if found.verdict is None:
        return found
    return _with(found, store, RecordRef(record=Snapshot.__name__, digest=found.verdict.snapshot), _UNREADABLE)


def _with(found: RunRecords, reader: RecordReader, ref: RecordRef, skip: tuple[type[Exception], ...]) -> RunRecords:
    field, kind = _KINDS[ref.record]
    try:
        # mypy cannot know that the field is of this kind; _KINDS is made from the fields themselves.
        return replace(found, **{field: reader.get(kind, ref.digest)})  # type: ignore[arg-type]
    except skip as error:
        why = str(error)
    return replace(found, unread=(*found.unread, f"the {ref.record} {ref.digest} cannot be read: {why}"))


def _kinds() -> dict[str, tuple[str, type[Record]]]:
    hints = get_type_hints(RunRecords)
    typed = {field.name: get_args(hints[field.name])[0] for field in fields(RunRecords) if field.name != "unread"}
    return {kind.__name__: (name, kind) for name, kind in typed.items()}


_KINDS = _kinds()
