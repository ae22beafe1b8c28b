"""A person approves or forces a version: what is refused is not in the ledger, where it would answer the question later."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from ledger.entries import KEYS, decision, promote, registered, verdict

from taxiway.errors import TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import answer, decisions
from taxiway.records import DecisionKind, ShadowReport, Status
from taxiway.registry.alias_moves import champion_now
from taxiway.registry.decided import approve_version, earlier_rejection, force_version, reject_version
from taxiway.registry.demote import rollback
from taxiway.registry.promote import push
from taxiway.tracking.local import local_mlflow


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with local_mlflow(tmp_path_factory.mktemp("mlflow")) as client:
        yield Ledger(client, KEYS)


@pytest.fixture
def model(ledger: Ledger) -> str:
    """A model whose version 2 was champion and is rolled back to version 1; version 3 is a candidate."""
    name = registered(ledger.client)
    promote(ledger, name, 1, None)
    promote(ledger, name, 2, 1)
    rollback(ledger, name, by="ann", reason="worse", at=datetime.now(UTC))
    return name


def shadow(model: str, champion: int | None, status: Status = Status.PASS) -> ShadowReport:
    return ShadowReport(model=model, version=3, champion=champion, status=status, reasons=())


@pytest.mark.parametrize(("champion", "status"), [(2, Status.PASS), (None, Status.NOT_APPLICABLE)])
def test_a_shadow_against_another_champion_lets_nothing_through(
    ledger: Ledger, model: str, champion: int | None, status: Status
) -> None:
    """The run was cleared after a rollback, and its new shadow is not over: the report is that of its first pass."""
    judged, stale = verdict(model, 3, 1), shadow(model, champion, status)
    with pytest.raises(TerminalError, match=rf"against champion version {champion or 'none'}; required: .* version 1"):
        push(ledger, judged, stale, by="dag/run", at=datetime.now(UTC))
    with pytest.raises(TerminalError, match=r"required: .* against champion version 1"):
        approve_version(ledger, judged, stale, decision(model, about=judged.digest, version=3), at=datetime.now(UTC))
    assert champion_now(ledger, model) == 1
    made = decision(model, DecisionKind.FORCE, about=judged.digest, version=3)
    assert force_version(ledger, judged, stale, made, at=datetime.now(UTC)).to_version == 3, "it did not pass this shadow"


@pytest.mark.parametrize("status", [Status.FAIL, Status.UNDECIDED])
def test_a_refused_approval_answers_nothing_later(ledger: Ledger, model: str, status: Status) -> None:
    judged = verdict(model, 3, 1)
    approval = decision(model, about=judged.digest, version=3)
    with pytest.raises(TerminalError, match=f"its ShadowReport is {status}"):
        approve_version(ledger, judged, shadow(model, 1, status), approval, at=datetime.now(UTC))
    assert decisions(ledger, about=judged.digest) == ()
    assert answer(ledger, judged.digest) is None
    made, promotion = approve_version(ledger, judged, shadow(model, 1), approval, at=datetime.now(UTC))
    assert (made, promotion.to_version) == (approval, 3)
    assert approve_version(ledger, judged, shadow(model, 1), approval, at=datetime.now(UTC)) == (made, promotion), "a retry"


def test_a_rejection_under_an_earlier_verdict_is_found(ledger: Ledger, model: str) -> None:
    first, second = verdict(model, 3, 1, status=Status.UNDECIDED), verdict(model, 3, 1)
    assert earlier_rejection(ledger, second) is None
    rejected = reject_version(ledger, first, decision(model, DecisionKind.REJECTION, about=first.digest, version=3))
    assert earlier_rejection(ledger, second) == rejected
    assert earlier_rejection(ledger, first) is None, "it is the answer itself"
