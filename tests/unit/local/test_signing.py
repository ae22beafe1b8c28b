"""The keys of a stack: made once, rotated by command, and added to a stack that is older than them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys
from taxiway.ledger.promotions import entries
from taxiway.ledger.verify import verify
from taxiway.local.stack import sign_older_promotions
from taxiway.local.stack_dir import StackDir
from taxiway.records import ShadowReport, Status, Verdict
from taxiway.registry.promote import push
from taxiway.tracking import tags
from taxiway.tracking.local import database_uri, local_mlflow


def test_a_new_stack_has_keys_and_nothing_to_sign(tmp_path: Path) -> None:
    home = StackDir.at(tmp_path / "home")
    assert LedgerKeys.parse(home.secrets().ledger_keys)
    assert home.secrets() == home.secrets()
    assert not home.unsigned_file.exists()


def test_a_rotated_key_comes_before_the_old_ones(tmp_path: Path) -> None:
    home = StackDir.at(tmp_path / "home")
    before = home.secrets()
    home.rotate_ledger_key()
    after = home.secrets()
    assert after.ledger_keys.split(",")[1:] == before.ledger_keys.split(",")
    assert after.gateway_admin_token == before.gateway_admin_token


def test_the_ledger_of_an_older_stack_is_signed_once(tmp_path: Path) -> None:
    home = StackDir.at(tmp_path / "home")
    home.secrets()
    path = home.root / "secrets.json"
    known = json.loads(path.read_text())
    del known["ledger_keys"]
    path.write_text(json.dumps(known))
    with local_mlflow(tmp_path / "mlflow") as client:
        client.create_registered_model("team.model")
        client.create_model_version("team.model", "file:///nowhere", tags={tags.NEWEST_SPAN: "1"})
        verdict = Verdict(model="team.model", version=1, snapshot="s", evaluation="e", status=Status.PASS, reasons=())
        shadow = ShadowReport(model="team.model", version=1, status=Status.NOT_APPLICABLE, reasons=())
        push(Ledger(client), verdict, shadow, by="dag/run", at=datetime.now(UTC))
        secrets = home.secrets()
        assert home.unsigned_file.exists()
        stack = SimpleNamespace(home=home, secrets=secrets, url=lambda _: database_uri(tmp_path / "mlflow"))
        assert sign_older_promotions(stack) == 1  # type: ignore[arg-type]
        assert not home.unsigned_file.exists()
        ledger = Ledger(client, LedgerKeys.parse(secrets.ledger_keys))
        assert all(entry.is_linked(ledger) for entry in entries(client))
        assert verify(ledger).problems == ()
