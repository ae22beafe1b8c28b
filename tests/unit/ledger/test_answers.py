"""The chain of queries and answers on a real MLflow: each is there once, in one order, also if processes are killed or race."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ledger.dying import Dying, KilledError
from ledger.entries import KEYS, NOW, wrong

from taxiway.errors import TerminalError
from taxiway.evaluation.evaluation_set import evaluation_set
from taxiway.ledger import chain
from taxiway.ledger.answers.asking import answer, ask, standing_of
from taxiway.ledger.answers.chains import all_entries, experiment_of
from taxiway.ledger.chain import Ledger
from taxiway.ledger.segments import NEXT, make_run, newest_runs, written
from taxiway.records import Answered, Asked, EvaluationSet, Status
from taxiway.tracking.local import local_mlflow

ROWS = EvaluationSet(content="a" * 32, rows=10, different=10, once=10, sample="AAAAAAAAAAE=")
OTHERS = EvaluationSet(content="b" * 32, rows=10, different=10, once=10, sample="AAAAAAAAAAI=")


def asked(key: str, **changes: Any) -> Asked:
    common = {"model": "team.m", "version": 1, "evaluation_set": ROWS, "steps": 3, "passes": 1, "by": "dag/run", "at": NOW}
    return Asked(key=key, **{**common, **changes})


def answered(key: str, status: Status = Status.FAIL) -> Answered:
    return Answered(key=key, log_share=-1.0, status=status, shown="decision", by="dag/run", at=NOW)


def decide(ledger: Ledger, key: str, status: Status = Status.FAIL, **changes: Any) -> None:
    query = asked(key, **changes)
    standing = ask(ledger, query)
    assert not standing.is_spent
    if not standing.answers:
        answer(ledger, query, answered(key, status))


def test_each_model_is_counted_once_until_the_rows_are_spent(ledger: Ledger) -> None:
    for key in ("a", "b", "a", "c", "b"):
        decide(ledger, key)
    assert [entry.asked.key for entry in all_entries(ledger, "team.m")] == ["a", "b", "c"]
    fourth = ask(ledger, asked("d"))
    assert (fourth.is_spent, fourth.account.steps) == (True, 3)
    assert len(all_entries(ledger, "team.m")) == 3, "what is not asked is not recorded"
    again = ask(ledger, asked("b"))
    assert (again.is_spent, [one.status for one in again.answers]) == (False, [Status.FAIL])
    assert again.account.steps == 1, "the account of then"


def test_other_rows_have_an_account_of_their_own(ledger: Ledger) -> None:
    decide(ledger, "a", Status.PASS)
    assert ask(ledger, asked("b")).is_spent, "after a pass, new rows are needed"
    assert standing_of(ledger, asked("b", evaluation_set=OTHERS)).account.steps == 0


def test_what_the_rows_have_answered_about_other_models_counts(ledger: Ledger) -> None:
    """A copy of the pipeline under another name does not get rows that are as new."""
    decide(ledger, "a")
    decide(ledger, "b", model="team.copy")
    third = ask(ledger, asked("c", model="team.third"))
    assert (third.account.steps, third.elsewhere, third.is_spent) == (2, {"team.m": 1, "team.copy": 1}, False)
    assert ask(ledger, asked("d", model="team.fourth")).is_spent, "the third query is not answered, and counts"
    assert standing_of(ledger, asked("d", model="team.fourth", evaluation_set=OTHERS)).account.steps == 0
    assert wrong(ledger) == ()


def test_a_gate_that_promises_nothing_counts_its_own_questions_only(ledger: Ledger) -> None:
    decide(ledger, "a", Status.PASS)
    plain = standing_of(ledger, asked("b", model="team.plain", guaranteed=False, shared=False))
    assert (plain.account.steps, plain.elsewhere) == (0, {})
    scores = answered("b").model_copy(update={"shown": "exact", "log_values": None})
    ask(ledger, asked("b", model="team.plain", guaranteed=False, shared=False, evaluation_set=OTHERS))
    answer(ledger, asked("b", model="team.plain", guaranteed=False, shared=False, evaluation_set=OTHERS), scores)
    assert standing_of(ledger, asked("c", evaluation_set=OTHERS)).is_spent, "what it has shown may be known"


def test_who_states_not_to_know_other_answers_does_not_pay_for_them(ledger: Ledger) -> None:
    decide(ledger, "a", Status.PASS)
    mine = ask(ledger, asked("b", model="team.own", shared=False))
    assert (mine.account.steps, mine.elsewhere, mine.is_spent) == (0, {"team.m": 1}, False)


def test_the_same_question_about_another_model_is_free(ledger: Ledger) -> None:
    decide(ledger, "a", Status.PASS)
    query = asked("a", model="team.copy")
    standing = ask(ledger, query)
    assert standing.decided is not None
    assert (standing.is_spent, standing.decided.log_share, standing.account.steps, standing.answers) == (False, -1.0, 0, ())
    answer(ledger, query, answered("a", Status.PASS))
    assert ask(ledger, asked("b", model="team.third")).account.steps == 1, "two of the same are one"


def test_who_does_not_know_other_answers_asks_the_same_question_anew(ledger: Ledger) -> None:
    decide(ledger, "a", Status.PASS)
    standing = ask(ledger, asked("a", model="team.own", shared=False))
    assert standing.decided is None, "its share of the error is that of its own budget"
    assert (standing.elsewhere, standing.account.steps) == ({"team.m": 1}, 0)


def test_what_overlaps_is_found_in_other_chains_however_old(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "SEGMENT_LINKS", 4)
    frame = pd.DataFrame({"a": range(1000), "b": np.linspace(0, 1, 1000)})
    rows, one_more = evaluation_set(frame, ()), evaluation_set(pd.concat([frame.iloc[10:], frame.iloc[:3] + 5000]), ())
    assert rows.content != one_more.content
    query = asked("a", evaluation_set=rows)
    ask(ledger, query)
    for number in range(4):  # the answer is in another run than the query
        decide(ledger, f"x{number}", evaluation_set=OTHERS, steps=100)
    answer(ledger, query, answered("a", Status.PASS))
    for number in range(12):
        decide(ledger, f"y{number}", evaluation_set=OTHERS, steps=100)
    for model in ("team.m", "team.copy"):
        standing = standing_of(ledger, asked("b", model=model, evaluation_set=one_more))
        assert (standing.account.passes, standing.is_spent, standing.sets) == (1, True, 1)


def test_models_that_ask_at_once_count_for_each_other(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_TRIES", 1000)
    start, steps, errors = threading.Barrier(3), list[int](), []

    def one(name: str) -> None:
        start.wait()
        try:
            steps.append(ask(ledger, asked(name, model=f"team.{name}", steps=5)).account.steps)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert all(found >= place for place, found in enumerate(sorted(steps))), "no place is taken twice"


def test_an_edited_chain_of_another_model_is_named(tmp_path: Path) -> None:
    with local_mlflow(tmp_path) as client:
        ledger = Ledger(client, KEYS)
        decide(ledger, "a")
        (database,) = tmp_path.glob("**/*.db")
        with closing(sqlite3.connect(database)) as opened, opened:
            opened.execute("UPDATE params SET value = replace(value, 'FAIL', 'PASS') WHERE key = '000000002'")
        with pytest.raises(TerminalError, match=r"the ledger of answers about team.m was edited"):
            ask(ledger, asked("b", model="team.other"))


def test_an_old_set_is_still_known_when_many_others_were_asked_since(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "SEGMENT_LINKS", 4)
    decide(ledger, "a", Status.PASS)
    for number in range(10):
        decide(ledger, f"x{number}", evaluation_set=OTHERS, steps=100)
    assert ask(ledger, asked("b")).is_spent
    assert wrong(ledger) == ()


def test_a_kill_between_any_two_requests_asks_once(tmp_path: Path) -> None:
    with local_mlflow(tmp_path) as client:
        killed = 0
        for key in ("a", "b"):
            for last in range(100):
                try:
                    decide(Ledger(Dying(client, last), KEYS), key)  # type: ignore[arg-type]
                    break
                except KilledError:
                    killed += 1
        whole = Ledger(client, KEYS)
        assert killed > 10
        assert [(entry.asked.key, len(entry.answers)) for entry in all_entries(whole, "team.m")] == [("a", 1), ("b", 1)]
        assert standing_of(whole, asked("c")).account.steps == 2
        assert wrong(whole) == ()


def test_a_kill_before_a_run_is_linked_hides_no_query(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked about one model is known to every other, though the process that made the run with it was killed."""
    monkeypatch.setattr(chain, "SEGMENT_LINKS", 2)
    decide(ledger, "x", evaluation_set=OTHERS)
    known = ledger.client.get_experiment_by_name(experiment_of("team.m"))
    assert known is not None
    (full,) = newest_runs(ledger.client, known.experiment_id)
    assert written(ledger.client, full.info.run_id, NEXT, make_run(ledger.client, known.experiment_id, 3, linked=False))
    for key in ("a", "b"):
        decide(ledger, key)
        copy = standing_of(ledger, asked("c", model="team.copy", steps=2))
        assert (copy.account.steps, copy.is_spent) == {"a": (1, False), "b": (2, True)}[key]
    assert wrong(ledger) == ()


