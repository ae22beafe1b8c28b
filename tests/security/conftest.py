"""Attacks on real processes; the tests of serving share how a gateway is started."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "unit" / "serving")]

from gateways import gateway, registry

__all__ = ["gateway", "registry"]
