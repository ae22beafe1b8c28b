"""Push and rollback against a real MLflow, killed at every step."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient

from taxiway.errors import TerminalError, TransientError
from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import State
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.ledger.promotions import entries
from taxiway.records import Promotion, ShadowReport, Status, Verdict
from taxiway.registry.aliases import CHAMPION, PREVIOUS, version_at
from taxiway.registry.demote import rollback
from taxiway.registry.promote import push
from taxiway.tracking.local import local_mlflow
from taxiway.tracking.tags import NEWEST_SPAN

KEYS = LedgerKeys((new_key(),))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    with local_mlflow(tmp_path_factory.mktemp("mlflow")) as opened:
        yield opened


@pytest.fixture
def model(client: MlflowClient) -> str:
    """A registered model with three versions, trained up to April, May and June."""
    name = f"flights.m{uuid.uuid4().hex[:8]}"
    client.create_registered_model(name)
    _versions(client, name, "2013-04", "2013-05", "2013-06")
    return name


def verdict(model: str, version: int, champion: int | None, status: Status = Status.PASS) -> Verdict:
    return Verdict(
        model=model, version=version, champion=champion, snapshot="s", report="r", evaluation="e", status=status, reasons=()
    )


def shadow(model: str, version: int, champion: int | None, status: Status = Status.PASS) -> ShadowReport:
    return ShadowReport(model=model, version=version, champion=champion, status=status, reasons=())


def promote(client: MlflowClient, model: str, version: int, champion: int | None) -> Promotion:
    status = Status.PASS if champion else Status.NOT_APPLICABLE
    return push(
        Ledger(client, KEYS),
        verdict(model, version, champion),
        shadow(model, version, champion, status),
        by="test",
        at=datetime.now(UTC),
    )


def test_push_moves_the_alias_and_keeps_the_previous(client: MlflowClient, model: str) -> None:
    promote(client, model, 1, None)
    assert (version_at(client, model, CHAMPION), version_at(client, model, PREVIOUS)) == (1, None)
    promote(client, model, 2, 1)
    assert (version_at(client, model, CHAMPION), version_at(client, model, PREVIOUS)) == (2, 1)
    assert [(e.promotion.from_version, e.promotion.to_version, e.state) for e in entries(client, model)] == [
        (1, 2, State.DONE),
        (None, 1, State.DONE),
    ]


def test_the_ledger_says_which_gates_a_version_passed(client: MlflowClient, model: str) -> None:
    first, second = promote(client, model, 1, None), promote(client, model, 2, 1)
    without = push(
        Ledger(client, KEYS),
        verdict(model, 3, 2),
        shadow(model, 3, 2, Status.NOT_APPLICABLE),
        by="test",
        at=datetime.now(UTC),
    )
    assert [promotion.reason for promotion in (first, second, without)] == [
        *("first champion", "passed the model gate and the shadow gate", "passed the model gate (no shadow)"),
    ]


def test_what_was_rolled_back_is_not_promoted_by_the_next_rollback(tmp_path: Path) -> None:
    with local_mlflow(tmp_path) as client:
        ledger, model = Ledger(client), "flights.by_hand"
        client.create_registered_model(model)
        _versions(client, model, "2013-04", "2013-05")
        client.set_registered_model_alias(model, CHAMPION, "1")  # by hand, before Taxiway, which has no keys here
        push(ledger, verdict(model, 2, 1), shadow(model, 2, 1), by="test", at=datetime.now(UTC))
        rollback(ledger, model, by="ann", reason="worse", at=datetime.now(UTC))
        assert version_at(client, model, CHAMPION) == 1
        with pytest.raises(TerminalError, match="no version before version 1"):
            rollback(ledger, model, by="ann", reason="again", at=datetime.now(UTC))


def test_push_twice_promotes_once(client: MlflowClient, model: str) -> None:
    first = promote(client, model, 1, None)
    assert promote(client, model, 1, None) == first
    assert len(entries(client, model)) == 1


def test_rollback_puts_the_previous_back_and_is_recorded(client: MlflowClient, model: str) -> None:
    for version in (1, 2, 3):
        promote(client, model, version, version - 1 or None)
    done = rollback(Ledger(client, KEYS), model, by="ann", reason="complaints", at=datetime.now(UTC))
    assert (done.from_version, done.to_version, done.by) == (3, 2, "ann")
    assert (version_at(client, model, CHAMPION), version_at(client, model, PREVIOUS)) == (2, 1)
    rollback(Ledger(client, KEYS), model, by="ann", reason="still", at=datetime.now(UTC), to_version=1)
    assert version_at(client, model, CHAMPION) == 1
    with pytest.raises(TerminalError, match="no version before version 1"):
        rollback(Ledger(client, KEYS), model, by="ann", reason="again", at=datetime.now(UTC))


def test_a_retry_of_push_does_not_undo_a_rollback(client: MlflowClient, model: str) -> None:
    promote(client, model, 1, None)
    promote(client, model, 2, 1)
    rollback(Ledger(client, KEYS), model, by="ann", reason="bad", at=datetime.now(UTC))
    with pytest.raises(TerminalError, match="is no longer the champion; a verdict allows one promotion only"):
        promote(client, model, 2, 1)
    assert version_at(client, model, CHAMPION) == 1


def test_a_rollback_works_after_a_push_that_was_killed_between_its_aliases(client: MlflowClient, model: str) -> None:
    promote(client, model, 1, None)
    promote(client, model, 2, 1)
    promotions.open_entry(
        Ledger(client, KEYS), "died", _intent(model, 3, datetime.now(UTC) - timedelta(hours=1)), entries(client, model)
    )
    client.set_registered_model_alias(model, PREVIOUS, "2")
    assert rollback(Ledger(client, KEYS), model, by="ann", reason="bad", at=datetime.now(UTC)).to_version == 1
    assert version_at(client, model, CHAMPION) == 1


def test_an_alias_that_was_moved_by_hand_meanwhile_does_not_hold_up_a_push(client: MlflowClient, model: str) -> None:
    promote(client, model, 1, None)
    judged, shadowed = verdict(model, 3, 1), shadow(model, 3, 1)
    key = promotions.promotion_key(model, 3, judged.digest)
    mine = _intent(model, 3, datetime.now(UTC)).model_copy(update={"from_version": 1, "verdict": judged.digest})
    promotions.open_entry(Ledger(client, KEYS), key, mine, entries(client, model))
    client.set_registered_model_alias(model, CHAMPION, "2")
    assert push(Ledger(client, KEYS), judged, shadowed, by="test", at=datetime.now(UTC)).from_version == 1
    assert version_at(client, model, CHAMPION) == 3


def test_a_rollback_without_a_champion_is_an_error(client: MlflowClient, model: str) -> None:
    with pytest.raises(TerminalError, match="no champion"):
        rollback(Ledger(client, KEYS), model, by="ann", reason="x", at=datetime.now(UTC))


@pytest.mark.parametrize("status", [Status.FAIL, Status.UNDECIDED, Status.NOT_APPLICABLE])
def test_only_a_passed_verdict_is_pushed(client: MlflowClient, model: str, status: Status) -> None:
    with pytest.raises(TerminalError, match="its verdict is"):
        push(
            Ledger(client, KEYS),
            verdict(model, 1, None, status),
            shadow(model, 1, None, Status.NOT_APPLICABLE),
            by="test",
            at=datetime.now(UTC),
        )
    assert version_at(client, model, CHAMPION) is None


@pytest.mark.parametrize("status", [Status.FAIL, Status.UNDECIDED])
def test_a_shadow_that_did_not_pass_is_not_pushed(client: MlflowClient, model: str, status: Status) -> None:
    with pytest.raises(TerminalError, match="its ShadowReport is"):
        push(Ledger(client, KEYS), verdict(model, 1, None), shadow(model, 1, None, status), by="test", at=datetime.now(UTC))


def test_a_shadow_report_of_another_version_is_refused(client: MlflowClient, model: str) -> None:
    with pytest.raises(TerminalError, match="ShadowReport belongs to"):
        push(Ledger(client, KEYS), verdict(model, 1, None), shadow(model, 2, None), by="test", at=datetime.now(UTC))


def test_a_verdict_against_an_older_champion_is_refused(client: MlflowClient, model: str) -> None:
    promote(client, model, 1, None)
    promote(client, model, 2, 1)
    with pytest.raises(TerminalError, match="compared with champion version 1, but the champion is now 2"):
        promote(client, model, 3, 1)


def test_a_model_of_older_data_is_refused(client: MlflowClient, model: str) -> None:
    promote(client, model, 3, None)
    with pytest.raises(TerminalError, match="newest span is 2013-04, the champion's is 2013-06"):
        promote(client, model, 1, 3)


def test_spans_follow_each_other_as_numbers(client: MlflowClient, model: str) -> None:
    _versions(client, model, "9", "10")
    promote(client, model, 4, None)
    promote(client, model, 5, 4)
    with pytest.raises(TerminalError, match="newest span is 9, the champion's is 10"):
        push(
            Ledger(client, KEYS),
            verdict(model, 4, 5),
            shadow(model, 4, 5).model_copy(update={"requests": 1}),
            by="test",
            at=datetime.now(UTC),
        )


def test_two_who_push_at_once_do_not_both(client: MlflowClient, model: str) -> None:
    promotions.open_entry(Ledger(client, KEYS), "someone else's", _intent(model, 3, datetime.now(UTC)), [])
    with pytest.raises(TransientError, match=r"version 3 is in progress since .*, by other"):
        promote(client, model, 1, None)
    assert version_at(client, model, CHAMPION) is None
    assert sorted(e.state for e in entries(client, model)) == [State.INTENT, State.WITHDRAWN]


def test_a_stale_intent_is_closed_and_does_not_block(client: MlflowClient, model: str) -> None:
    promotions.open_entry(
        Ledger(client, KEYS), "crashed", _intent(model, 3, datetime.now(UTC) - timedelta(hours=1)), entries(client, model)
    )
    promote(client, model, 1, None)
    assert sorted(e.state for e in entries(client, model)) == [State.ABORTED, State.DONE]
    assert version_at(client, model, CHAMPION) == 1


def _intent(model: str, version: int, at: datetime) -> Promotion:
    return Promotion(
        model=model,
        alias=CHAMPION,
        from_version=None,
        to_version=version,
        by="other",
        at=at,
        verdict="v",
        shadow="s",
        reason="",
    )


def _versions(client: MlflowClient, name: str, *months: str) -> None:
    for month in months:
        logged = client.create_logged_model("0")
        client.create_model_version(
            name, source=f"models:/{logged.model_id}", model_id=logged.model_id, tags={NEWEST_SPAN: month}
        )
