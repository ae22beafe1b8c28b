"""Rehearsal: a sample of the rows of earlier spans, which a model is trained on besides those of the window.

Which rows of a span are drawn depends only on the span and on how many are drawn, so a retry draws the same ones, and a larger
sample contains a smaller one.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from taxiway.records import Span
from taxiway.spec.monitor.action import Rehearsal
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Positions = NDArray[np.intp]

_SEED_DIGITS = 16


def drawn_rows(training: Sequence[Span], rehearsal: Rehearsal, window: int) -> dict[str, int]:
    """How many rows are drawn of each earlier span, by its label; empty if there is none.

    Args:
        training: The training spans, oldest first.
        rehearsal: How many rows are drawn.
        window: How many of the training spans, the newest ones, are used as a whole.
    """
    earlier = training[: max(0, len(training) - window)]
    total = sum(span.rows for span in earlier)
    if rehearsal.share is not None:
        return {span.label: max(1, round(rehearsal.share * span.rows)) for span in earlier}
    wanted = min(rehearsal.rows or 0, total)
    counts: dict[str, int] = {}
    seen = given = 0
    for span in earlier:  # of the first n rows of all spans their share, so the counts add up to what is wanted
        seen += span.rows
        counts[span.label] = wanted * seen // total - given
        given += counts[span.label]
    return counts


def used_positions(training: Sequence[Span], drawn: Mapping[str, int]) -> "Positions":
    """The positions of the rows that are used, among all rows of the training spans: all, but of some spans only those drawn.

    Args:
        training: The training spans, oldest first.
        drawn: How many rows are drawn of a span, by its label.
    """
    import numpy as np

    parts, first = [np.empty(0, dtype=np.intp)], 0
    for span in training:
        positions = np.arange(span.rows) if span.label not in drawn else _draw(span, drawn[span.label])
        parts.append(first + positions)
        first += span.rows
    return np.concatenate(parts)


def rehearsal_text(training: Sequence[Span], drawn: Mapping[str, int]) -> str:
    """`300 of 2,000 rows of the spans 1, 2 are rehearsed`."""
    spans = [span for span in training if span.label in drawn]
    names = ", ".join(span.label for span in spans)
    return f"{sum(drawn.values()):,} of {sum(span.rows for span in spans):,} rows of the spans {names} are rehearsed"


def _draw(span: Span, rows: int) -> "Positions":
    import numpy as np

    generator = np.random.default_rng([SEED, int(span.content[:_SEED_DIGITS], 16)])
    found: Positions = np.sort(generator.permutation(span.rows)[:rows])
    return found
