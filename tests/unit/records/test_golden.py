"""What was stored stays what it is: every kind of record, as each version of Taxiway wrote it, is read and keeps its digest.

`golden/0.1.dev1` was written before fields at their default were left out and before "none" was `null` rather than 0 or an empty
text; `golden/0.1.dev2` before fields were renamed; `golden/0.1.dev3` before reasons had codes; `golden/0.1.dev4` before columns that
leak the label were called leakage suspects. `golden/0.1` is what this version writes: a change of it changes the digests of new
records, and needs a new folder.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from records.samples import CANDIDATE, REPORT, SAMPLES

from taxiway.gates.model_gate import decide
from taxiway.records import Candidate, ColumnAlone, DataReport, Evaluation, ReasonCode, Record, ShadowReport, Status, Verdict
from taxiway.records.digests import digest_of_bytes
from taxiway.records.served import ServedPerformance
from taxiway.spec.gate import AgainstChampion, Gate
from taxiway.store import Store

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*/*.json"))
OLD = GOLDEN / "0.1.dev1"


def read(path: Path) -> Record:
    return type(SAMPLES[path.stem]).from_json(path.read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_stored_record_keeps_the_digest_that_others_name(path: Path, tmp_path: Path) -> None:
    record, store = read(path), Store(str(tmp_path))
    digest = digest_of_bytes(path.read_bytes())
    assert record.digest == digest
    assert store.put(record).digest == digest
    again = store.get(type(record), digest)
    assert (again.digest, again.to_json(), again) == (digest, path.read_text(), record)


@pytest.mark.parametrize("kind", SAMPLES)
def test_this_version_writes_what_its_golden_files_hold(kind: str) -> None:
    assert SAMPLES[kind].to_json() == (GOLDEN / "0.1" / f"{kind}.json").read_text()


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.parent.name != "0.1"], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_an_old_record_says_the_same_as_a_new_one(path: Path) -> None:
    """But for the digests in it, which stay as they were, and the codes of reasons, which are not known."""
    old, new = (content(record) for record in (read(path), SAMPLES[path.stem]))
    assert old == new


def test_what_monitoring_found_before_it_compared_slices_and_versions_stays_as_it_was() -> None:
    now = (GOLDEN / "0.1" / "ServedPerformance.json").read_text()
    content = json.loads(now)
    del content["previous"], content["slices"]
    before = json.dumps(content, separators=(",", ":"), sort_keys=True)
    record = ServedPerformance.from_json(before)
    assert (record.previous, record.slices) == (None, ())
    assert record.to_json() == before


def test_an_evaluation_from_before_keeps_the_columns_that_were_missing_or_leak_the_label() -> None:
    stored = json.loads((GOLDEN / "0.1.dev4" / "Evaluation.json").read_text())
    alone = {"by": "order", "column": "arrival_delay", "metric": "roc_auc", "value": 0.99}
    old = stored | {"candidate_without": ["tail_number"], "champion_without": ["gate"], "alone": [alone]}
    evaluation = Evaluation.from_json(json.dumps(old))
    assert evaluation.candidate_missing_columns == ("tail_number",)
    assert evaluation.champion_missing_columns == ("gate",)
    assert evaluation.leakage_suspects == (ColumnAlone(**alone),)


@pytest.mark.parametrize("kind", ["Verdict", "ShadowReport"])
@pytest.mark.parametrize("version", ["0.1.dev1", "0.1.dev2", "0.1.dev3"])
def test_a_reason_from_before_the_codes_is_read_without_one(version: str, kind: str) -> None:
    record = read(GOLDEN / version / f"{kind}.json")
    assert isinstance(record, Verdict | ShadowReport)
    assert {reason.code for reason in record.reasons} == {ReasonCode.UNKNOWN}


def test_every_kind_of_record_that_is_stored_is_golden() -> None:
    """What is no part of another record can be stored by itself; suggestions are only shown."""
    found = {kind for kind in kinds(Record) if kind.__module__.startswith("taxiway.")}
    parts = {inner for kind in found for inner in found if inner is not kind and names(kind, inner)}
    assert {kind.__name__ for kind in found - parts} <= {*SAMPLES, "Suggestion"}
    assert {kind.__name__ for kind in found if kind.record_version > 1} <= set(SAMPLES)


def test_a_report_from_before_passes_the_gate_of_the_candidate_that_names_it(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    digests = {kind: store.put(read(OLD / f"{kind}.json")).digest for kind in ("Candidate", "DataReport", "Evaluation")}
    candidate = store.get(Candidate, digests["Candidate"])
    report = store.get(DataReport, digests["DataReport"])
    assert candidate.report == report.digest
    assert data_reason(candidate, report) is Status.PASS


def test_a_report_to_which_a_field_was_added_passes_the_gate_that_named_its_digest() -> None:
    class Extended(DataReport):
        engine: str = "duckdb"

    Extended.__name__ = DataReport.__name__
    extended = Extended.from_json(REPORT.to_json())
    assert extended.engine == "duckdb"
    assert extended.digest == REPORT.digest
    assert Extended.model_validate(REPORT.model_dump()).digest == REPORT.digest  # made again by the newer version
    assert data_reason(CANDIDATE, extended) is Status.PASS


def test_a_changed_copy_of_a_stored_record_has_a_digest_of_its_own() -> None:
    stored = read(OLD / "Span.json")
    assert stored.model_copy(update={"rows": 401}).digest != stored.digest


def data_reason(candidate: Candidate, report: DataReport) -> Status:
    """What the gate says of the data alone."""
    evaluation = Evaluation.from_json((OLD / "Evaluation.json").read_text())
    gate = Gate(thresholds={"roc_auc": 0.5}, against_champion=AgainstChampion(metric="roc_auc"))
    return decide(candidate, report, evaluation, gate, today=date(2026, 1, 1)).reasons[0].status


def content(record: Record) -> Any:
    """The fields of a record without the digests of other records and the codes of reasons."""
    fields = json.loads(record.model_dump_json())
    if isinstance(record, Verdict | ShadowReport):
        fields["reasons"] = [{**reason, "code": None} for reason in fields["reasons"]]
    return {
        name: value for name, value in fields.items() if name not in ("snapshot", "report", "features", "plan", "evaluation")
    }


def kinds(base: type[Record]) -> set[type[Record]]:
    return {inner for kind in base.__subclasses__() for inner in (kind, *kinds(kind))}


def names(kind: type[Record], inner: type[Record]) -> bool:
    """Whether a field of `kind` holds records of the kind `inner`."""
    return any(f"{inner.__module__}.{inner.__name__}" in repr(field.annotation) for field in kind.model_fields.values())
