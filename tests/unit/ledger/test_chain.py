"""The chain of the ledger on a real MLflow: appended to by many at once, cut at any request, and altered in its database."""

import itertools
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledger.dying import Dying, KilledError
from ledger.entries import KEYS
from mlflow import MlflowClient

from taxiway.errors import ConfigError, TerminalError
from taxiway.ledger import chain
from taxiway.ledger.chain import Ledger, append, append_to, links, newest_links
from taxiway.ledger.keys import LedgerKeys
from taxiway.ledger.links import Link, NewEntry, broken_links
from taxiway.ledger.segments import make_run
from taxiway.tracking.local import local_mlflow
from taxiway.tracking.tags import CHAIN_LINK


def entry(client: MlflowClient, model: str = "team.model", record: str = "d1") -> NewEntry:
    return NewEntry("Decision", model, client.create_run("0").info.run_id, record)


def numbers(ledger: Ledger) -> list[int]:
    return [link.number for link in links(ledger.client) if isinstance(link, Link)]


def test_each_link_names_the_one_before_and_is_signed(ledger: Ledger) -> None:
    made = [append(ledger, entry(ledger.client)) for _ in range(3)]
    assert [link.number for link in made] == [1, 2, 3]
    assert [link.previous for link in made] == [None, made[0].hash, made[1].hash]
    assert all(KEYS.verifies(link.text, link.signature) for link in made)
    assert list(links(ledger.client)) == made
    assert Link.from_json(ledger.client.get_run(made[1].entry).data.tags[CHAIN_LINK]) == made[1]


def test_an_entry_is_appended_once(ledger: Ledger) -> None:
    new = entry(ledger.client)
    assert append(ledger, new) == append(ledger, new)
    assert numbers(ledger) == [1]


def test_it_begins_with_what_is_older(ledger: Ledger) -> None:
    older = [entry(ledger.client) for _ in range(3)]
    new = entry(ledger.client)
    append(ledger, new, lambda: older)
    assert [link.entry for link in links(ledger.client) if isinstance(link, Link)] == [e.entry for e in (*older, new)]
    assert all(CHAIN_LINK in ledger.client.get_run(e.entry).data.tags for e in older)


def test_full_runs_are_continued(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "SEGMENT_LINKS", 3)
    for _ in range(8):
        append(ledger, entry(ledger.client))
    assert numbers(ledger) == list(range(1, 9))
    found = [link for link in links(ledger.client) if isinstance(link, Link)]
    assert all(one.hash == other.previous for one, other in itertools.pairwise(found))


def test_many_append_at_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the chain is begun, and while its runs are full."""
    monkeypatch.setattr(chain, "SEGMENT_LINKS", 4)
    monkeypatch.setattr(chain, "_TRIES", 1000)
    new = [entry(ledger.client) for _ in range(12)]
    start, errors = threading.Barrier(4), []

    def write(mine: list[NewEntry]) -> None:
        start.wait()
        try:
            for one in mine:
                append(ledger, one)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(new[at::4],)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = [link for link in links(ledger.client) if isinstance(link, Link)]
    assert [link.number for link in found] == list(range(1, 13))
    assert {link.entry for link in found} == {one.entry for one in new}
    assert all(one.hash == other.previous for one, other in itertools.pairwise(found))
    experiments = [e.name for e in ledger.client.search_experiments() if e.name.startswith(chain.EXPERIMENT)]
    assert experiments == [chain.EXPERIMENT]


def test_a_retry_completes_what_a_kill_left_behind_at_any_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "SEGMENT_LINKS", 2)
    with local_mlflow(tmp_path) as client:
        older, new = [entry(client) for _ in range(2)], [entry(client) for _ in range(3)]
        whole, killed = Ledger(client, KEYS), 0
        for one in new:
            for last in range(100):
                try:
                    append(Ledger(Dying(client, last), KEYS), one, lambda: older)  # type: ignore[arg-type]
                    break
                except KilledError:
                    killed += 1
            append(whole, one, lambda: older)
        assert killed > 15
        found = [link for link in links(client) if isinstance(link, Link)]
        assert {link.entry for link in found} == {e.entry for e in (*older, *new)}
        assert [link.number for link in found] == list(range(1, len(found) + 1))
        assert len(found) == 5


def test_a_kill_while_a_run_is_continued_forks_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever request the one killed process did not make, the links after it are in one order, and all runs can be searched."""
    monkeypatch.setattr(chain, "SEGMENT_LINKS", 3)
    killed = 0
    for last in range(100):
        name = f"chain {last}"

        def write(number: int, client: Any = ledger.client, name: str = name) -> None:
            append_to(Ledger(client, KEYS), name, NewEntry("Asked", "team.m", f"e{number}", f"e{number}", "{}", ("seen",)))

        for number in range(1, 4):
            write(number)
        try:
            write(4, Dying(ledger.client, last))
            break
        except KilledError:
            killed += 1
        for number in range(4, 9):
            write(number)
            found = [link for link in links(ledger.client, name) if isinstance(link, Link)]
            assert [link.entry for link in found] == [f"e{each}" for each in range(1, number + 1)]
            assert list(broken_links(KEYS, found)) == []
            assert newest_links(ledger.client, name, ("seen",)) == found, "those in older runs are found by their mark"
    assert killed > 6


