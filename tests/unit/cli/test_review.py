"""Verdicts are re-opened by what became known after them, on the records of local runs; a review changes nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cli.local_runs import NAME, PIPELINE, done, refused, run, taxiway
from stages.conftest import SCHEMA, Site

from taxiway.cli.people.opened import Given, opened
from taxiway.cli.people.review import pipelines
from taxiway.records import Promotion, Status
from taxiway.stages.review import PipelineReview, Review, Standing
from taxiway.stages.review import review as review_all
from taxiway.stages.review.versions import MAX_FORMER, versions_of
from taxiway.tracking.local import database_uri

REVIEW = ("review", "--dags", "small.pipeline.yaml", "--data", "data")


def kept(folder: Path) -> dict[str, str]:
    """Every file that runs have made, with the digest of its content."""
    files = (path for path in (folder / ".taxiway").rglob("*") if path.is_file())
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in files}


def reviewed_in(days: int) -> Review:
    """A review some days from now."""
    later = datetime.now(UTC) + timedelta(days=days)
    local = Path(".taxiway/local")
    with opened(Given(database_uri(local), str(local.absolute() / "store"), None)) as installation:
        found = pipelines(installation, Path("small.pipeline.yaml"), "data", [])
        contexts = [PipelineReview.of(replace(one.opened(), clock=lambda: later), one.file, one.owner) for one in found]
        return review_all(contexts, installation.ledger)


def test_a_verdict_is_reopened_by_the_present_schema_and_the_gate_runs_again_without_a_trace(champion_site: Site) -> None:
    assert "1 verdict reviewed, none is re-opened" in done(*REVIEW)
    schema, pipeline = champion_site.folder / "small.schema.yaml", champion_site.folder / "small.pipeline.yaml"
    same = done(REVIEW[0], f"{NAME}/1", *REVIEW[1:])
    assert "verdict then PASS, today it would be PASS, without a champion to compare with" in same
    assert "the gate gives the same reasons as then" in same

    schema.write_text(SCHEMA.replace("min: -100, max: 100", "min: -1, max: 1"))
    (champion_site.folder / "team.yaml").write_text("team: runner\nowner: ada\n")
    before = kept(champion_site.folder)
    listed = taxiway(*REVIEW)
    assert listed.exit_code == 1, listed.output
    assert f"{NAME}/1 in production, owner ada, verdict PASS" in listed.output
    assert "the present schema finds 2 blocking anomalies in its data: " in listed.output
    assert f"next: if the data is wrong: taxiway rollback {NAME}" in listed.output
    assert "taxiway run --data data small.pipeline.yaml --span 2 --again WHY" in listed.output
    assert "1 of 1 verdict re-opened" in listed.output

    schema.write_text(SCHEMA)
    pipeline.write_text(PIPELINE.replace("roc_auc: 0.6", "roc_auc: 0.99"))
    again = taxiway(REVIEW[0], f"{NAME}/1", *REVIEW[1:])
    assert again.exit_code == 1, again.output
    assert "verdict then PASS, today it would be FAIL" in again.output
    new, gone = again.output.partition("only today:")[2].split("only then:")
    assert "FAIL: roc_auc" in new
    assert "below the threshold 0.99" in new
    assert "PASS: roc_auc" in gone
    assert kept(champion_site.folder) == before


def test_a_corrected_span_reopens_every_verdict_that_read_it(site: Site) -> None:
    (site.folder / "small.pipeline.yaml").write_text(PIPELINE.replace("{SPAN}.parquet", "{SPAN}-{VERSION}.parquet"))
    for span in (1, 2, 3):
        site.arrive(span).rename(site.data / f"{span}-0.parquet")
    assert run().exit_code == 0
    assert run().exit_code == 0
    assert "2 verdicts reviewed, none" in done(*REVIEW)
    site.arrive(2, signal=0.9).rename(site.data / "2-1.parquet")
    corrected = taxiway(*REVIEW)
    assert corrected.exit_code == 1
    assert corrected.output.count("span 2 was corrected: version 1 is at the source, and the model read the first version") == 2
    first, second = (corrected.output.index(f"{NAME}/{version} ") for version in (2, 1))
    assert first < second, "the version in production comes first"
    assert "former champion" in corrected.output
    assert run("--span", "2").exit_code in (0, 1)
    assert "span 2 was corrected: version 1 has a decision" in taxiway(*REVIEW).output
    assert "corrections at the source are not known: no file matches" in taxiway(*REVIEW[:-1], "elsewhere").output


def test_rows_that_were_overwritten_and_decided_again_reopen_the_verdicts_that_read_the_others(champion_site: Site) -> None:
    champion_site.arrive(3)
    assert run().exit_code == 0
    champion_site.arrive(2, signal=0.8)
    assert "none is re-opened" in done(*REVIEW), "nothing has read the other rows yet"
    assert run("--span", "2").exit_code in (0, 1)
    found = taxiway(*REVIEW)
    assert found.exit_code == 1, found.output
    assert f"{NAME}/2 in production" in found.output
    assert "span 2 was overwritten: run local__" in found.output


def test_rows_that_a_newer_version_has_read_otherwise_reopen_the_verdicts_before_it(champion_site: Site) -> None:
    champion_site.arrive(3)
    assert run().exit_code == 0
    champion_site.arrive(3, signal=0.95)
    champion_site.arrive(4)
    assert run().exit_code == 0
    found = taxiway(*REVIEW)
    assert found.exit_code == 1, found.output
    assert "span 3 was overwritten: version 3 has read content " in found.output
    assert f"{NAME}/2 " in found.output
    assert f"{NAME}/3 " not in found.output, "the version that has read the newer rows is sound"


def test_a_waiver_that_expires_reopens_the_verdict_until_it_is_renewed(site: Site) -> None:
    site.arrive(3, scale=1000)
    today = datetime.now(UTC).date()
    waiver = f"waivers:\n  - {{kind: range, column: a, owner: kim, reason: new meter, until: {today + timedelta(days=1)}}}\n"
    (site.folder / "small.schema.yaml").write_text(SCHEMA + waiver)
    assert run().exit_code == 0
    second = run()
    assert second.exit_code == 0, second.output
    assert reviewed_in(days=1).reopened == ()
    (expired,) = reviewed_in(days=2).reopened
    assert (expired.version, expired.standing, expired.status) == (2, Standing.PRODUCTION, Status.PASS)
    assert f"the waiver of range in a, by kim, was valid until {today + timedelta(days=1)}" in expired.reasons[0].message
    report = expired.reasons[0].action.partition("taxiway waive ")[2].split()[0]
    assert "--anomaly range:a --until DATE" in expired.reasons[0].action
    until = str(today + timedelta(days=3))
    done("waive", report, "--anomaly", "range:a", "--until", until, "--reason", "the meter stays")
    assert reviewed_in(days=2).reopened == ()
    assert [found.version for found in reviewed_in(days=4).reopened] == [2]


def test_a_forced_version_is_listed_before_former_champions(champion_site: Site) -> None:
    champion_site.arrive(3, signal=0.0)
    assert run().exit_code == 1
    done("force", f"{NAME}/2", "--reason", "the old one is gone")
    done("rollback", NAME, "--reason", "complaints")
    (champion_site.folder / "small.pipeline.yaml").write_text(PIPELINE + "on_invalid_data: continue\n")
    found = reviewed_in(days=0)
    assert [(v.version, v.standing, v.status) for v in found.versions] == [
        (1, Standing.PRODUCTION, Status.PASS),
        (2, Standing.FORCED, Status.FAIL),
    ]
    again = taxiway(REVIEW[0], f"{NAME}/2", *REVIEW[1:])
    assert "verdict then FAIL, today it would be FAIL, compared with version 1" in again.output
    assert again.exit_code == 0, again.output


def test_what_cannot_be_reviewed_says_why(champion_site: Site) -> None:
    assert "'dags' does not exist" in refused("review")
    assert "no pipeline file in" in refused("review", f"{NAME}/1", "--dags", str(write_other(champion_site.folder)))
    assert f"{NAME} has no version 7" in refused(REVIEW[0], f"{NAME}/7", *REVIEW[1:])
    (champion_site.folder / "small.pipeline.yaml").write_text(PIPELINE + "nonsense: 1\n")
    left_out = taxiway("review", "--dags", ".", "--data", "data")
    assert "small.pipeline.yaml is left out: " in left_out.output
    assert "0 verdicts reviewed" in left_out.output


def write_other(folder: Path) -> Path:
    (folder / "other").mkdir()
    (folder / "other/small.schema.yaml").write_text(SCHEMA)
    path = folder / "other/other.pipeline.yaml"
    path.write_text(PIPELINE.replace("pipeline: small", "pipeline: other"))
    return path


def test_of_many_former_champions_the_newest_are_reviewed_and_all_that_were_forced() -> None:
    def promoted(version: int) -> Promotion:
        decision = {"decision": "d" * 32} if version == 1 else {"shadow": "e" * 32}
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=version)
        facts = {"model": "m", "alias": "champion", "to_version": version, "by": "x", "at": at, "reason": "r"}
        return Promotion.model_validate({**facts, "verdict": f"{version:032x}", **decision})

    count = MAX_FORMER + 10
    found = versions_of(None, [promoted(version) for version in range(count, 0, -1)])
    assert list(found) == [*range(count, count - MAX_FORMER, -1), 1]
    assert found[1] == (Standing.FORCED, f"{1:032x}")


@pytest.mark.parametrize("argument", ["small.pipeline.yaml", "."])
def test_pipelines_are_named_by_a_file_or_a_folder(site: Site, argument: str) -> None:
    assert run("--until", "ingest").exit_code == 0
    assert "0 verdicts reviewed, none is re-opened" in done("review", "--dags", argument, "--data", "data")
