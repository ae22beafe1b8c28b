"""A signed ledger on a real MLflow, and a model with three versions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger.entries import KEYS, registered

from taxiway.ledger.chain import Ledger
from taxiway.tracking.local import local_mlflow


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with local_mlflow(tmp_path) as client:
        yield Ledger(client, KEYS)


@pytest.fixture
def model(ledger: Ledger) -> str:
    return registered(ledger.client)