def test_of_many_that_ask_at_once_no_more_are_answered_than_the_budget_has(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "_TRIES", 1000)
    start, places, errors = threading.Barrier(5), list[tuple[bool, int]](), []

    def one(key: str) -> None:
        start.wait()
        try:
            standing = ask(ledger, asked(key))
            if not standing.is_spent:
                answer(ledger, asked(key), answered(key))
            places.append((standing.is_spent, standing.account.steps))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(f"k{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(steps for spent, steps in places if not spent) == [0, 1, 2], "each has a place of its own"
    assert sum(spent for spent, _ in places) == 2


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE params SET value = replace(value, 'FAIL', 'PASS') WHERE key = '000000002'",
            "link 2 of the chain .* is not signed",
        ),
        ("DELETE FROM params WHERE key = '000000003'", "links 3 to 3 of the chain are missing"),
        (
            "UPDATE params SET value = replace(value, 'team.m', 'team.n') WHERE key = '000000001' AND value LIKE '%Asked%'",
            "link 1 is about team.n",
        ),
    ],
)
def test_an_edited_chain_decides_nothing_and_is_named(tmp_path: Path, statement: str, words: str) -> None:
    with local_mlflow(tmp_path) as client:
        ledger = Ledger(client, KEYS)
        decide(ledger, "a")
        decide(ledger, "b")
        assert wrong(ledger) == ()
        (database,) = tmp_path.glob("**/*.db")
        with closing(sqlite3.connect(database)) as opened, opened:
            assert opened.execute(statement).rowcount == 1
        assert any(problem.startswith("answers about team.m: ") for problem in wrong(ledger))
        with pytest.raises(TerminalError, match=rf"the ledger of answers about team.m was edited: .*{words}"):
            all_entries(ledger, "team.m")


