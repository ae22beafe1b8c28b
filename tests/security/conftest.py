"""Attacks on real processes; the tests of serving share how a gateway is started."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "serving"))
sys.path.insert(0, str(Path(__file__).parent))  # for `attacked`

from gateways import gateway, registry

__all__ = ["gateway", "registry"]
