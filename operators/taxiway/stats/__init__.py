"""Statistics that gates, the shadow comparison and suggestions share."""

from taxiway.stats.bootstrap import PairedIntervals, compare

__all__ = [
    "PairedIntervals",
    "compare",
]