def test_who_has_no_key_does_not_ask_a_signed_ledger(ledger: Ledger) -> None:
    decide(ledger, "a")
    with pytest.raises(TerminalError, match="the ledger is signed, and there is no key here to sign with"):
        ask(Ledger(ledger.client), asked("b"))
    assert ledger.client.get_experiment_by_name(experiment_of("team.m")) is not None


def test_a_chain_that_was_renamed_or_removed_is_missed(ledger: Ledger) -> None:
    decide(ledger, "a")
    decide(ledger, "a", model="team.other")
    known = ledger.client.get_experiment_by_name(experiment_of("team.m"))
    assert known is not None
    ledger.client.rename_experiment(known.experiment_id, "old answers")
    with pytest.raises(TerminalError, match=r"the answers about team.m are not in MLflow any more.*removed or renamed"):
        ask(ledger, asked("b"))
    assert wrong(ledger) == (
        "the answers about team.m were removed from MLflow, or their experiment taxiway/answers/team.m was renamed",
    )
    ledger.client.rename_experiment(known.experiment_id, experiment_of("team.m"))
    assert wrong(ledger) == ()
    decide(ledger, "b")
    (segment,) = ledger.client.search_runs([known.experiment_id])
    ledger.client.delete_run(segment.info.run_id)
    with pytest.raises(TerminalError, match="the beginning of the chain is deleted or removed from the experiment"):
        all_entries(ledger, "team.m")
    ledger.client.restore_run(segment.info.run_id)
    ledger.client.delete_experiment(known.experiment_id)
    with pytest.raises(
        TerminalError, match=r"taxiway/answers/team.m is deleted in MLflow.*restore it: mlflow experiments restore"
    ):
        ask(ledger, asked("c"))
