"""People decide from the command line, on the records of local runs: waive, approve, reject, force, roll back, retire, verify."""

import getpass
import re
import sqlite3
from contextlib import closing
from datetime import date, timedelta

import pytest
from cli.local_runs import NAME, PIPELINE, done, refused, run, taxiway
from stages.conftest import Site

from taxiway.lineage.outcomes import earlier_attempts, summaries
from taxiway.records import Outcome
from taxiway.store import Store

TOMORROW = str(date.today() + timedelta(days=1))


def test_an_anomaly_is_waived_for_one_report_and_the_span_is_decided_again(champion_site: Site) -> None:
    champion_site.arrive(3, scale=1000)
    blocked = run()
    assert blocked.exit_code == 1, blocked.output
    (command,) = (line for line in blocked.output.splitlines() if "taxiway waive" in line)
    report, anomaly = command.partition("taxiway waive ")[2].split()[0], command.partition("--anomaly ")[2].split()[0]
    waive = ("waive", report, "--anomaly", anomaly, "--until", TOMORROW, "--reason", "the new meter counts in another unit")
    assert "allowed: " in refused("waive", report, "--anomaly", "range:b", *waive[4:])
    assert "is in the past" in refused(*waive[:5], "2020-01-01", *waive[6:])
    for unknown in ("0" * 32, "2013-04"):
        assert re.search(
            f"{unknown} is not the digest of a data report .*allowed: .*MODEL/VERSION", refused("waive", unknown, *waive[2:])
        )
    later = str(date.today() + timedelta(days=9))
    assert "still holds" not in done(*waive[:5], later, *waive[6:])
    shorter = done(*waive)
    assert f"{anomaly} is waived in report {report} until {TOMORROW}" in shorter
    assert f"until {later} still holds; this one does not replace it" in shorter
    again = run("--span", "3")
    assert again.exit_code == 0, again.output
    assert f"{anomaly.split(':')[0]} in a until {TOMORROW} by {getpass.getuser()}@" in again.output
    assert "PROMOTED 3, attempt 2, version 2" in again.output
    assert f"waiver of range in a until {TOMORROW} │ report {report[:8]}" in done("history", NAME)
    assert "0 problems" in taxiway("ledger", "verify").output


def test_a_model_that_did_not_pass_is_forced_rolled_back_and_retired(champion_site: Site) -> None:
    champion_site.arrive(3, signal=0.0)
    assert run().exit_code == 1
    assert "cannot be approved: its verdict is FAIL" in refused("approve", f"{NAME}/2", "--reason", "looks fine")
    assert f"{NAME} has no version 7" in refused("force", f"{NAME}/7", "--reason", "x")
    assert "name the version, such as" in refused("force", NAME, "--reason", "x")
    assert "the reason is empty" in refused("force", f"{NAME}/2", "--reason", " ")
    assert f"champion of {NAME}: version 2 (was 1)" in done("force", f"{NAME}/2", "--reason", "the old one is gone")
    assert "forced: the old one is gone" in done("history", NAME)
    for times in range(2):
        back = done("rollback", NAME, "--reason", "complaints")
        assert f"champion of {NAME}: version 1 (was 2)" in back
        assert ("so it was not done again; to go further back: taxiway rollback" in back) == bool(times)
    assert f"champion of {NAME}: version 2 (was 1)" in done("rollback", NAME, "--to", "2", "--reason", "it was better")
    for times in range(2):
        ended = done("retire", NAME, "--reason", "the product ends")
        assert f"champion of {NAME}: none (was 2)" in ended
        assert ("so it was not done again" in ended) == bool(times)
    assert "has no champion to retire" in refused("retire", NAME, "--reason", "again")
    history = done("history", NAME)
    assert "retired: the product ends" in history
    assert f"champion of {NAME}: version 2 (was none)" in done("rollback", NAME, "--reason", "not yet")


def test_the_newest_span_is_decided_again_with_a_reason(site: Site) -> None:
    assert "no span of runner.small has a decision yet" in run("--again", "to see").output
    for blank in ("", "  "):
        empty = run("--again", blank)
        assert (empty.exit_code, "the reason of --again is empty" in empty.output) == (2, True)
    assert run().exit_code == 0
    first = run("--again", "to see")
    assert "version 1 is already the champion" in first.output
    site.arrive(3, signal=0.0)
    assert run().exit_code == 1
    assert "REJECTED 3, attempt 2, version 2" in run("--again", "to be sure").output
    assert "REJECTED 3, attempt 3, version 2" in run("--span", "3").output
    store = Store(".taxiway/local/store")
    assert summaries(store, NAME)[-1].again == "somebody started a run for this span"
    pipeline = site.folder / "small.pipeline.yaml"
    pipeline.write_text(PIPELINE.replace("{roc_auc: 0.6}", "{roc_auc: 0.7}"))
    assert "REJECTED 3, attempt 4, version 2" in run("--span", "3").output
    assert summaries(store, NAME)[-1].again == "the pipeline file has changed"
    rows = [line for line in done("history", NAME).splitlines() if "run again" in line]
    assert ["span 3" in row for row in rows] == [True, False]
    assert all(getpass.getuser() in row for row in rows)
    assert "0 problems" in taxiway("ledger", "verify").output