def test_nothing_is_appended_to_a_run_with_missing_links_before_it(ledger: Ledger) -> None:
    append(ledger, entry(ledger.client))
    known = ledger.client.get_experiment_by_name(chain.EXPERIMENT)
    assert known is not None
    inserted = make_run(ledger.client, known.experiment_id, 7)
    with pytest.raises(
        TerminalError, match=rf"the MLflow run {inserted} of the chain begins with link 7, and link 1 is the last"
    ):
        append(ledger, entry(ledger.client))
    assert ledger.client.get_run(inserted).data.params == {}
    ledger.client.delete_run(inserted)
    append(ledger, entry(ledger.client))
    assert numbers(ledger) == [1, 2]


def test_a_deleted_chain_is_named(ledger: Ledger) -> None:
    append(ledger, entry(ledger.client))
    known = ledger.client.get_experiment_by_name(chain.EXPERIMENT)
    assert known is not None
    ledger.client.delete_experiment(known.experiment_id)
    with pytest.raises(TerminalError, match=r"taxiway/ledger is deleted in MLflow.*restore it: mlflow experiments restore"):
        append(ledger, entry(ledger.client))


def test_keys_are_read_and_rotated() -> None:
    first = LedgerKeys.parse(f" {'a' * 32},\n")
    assert first.keys == ("a" * 32,)
    signature, rotated = first.sign("text"), first.rotated()
    assert rotated.verifies("text", signature)
    assert not first.verifies("text", rotated.sign("text"))
    assert not rotated.verifies("other text", signature)
    assert not rotated.verifies("text", None)
    assert LedgerKeys.parse(rotated.text) == rotated
    assert "aaaa" not in repr(first)
    assert not LedgerKeys()
    assert LedgerKeys().sign("text") is None
    assert LedgerKeys().verifies("text", None)
    with pytest.raises(ConfigError, match="key 2 of the ledger has 5 characters; required: at least 32"):
        LedgerKeys.parse(f"{'a' * 32} short")


@pytest.mark.parametrize(
    "change", [{"model": "other"}, {"record": "d2"}, {"number": 7}, {"previous": "x"}, {"entry": "e"}, {"kind": "k"}]
)
def test_no_part_of_a_link_can_be_changed(change: dict[str, Any]) -> None:
    link = Link(1, "Decision", "team.model", "run", "d1", None)
    signed = replace(link, signature=KEYS.sign(link.text))
    changed = replace(signed, **change)
    assert KEYS.verifies(signed.text, signed.signature)
    assert not KEYS.verifies(changed.text, changed.signature)
    assert changed.hash != signed.hash
