"""A gateway serves what the signed ledger says, whatever somebody with access to MLflow does to aliases, runs, tags and files."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient
from running import Running, add_version, register, start_gateway

from helping import until
from taxiway.ledger import entry as ledger_entry
from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.records import Decision, DecisionKind, Promotion, ShadowReport, Status, Verdict
from taxiway.records.digests import digest_of_folder
from taxiway.registry.aliases import CHAMPION
from taxiway.registry.demote import retire, rollback
from taxiway.registry.promote import force, push
from taxiway.tracking import tags

KEYS = LedgerKeys((new_key(),))
NOT_LOADED = "no champion is loaded yet. Try again later; its team sees a problem, if there is one"
BEHAVIOURS = ("Healthy", "Healthy", "Healthy")


@pytest.fixture(scope="module")
def signed(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that demands signatures. It looks at a model only when a test refreshes it, and not at those of earlier tests."""
    running = start_gateway(
        mlflow_url, tmp_path_factory.mktemp("signed"), ledger_keys=KEYS.text, allow_unbacked_alias=False, poll_s=3600
    )
    yield running
    running.stop()


@pytest.fixture
def model(registry: MlflowClient) -> str:
    return register(registry, *BEHAVIOURS, champion=0)


def ledger(registry: MlflowClient, keys: LedgerKeys = KEYS) -> Ledger:
    return Ledger(registry, keys)


def verdict(model: str, version: int, champion: int | None, files: str | None = None, status: Status = Status.PASS) -> Verdict:
    return Verdict(
        model=model,
        version=version,
        champion=champion,
        snapshot="s",
        evaluation=f"e{version}",
        status=status,
        reasons=(),
        files=files,
    )


def promote(registry: MlflowClient, model: str, version: int, champion: int | None, files: str | None = None) -> Promotion:
    status = Status.PASS if champion else Status.NOT_APPLICABLE
    shadow = ShadowReport(model=model, version=version, champion=champion, status=status, reasons=())
    registry.set_model_version_tag(model, str(version), tags.VERDICT, "PASS")
    return push(ledger(registry), verdict(model, version, champion, files), shadow, by="dag/run", at=datetime.now(UTC))


def refreshed(gateway: Running, model: str) -> tuple[int, str]:
    status = gateway.admin.refresh(model)
    return status.champion, status.problem


def test_what_was_promoted_is_served_with_its_reason(signed: Running, registry: MlflowClient, model: str) -> None:
    promote(registry, model, 1, None)
    assert refreshed(signed, model) == (1, "")
    promote(registry, model, 2, 1)
    assert refreshed(signed, model) == (2, "")
    assert "by dag/run: passed the model gate and the shadow gate" in signed.admin.status(model).promotion
    rollback(ledger(registry), model, by="ann@host", reason="complaints", at=datetime.now(UTC))
    assert refreshed(signed, model) == (1, "")
    assert "by ann@host: rollback: complaints" in signed.admin.status(model).promotion


@pytest.mark.parametrize("to", [2, None], ids=["to another version", "removed"])
def test_an_alias_moved_by_hand_is_not_followed(signed: Running, registry: MlflowClient, model: str, to: int | None) -> None:
    promote(registry, model, 1, None)
    refreshed(signed, model)
    if to is None:
        registry.delete_registered_model_alias(model, CHAMPION)
    else:
        registry.set_registered_model_alias(model, CHAMPION, str(to))
    champion, problem = refreshed(signed, model)
    assert champion == 1
    has = "points to version 2" if to else "is missing"
    assert f"the alias champion {has}, but according to the ledger the champion is version 1" in problem
    assert signed.ask(model, 0.5).status_code == 200
    registry.set_registered_model_alias(model, CHAMPION, "1")
    assert refreshed(signed, model) == (1, "")


def test_a_model_that_nothing_backs_is_not_served(signed: Running, registry: MlflowClient, model: str) -> None:
    registry.set_registered_model_alias(model, CHAMPION, "2")
    champion, problem = refreshed(signed, model)
    assert champion == 0
    assert "version 2 has the alias champion and is not served: no promotion in the ledger backs it" in problem
    assert f"taxiway force {model}/2" in problem
    answer = signed.ask(model, 0.5)
    assert (answer.status_code, answer.json()["message"]) == (503, f"{model} cannot answer: {NOT_LOADED}")


def test_a_promotion_that_somebody_wrote_into_mlflow_is_ignored(signed: Running, registry: MlflowClient, model: str) -> None:
    promote(registry, model, 1, None)
    refreshed(signed, model)
    forged = Promotion(
        model=model, alias=CHAMPION, from_version=1, to_version=3, by="eve", at=datetime.now(UTC), reason="passed", verdict="v"
    )
    stranger = ledger(registry, LedgerKeys((new_key(),)))
    entry = promotions.open_entry(stranger, "key", forged, promotions.entries(registry, model))
    moving = promotions.decide(stranger, entry, ledger_entry.State.MOVING)
    promotions.close(registry, moving)
    registry.set_registered_model_alias(model, CHAMPION, "3")
    champion, problem = refreshed(signed, model)
    assert champion == 1
    assert "the promotion to version 3" in problem
    assert "by eve, is not signed with a key that this gateway trusts and was ignored" in problem