def test_attempts_at_a_promoted_span_are_kept_after_a_rollback(champion_site: Site) -> None:
    champion_site.arrive(3)
    assert "PROMOTED 3, version 2" in run().output
    assert "version 2 is already the champion" in run("--span", "3").output
    store = Store(".taxiway/local/store")
    promoted = summaries(store, NAME)[-1]
    assert (promoted.attempt, promoted.outcome) == (1, Outcome.PROMOTED)
    done("rollback", NAME, "--reason", "complaints")
    pipeline = champion_site.folder / "small.pipeline.yaml"
    pipeline.write_text(PIPELINE.replace("min_improvement: -0.05", "min_improvement: 0.5"))
    for attempt, why in ((2, "the labels were checked"), (3, "once more")):
        assert f"REJECTED 3, attempt {attempt}, version 2" in run("--span", "3", "--again", why).output
        newest = summaries(store, NAME)[-1]
        assert (newest.attempt, newest.outcome, newest.again) == (attempt, Outcome.REJECTED, why)
    pipeline.write_text(PIPELINE)
    assert f"To go back to it: taxiway rollback {NAME} --to 2" in run("--span", "3", "--again", "as before").output
    newest = summaries(store, NAME)[-1]
    assert [each.attempt for each in (newest, *earlier_attempts(store, newest))] == [3, 2, 1]


def test_a_change_in_the_database_fails_the_verification(champion_site: Site) -> None:
    assert "2 links, head" in taxiway("ledger", "verify").stdout
    (database,) = (champion_site.folder / ".taxiway/local").glob("**/*.db")
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute(
            "UPDATE tags SET value = replace(value, 'first champion', 'no reason') WHERE key = 'taxiway.promotion.record'"
        )
    found = taxiway("ledger", "verify")
    assert found.exit_code == 1
    assert "entry 2 (Promotion of runner.small" in found.stdout
    assert "was edited" in found.stdout
    assert "1 problem" in found.stdout
    assert refused("rollback", NAME, "--reason", "x")


def test_keys_are_made_and_kept_private(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run().exit_code == 0
    file = site.folder / ".taxiway/local/ledger.keys"
    assert file.stat().st_mode & 0o077 == 0
    first = done("ledger", "new-key").strip()
    monkeypatch.setenv("TAXIWAY_LEDGER_KEYS", first)
    both = done("ledger", "new-key").strip().split(",")
    assert (len(both), both[1]) == (2, first)
    assert "which is not known here" in refused("rollback", NAME, "--reason", "x")


def test_a_version_waits_for_an_approval_and_is_pushed_by_it(site: Site) -> None:
    (site.folder / "small.pipeline.yaml").write_text(f"{PIPELINE}approval: required\n")
    waits = run()
    assert waits.exit_code == 3, waits.output
    assert f"version 1 passed its gates and waits for an approval; next: taxiway approve {NAME}/1" in waits.output
    approved = done("approve", f"{NAME}/1", "--reason", "as agreed")
    assert f"champion of {NAME}: version 1 (was none)" in approved
    assert "span 2 has a decision: FIRST CHAMPION" in approved
    (summary,) = summaries(Store(".taxiway/local/store"), NAME)
    assert any("above the threshold" in reason for reason in summary.reasons), "with the reasons of the gates"
    assert "first champion; approved by" in done("history", NAME)
    assert f"champion of {NAME}: version 1 (was none)" in done("approve", f"{NAME}/1", "--reason", "as agreed"), "nothing twice"
    site.arrive(3)
    assert "waits for an approval" in run("--span", "3").output
    rejected = done("reject", f"{NAME}/2", "--reason", "the label has changed its meaning")
    assert f"{NAME}/2 is rejected" in rejected
    assert "span 3 has a decision: REJECTED" in rejected
    first = summaries(Store(".taxiway/local/store"), NAME)[0]
    for command in ("approve", "reject"):
        assert re.search(
            "version 1 cannot be .*; it is the champion already", refused(command, f"{NAME}/1", "--reason", "on second thought")
        )
    assert summaries(Store(".taxiway/local/store"), NAME)[0] == first
    assert "second thought" not in done("history", NAME)
    assert "The first answer stands" in refused("approve", f"{NAME}/2", "--reason", "but it is good")
    assert "nothing to do" in run().output
