"""The records of a run by their references, as far as they can be read."""

from pathlib import Path

import pytest

from taxiway.lineage.run_records import RunRecords, behind_verdict, run_records
from taxiway.records import DataReport, Evaluation, RecordRef, Snapshot, Span, Status, Verdict
from taxiway.records.digests import digest_of_bytes
from taxiway.store import Store

SPAN = Span(source="file:///s/{SPAN}", name="2013-04", rows=3, content="c" * 32)
SNAPSHOT = Snapshot(pipeline="flights.late", training=(SPAN,), evaluation=(SPAN,))
EVALUATION = Evaluation(snapshot=SNAPSHOT.digest, model="flights.late", candidate=2, champion=1, confidence=0.99, metrics=())
VERDICT = Verdict(
    model="flights.late",
    version=2,
    champion=1,
    snapshot=SNAPSHOT.digest,
    report="r",
    evaluation=EVALUATION.digest,
    status=Status.PASS,
    reasons=(),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path))
    for record in (SNAPSHOT, EVALUATION, VERDICT):
        made.put(record)
    return made


def ref(record: object) -> RecordRef:
    return RecordRef(record=type(record).__name__, digest=record.digest)  # type: ignore[attr-defined]


def test_each_reference_finds_its_record_and_the_verdict_its_evaluation(store: Store) -> None:
    found = run_records(store, [ref(SNAPSHOT), ref(VERDICT), RecordRef(record="SomethingElse", digest="0")])
    assert found == RunRecords(snapshot=SNAPSHOT, verdict=VERDICT, evaluation=EVALUATION)


def test_a_record_that_is_missing_or_altered_is_reported_and_the_others_are_read(store: Store, tmp_path: Path) -> None:
    (tmp_path / "records" / "Verdict" / f"{VERDICT.digest}.json").write_text('{"altered": true}')
    gone = RecordRef(record=DataReport.__name__, digest="d" * 32)
    found = run_records(store, [gone, ref(VERDICT), ref(SNAPSHOT)])
    assert (found.report, found.verdict, found.snapshot) == (None, None, SNAPSHOT)
    assert len(found.unread) == 2
    assert "DataReport" in found.unread[0]
    assert "is corrupt" in found.unread[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"record_version":4', '"record_version":99'), "version 99"),
        (('"version":2', '"unheard_of":2'), "was written by another version of Taxiway: 2 fields"),
    ],
)
def test_a_record_of_another_version_is_reported(store: Store, change: tuple[str, str], message: str) -> None:
    other = VERDICT.to_json().replace(*change).encode()
    digest = digest_of_bytes(other)
    (Path(store.url) / "records" / "Verdict" / f"{digest}.json").write_bytes(other)
    found = run_records(store, [RecordRef(record="Verdict", digest=digest)])
    assert found.verdict is None
    assert message in found.unread[0]


def test_what_a_promotion_rests_on(store: Store) -> None:
    assert behind_verdict(store, VERDICT.digest) == RunRecords(snapshot=SNAPSHOT, verdict=VERDICT, evaluation=EVALUATION)
    assert behind_verdict(store, None) == RunRecords()
    assert "cannot be read" in behind_verdict(store, "0" * 32).unread[0]
