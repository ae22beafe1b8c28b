"""Real gateways on real ports, with a real registry."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `running`, which the tests of this folder share

from gateways import gateway, registry
from worlds import World

from taxiway.serving.gateway.models import challenger, champion

__all__ = ["gateway", "registry", "world"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    created = World(tmp_path)
    monkeypatch.setattr(champion, "backends_of", created.backends_of)
    monkeypatch.setattr(challenger, "backends_of", created.backends_of)
    yield created
    created.log.close()