def test_the_number_of_an_old_promotion_raised_by_hand_does_not_bring_it_back(
    signed: Running, registry: MlflowClient, model: str
) -> None:
    promote(registry, model, 1, None)
    promote(registry, model, 2, 1)
    assert refreshed(signed, model) == (2, "")
    registry.set_tag(promotions.entries(registry, model)[-1].run_id, tags.PROMOTION_NUMBER, "99")
    registry.set_registered_model_alias(model, CHAMPION, "1")
    champion, problem = refreshed(signed, model)
    assert champion == 2
    assert "according to the ledger the champion is version 2" in problem


def test_the_link_of_another_promotion_backs_nothing(signed: Running, registry: MlflowClient, model: str) -> None:
    """A signature is of one record in one run: it cannot be taken over by tags."""
    promote(registry, model, 1, None)
    refreshed(signed, model)
    (real,) = promotions.entries(registry, model)
    assert real.link is not None
    forged = real.promotion.model_copy(update={"to_version": 3})
    registry.set_tag(real.run_id, tags.PROMOTION_RECORD, forged.to_json())
    registry.set_registered_model_alias(model, CHAMPION, "3")
    champion, problem = refreshed(signed, model)
    assert champion == 1
    assert "no longer has a signed promotion" in problem
    assert "was ignored" in problem


