"""Re-opened verdicts on the pages: what `taxiway review` lists, in the background, at a cost that history does not raise."""

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cli.local_runs import NAME, PIPELINE, run
from stages.conftest import SCHEMA, Site

from helping import PATIENCE_S, until
from taxiway.cli.people.opened import Given, opened
from taxiway.ledger.chain import Ledger
from taxiway.lineage.outcomes import mark_processed
from taxiway.records import (
    Anomaly,
    DataReport,
    Outcome,
    Promotion,
    RunSummary,
    Severity,
    Snapshot,
    Span,
    Status,
    Verdict,
    Waiver,
)
from taxiway.registry.champions import champions_and_promotions
from taxiway.stages.review import PipelineReview, Standing
from taxiway.store import Store
from taxiway.tracking.local import database_uri
from taxiway_ui.airflow_db import DagFile
from taxiway_ui.clients import RememberingStore
from taxiway_ui.reviews.reviews import Reviewed, Reviews, Subject
from taxiway_ui.reviews.subjects import runs_of, subject_of
from taxiway_ui.reviews.validations import Validations

NOW = datetime.now(UTC)


class CountingStore(Store):
    """A store that counts its requests."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: Counter[str] = Counter()

    def get_ref(self, name: str) -> str | None:
        self.asked["ref"] += 1
        return super().get_ref(name)

    def list_refs(self, folder: str) -> tuple[str, ...]:
        self.asked["listing"] += 1
        return super().list_refs(folder)

    def get(self, kind: Any, digest: str) -> Any:
        self.asked["record"] += 1
        return super().get(kind, digest)


@dataclass
class Made:
    """A pipeline without a file, with verdicts as runs make them."""

    store: Store
    ledger: Ledger
    name: str = field(default_factory=lambda: f"review.m{uuid.uuid4().hex[:8]}")
    days: int = 0
    opens: int = 0

    def span(self, number: int, content: str = "c") -> Span:
        return Span(source="s", name=str(number), rows=1, content=content)

    def decide(self, number: int, content: str = "c") -> None:
        """Let a run decide a span."""
        summary = RunSummary(
            pipeline=self.name,
            run=f"r{number}{content}",
            span=self.span(number, content),
            outcome=Outcome.REJECTED,
            reasons=(),
            mlflow_run="m",
        )
        mark_processed(self.store, summary)

    def verdict(self, version: int, *numbers: int, report: DataReport | None = None) -> str:
        """A verdict on a version that has read these spans."""
        *training, evaluation = (self.span(number) for number in numbers)
        snapshot = Snapshot(pipeline=self.name, training=tuple(training), evaluation=(evaluation,))
        self.store.put(snapshot)
        if report is not None:
            self.store.put(report := report.model_copy(update={"snapshot": snapshot.digest}))
        made = Verdict(
            model=self.name,
            version=version,
            snapshot=snapshot.digest,
            evaluation="e",
            status=Status.PASS,
            reasons=(),
            report=report.digest if report else None,
        )
        self.store.put(made)
        return made.digest

    def review(self) -> PipelineReview:
        self.opens += 1
        then = NOW + timedelta(days=self.days)
        return PipelineReview(self.name, self.ledger, self.store, lambda: then, "FILE", "ann", "there is no file")

    def subject(self, **standings: str) -> Subject:
        """Versions with their verdicts, as `v1_PRODUCTION`."""
        versions = {}
        for name, digest in standings.items():
            version, _, standing = name.removeprefix("v").partition("_")
            versions[int(version)] = Standing[standing], digest
        return Subject(self.name, versions, self.review)


@pytest.fixture
def made(tmp_path: Path, ledger: Ledger) -> Made:
    return Made(CountingStore(str(tmp_path / "store")), ledger)


def test_corrected_spans_and_expired_waivers_are_listed_worst_first_and_without_the_file(made: Made) -> None:
    waiver = Waiver(kind="range", column="a", owner="kim", reason="x", until=NOW.date())
    report = DataReport(snapshot="", schema_version="v", status=Status.PASS, checks=1, waivers=(waiver,))
    for number in (1, 2, 3):
        made.decide(number)
    former, champion = made.verdict(1, 1, 2), made.verdict(2, 2, 3, report=report)
    subject = made.subject(v1_FORMER=former, v2_PRODUCTION=champion)
    reviews = Reviews()
    found = reviews.of([subject], PATIENCE_S)
    assert found.reopened == ()
    assert "there is no file" in found.notes[0]
    made.decide(1, "other")
    made.days = 1
    reviews.forget(made.name)
    found = reviews.of([subject], PATIENCE_S)
    assert [(one.version, one.standing) for one in found.reopened] == [(2, Standing.PRODUCTION), (1, Standing.FORMER)]
    assert "the waiver of range in a, by kim" in found.reopened[0].reasons[0].message
    assert "span 1 was overwritten" in found.reopened[1].reasons[0].message
    assert found.of(1) == found.reopened[1]
    assert found.of(3) is None


def test_a_pipeline_is_reviewed_once_for_many_pages_and_again_when_somebody_decides(made: Made) -> None:
    made.decide(1)
    subject = made.subject(v1_PRODUCTION=made.verdict(1, 1, 1))
    reviews = Reviews()
    for _ in range(3):
        assert reviews.of([subject], PATIENCE_S).pending == ()
    assert made.opens == 1
    reviews.forget(made.name)
    reviews.of([subject], PATIENCE_S)
    assert made.opens == 2
    reviews.of([made.subject(v1_FORMER=made.verdict(1, 1, 1))], PATIENCE_S)
    assert made.opens == 3, "another version is in production"
    assert Reviews().of([Subject(made.name, {}, made.review)], PATIENCE_S) == Reviewed()
    assert made.opens == 3, "without a version there is nothing to review"


def test_the_cost_of_a_review_does_not_grow_with_history(made: Made) -> None:
    assert isinstance(made.store, CountingStore)
    costs = []
    for spans in (30, 300):
        for number in range(spans):
            made.decide(number)
        subject = made.subject(
            **{f"v{version}_FORMER": made.verdict(version, version, version + 1) for version in range(1, 21)}
        )
        Reviews().of([subject], PATIENCE_S)
        made.store.asked.clear()
        Reviews().of([subject], PATIENCE_S)
        costs.append(dict(made.store.asked))
    assert costs[0] == costs[1]
    assert costs[0]["listing"] == 2


def test_a_page_does_not_wait_for_a_slow_review_and_shows_it_the_next_time(made: Made) -> None:
    made.decide(1)
    made.decide(1, "other")
    go = Event()

    def slow() -> PipelineReview:
        go.wait(PATIENCE_S)
        return made.review()

    subject = replace(made.subject(v1_PRODUCTION=made.verdict(1, 1, 1)), open=slow)
    reviews = Reviews()
    for _ in range(2):
        found = reviews.of([subject], 0.0)
        assert (found.reopened, found.pending) == ((), (made.name,))
    assert "The verdicts of 1 pipeline are being reviewed" in found.unfinished
    go.set()
    until(lambda: reviews.of([subject], 0.0).reopened, "the review is done")
    assert made.opens == 1


def test_a_review_that_fails_is_a_note_without_credentials(made: Made) -> None:
    def fails() -> PipelineReview:
        raise RuntimeError("cannot connect to postgresql://ada:secret@db/flights")

    found = Reviews().of([replace(made.subject(v1_PRODUCTION="d"), open=fails)], PATIENCE_S)
    assert found.pending == ()
    assert "cannot be reviewed now: RuntimeError" in found.notes[0]
    assert "secret" not in found.notes[0]


@contextmanager
def subject_in(site: Site) -> Iterator[Subject]:
    """What the pages review after local runs of the pipeline of a folder."""
    local = Path(".taxiway/local")
    with opened(Given(database_uri(local), str(local.absolute() / "store"), None)) as installation:
        found = champions_and_promotions(installation.ledger, [NAME])
        file = DagFile(site.folder / "small.py", Path("team/small.py"))
        store = RememberingStore(str(installation.store_url))
        yield subject_of(NAME, found.champions.get(NAME), found.promotions, installation.ledger, store, file)


def test_a_correction_at_the_source_reopens_a_verdict_and_the_pages_name_the_run(site: Site) -> None:
    (site.folder / "small.pipeline.yaml").write_text(PIPELINE.replace("{SPAN}.parquet", "{SPAN}-{VERSION}.parquet"))
    for span in (1, 2):
        site.arrive(span).rename(site.data / f"{span}-0.parquet")
    assert run().exit_code == 0
    site.arrive(1).rename(site.data / "1-1.parquet")
    with subject_in(site) as subject:
        found = Reviews().of([subject], PATIENCE_S)
    assert found.notes == ()
    (one,) = found.reopened
    assert (one.version, one.owner, one.standing) == (1, "runner", Standing.PRODUCTION)
    assert "span 1 was corrected: version 1 is at the source" in one.reasons[0].message
    assert "taxiway run team/small.pipeline.yaml --span 2 --again WHY" in one.reasons[0].action


def test_what_the_present_schema_finds_is_found_in_a_process_of_its_own_and_once(champion_site: Site) -> None:
    (champion_site.folder / "small.schema.yaml").write_text(SCHEMA.replace("min: -100, max: 100", "min: -1, max: 1"))
    known = Validations()
    reviews = Reviews(known)
    with subject_in(champion_site) as subject:
        first = reviews.of([subject], PATIENCE_S)
        assert first.notes in ((), (f"{NAME}: the data of version 1 is being validated under the present schema",))
        found = until(lambda: reviews.of([subject], PATIENCE_S).reopened, "the data was validated")
        assert "the present schema finds 2 blocking anomalies in its data: " in found[0].reasons[0].message
        Reviews(known).of([subject], PATIENCE_S)
    assert len(known._known) == 1
    (champion_site.folder / "small.schema.yaml").write_text(SCHEMA)
    with subject_in(champion_site) as subject:
        assert Reviews(known).of([subject], PATIENCE_S) == Reviewed()
    assert len(known._known) == 1, "the schema is that of the verdict again"


def test_a_broken_pipeline_file_is_a_note(champion_site: Site) -> None:
    (champion_site.folder / "small.pipeline.yaml").write_text(PIPELINE + "nonsense: 1\n")
    with subject_in(champion_site) as subject:
        (note,) = Reviews().of([subject], PATIENCE_S).notes
    assert "team/small.pipeline.yaml is not valid now" in note
    assert "nonsense" in note


def test_only_runs_are_named_as_runs() -> None:
    common = {"model": "a.b", "alias": "champion", "at": NOW, "reason": "x"}
    made = (
        Promotion(from_version=2, to_version=1, by="ann", **common),
        Promotion(from_version=1, to_version=2, by="a.b/run 2", verdict="v2", **common),
        Promotion(to_version=1, by="local/x", verdict="v1", **common),
    )
    assert runs_of(made) == {2: "run 2"}


def test_an_anomaly_that_was_known_and_waived_by_nobody_any_more_needs_no_schema(made: Made) -> None:
    """A verdict whose data never passed has no waiver that could expire."""
    anomaly = Anomaly(
        kind="range", span="1", column="a", severity=Severity.ERROR, observed="9", expected="1", message="m", proposal="p"
    )
    report = DataReport(snapshot="", schema_version="v", status=Status.FAIL, checks=1, anomalies=(anomaly,))
    made.decide(1)
    subject = made.subject(v1_FORCED=made.verdict(1, 1, 1, report=report))
    assert Reviews().of([subject], PATIENCE_S).reopened == ()