def test_other_bytes_under_a_promoted_version_are_not_loaded(
    signed: Running, registry: MlflowClient, model: str, tmp_path: Path
) -> None:
    """Also if their digest in MLflow was changed with them."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "behaviour").write_text("Healthy")
    whole = digest_of_folder(tmp_path / "model")
    promote(registry, model, 1, None, whole)
    assert refreshed(signed, model) == (1, "")
    version = add_version(registry, model, "Healthy")
    (tmp_path / "model" / "behaviour").write_text("Raises")
    registry.log_artifact(
        registry.get_model_version(model, str(version)).run_id, str(tmp_path / "model" / "behaviour"), "model"
    )
    registry.set_model_version_tag(model, str(version), tags.FILES, digest_of_folder(tmp_path / "model"))
    promote(registry, model, version, 1, whole)
    champion, problem = refreshed(signed, model)
    assert champion == 1
    assert "are not those that were trained" in problem


def test_a_deleted_version_goes_on_answering(signed: Running, registry: MlflowClient, model: str) -> None:
    promote(registry, model, 1, None)
    refreshed(signed, model)
    registry.delete_model_version(model, "1")
    champion, problem = refreshed(signed, model)
    assert champion == 1
    assert "version 1, the champion according to the ledger, has been deleted" in problem
    assert signed.ask(model, 0.5).status_code == 200


def test_a_ledger_that_went_back_is_not_followed(signed: Running, registry: MlflowClient, model: str) -> None:
    """As after the database was restored, or somebody removed the newest entry to bring an older version back."""
    promote(registry, model, 1, None)
    promote(registry, model, 2, 1)
    assert refreshed(signed, model) == (2, "")
    newest = promotions.entries(registry, model)[0]
    registry.delete_run(newest.run_id)
    registry.set_registered_model_alias(model, CHAMPION, "1")
    champion, problem = refreshed(signed, model)
    assert champion == 2
    assert "has followed number" in problem
    assert "the next promotion or rollback" in problem
    promote(registry, model, 3, 1)
    assert refreshed(signed, model) == (3, "")


def test_after_a_restart_the_gateway_remembers_what_it_has_served(
    mlflow_url: str, registry: MlflowClient, model: str, tmp_path: Path
) -> None:
    settings = {"ledger_keys": KEYS.text, "allow_unbacked_alias": False, "models": [model]}
    promote(registry, model, 1, None)
    promote(registry, model, 2, 1)
    first = start_gateway(mlflow_url, tmp_path, **settings)
    assert refreshed(first, model) == (2, "")
    first.stop()
    registry.delete_run(promotions.entries(registry, model)[0].run_id)
    registry.set_registered_model_alias(model, CHAMPION, "1")
    second = start_gateway(mlflow_url, tmp_path, **settings)
    try:
        until(lambda: second.admin.status(model).champion == 2, "the copy of version 2 is served")
        assert "has followed number" in second.admin.status(model).problem
    finally:
        second.stop()


def test_a_forced_champion_is_named_with_the_person(signed: Running, registry: MlflowClient, model: str) -> None:
    failed = verdict(model, 1, None, status=Status.FAIL)
    registry.set_model_version_tag(model, "1", tags.VERDICT, "FAIL")
    decision = Decision(
        kind=DecisionKind.FORCE,
        model=model,
        version=1,
        about=failed.digest,
        by="ann@host",
        via="command line",
        at=datetime.now(UTC),
        reason="the old one is worse",
    )
    force(ledger(registry), failed, decision, at=decision.at)
    champion, problem = refreshed(signed, model)
    assert champion == 1
    assert "version 1 is champion although its verdict is FAIL" in problem
    assert "by ann@host: forced: the old one is worse" in problem
    promote(registry, model, 2, 1)
    assert refreshed(signed, model) == (2, "")
    rollback(ledger(registry), model, by="bob@host", reason="worse", at=datetime.now(UTC))
    champion, problem = refreshed(signed, model)
    assert champion == 1
    assert "by ann@host: forced: the old one is worse" in problem, "a rollback to a forced version does not hide who forced it"


def test_a_retired_model_does_not_answer_until_it_is_rolled_back(signed: Running, registry: MlflowClient, model: str) -> None:
    promote(registry, model, 1, None)
    refreshed(signed, model)
    retire(ledger(registry), model, by="ann@host", reason="the product ends", at=datetime.now(UTC))
    champion, problem = refreshed(signed, model)
    assert champion == 0
    assert f"{model} has no champion: ann@host removed it at " in problem
    assert "(retired: the product ends)" in problem
    assert signed.ask(model, 0.5).json()["message"] == f"{model} cannot answer: {NOT_LOADED}"
    rollback(ledger(registry), model, by="ann@host", reason="not yet", at=datetime.now(UTC))
    assert refreshed(signed, model) == (1, "")


def test_an_installation_may_allow_what_only_the_alias_names(gateway: Running, registry: MlflowClient, model: str) -> None:
    registry.set_registered_model_alias(model, CHAMPION, "2")
    assert refreshed(gateway, model) == (2, "")
    assert "only because it has the alias champion (allow_unbacked_alias)" in gateway.admin.status(model).promotion


def test_a_promotion_that_is_decided_is_served_before_the_alias_follows(
    signed: Running, registry: MlflowClient, model: str
) -> None:
    """As after a push that was killed between its decision and the alias."""
    promote(registry, model, 1, None)
    refreshed(signed, model)
    known = promotions.entries(registry, model)
    next_one = Promotion(
        model=model,
        alias=CHAMPION,
        from_version=1,
        to_version=2,
        by="dag/run",
        at=datetime.now(UTC) + timedelta(seconds=1),
        reason="passed",
        verdict="v",
    )
    registry.set_model_version_tag(model, "2", tags.VERDICT, "PASS")
    entry = promotions.decide(
        ledger(registry), promotions.open_entry(ledger(registry), "k", next_one, known), ledger_entry.State.MOVING
    )
    assert refreshed(signed, model) == (2, ""), "it is decided, and the alias only follows"
    promotions.append_to_chain(ledger(registry), entry)
    assert refreshed(signed, model) == (2, "")
    registry.set_registered_model_alias(model, CHAMPION, "2")
    assert refreshed(signed, model) == (2, "")


def test_a_state_set_by_hand_does_not_bring_the_former_champion_back(
    signed: Running, registry: MlflowClient, model: str
) -> None:
    promote(registry, model, 1, None)
    promote(registry, model, 2, 1)
    refreshed(signed, model)
    registry.set_tag(promotions.entries(registry, model)[0].run_id, tags.PROMOTION_STATE, "MOVING")
    registry.set_registered_model_alias(model, CHAMPION, "1")
    assert refreshed(signed, model)[0] == 2


def test_the_promotion_of_another_model_is_not_followed(signed: Running, registry: MlflowClient, model: str) -> None:
    other = register(registry, *BEHAVIOURS, champion=0)
    promote(registry, model, 1, None)
    promote(registry, other, 1, None)
    promote(registry, other, 3, 1)
    registry.set_tag(promotions.entries(registry, other)[0].run_id, tags.PROMOTION_MODEL, model)
    registry.set_registered_model_alias(model, CHAMPION, "3")
    assert refreshed(signed, model)[0] == 1


def test_a_gateway_without_keys_does_not_follow_a_signed_ledger(
    mlflow_url: str, registry: MlflowClient, model: str, tmp_path: Path
) -> None:
    promote(registry, model, 1, None)
    without = start_gateway(mlflow_url, tmp_path, allow_unbacked_alias=False)
    try:
        champion, problem = refreshed(without, model)
        assert champion == 0
        assert "the ledger is signed, but this gateway has no keys to verify it: set TAXIWAY_LEDGER_KEYS" in problem
    finally:
        without.stop()
