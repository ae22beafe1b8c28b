"""The training rows of which a learning curve is measured: parts to learn from, each of which contains the one before, and others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.messages import counted
from taxiway.spec.metrics import Problem
from taxiway.stats.bootstrap import MIN_GROUPS
from taxiway.stats.seed import SEED
from taxiway.training.rows import TrainingRows, split_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Positions = NDArray[np.intp]

MAX_SIZES = 6
"""A half, a fourth and so on, up to a 32nd, of the rows to learn from; all fits together learn from less than twice these rows."""
MIN_SIZES = 2
"""With fewer sizes there is no curve."""
_HELD_OUT, _MAX_HELD_OUT = 0.2, 20_000
_MIN_ROWS, _MIN_OF_A_CLASS = 50, 5


@dataclass(frozen=True)
class NotMeasured:
    """That there is no learning curve.

    Attributes:
        reason: Why not, for people: a clause.
    """

    reason: str


@dataclass(frozen=True)
class Groups:
    """The groups of n training rows.

    Attributes:
        column: The column; rows with the same value of it are one group.
        numbers: The number of the group of each row, from 0 (n).
    """

    column: str
    numbers: "Positions"


@dataclass(frozen=True)
class Parts:
    """Positions of training rows.

    Attributes:
        learned: The rows of each part, smallest first; each part contains the one before.
        held: The rows that are in none of them.
    """

    learned: "Sequence[Positions]"
    held: "Positions"


def parts_of(rows: TrainingRows, problem: Problem, groups: Groups | None) -> Parts | NotMeasured:
    """Hold out a fifth of the rows, at most 20,000, and take a 32nd, a 16th and so on of the others.

    A part has at least 50 rows, and 5 of each class. With groups, whole groups are held out, and the rows of one group after another
    are added to the parts: of rows of known groups, the curve would be flatter than of new ones.

    Args:
        rows: The training rows.
        problem: The problem.
        groups: Their groups; None if each row is on its own.

    Returns:
        The parts; why there are none, if fewer than two are large enough, or if there are too few groups to hold out.
    """
    import numpy as np

    count = len(rows.labels)
    fraction = min(_HELD_OUT, _MAX_HELD_OUT / count)
    if count * (1 - fraction) < MIN_SIZES * _MIN_ROWS:
        return _too_few(count, problem)
    if groups is None:
        learned, held = split_rows(rows, fraction, stratified=problem == "classification")
        learned = np.random.default_rng(SEED).permutation(learned)
    else:
        learned, held = _whole_groups(groups.numbers, fraction)
        found = len(np.unique(groups.numbers[held]))
        if found < MIN_GROUPS:
            return NotMeasured(
                f"whole groups by {groups.column} are held out, and a fifth of the training rows has {counted(found, 'group')}; at least "
                f"{MIN_GROUPS} are needed"
            )
    classes = np.unique(rows.labels, return_inverse=True)[1] if problem == "classification" else None
    halves = [learned[: len(learned) >> times] for times in reversed(range(MAX_SIZES))]
    parts = [part for part in halves if len(part) >= _MIN_ROWS and (classes is None or _has_all(classes[part], classes))]
    return Parts(parts, held) if len(parts) >= MIN_SIZES else _too_few(count, problem)


def _whole_groups(groups: "Positions", fraction: float) -> "tuple[Positions, Positions]":
    """Rows to learn from, one group after another, and rows of other groups: a fraction of the rows, or a little less."""
    import numpy as np

    place = np.random.default_rng(SEED).permutation(int(groups.max()) + 1)[groups]
    sizes = np.bincount(place)
    most = fraction * len(groups)
    is_small = sizes <= most
    is_held = (is_small & (np.cumsum(np.where(is_small, sizes, 0)) <= most))[place]
    in_order = np.argsort(place, kind="stable")
    return in_order[~is_held[in_order]], in_order[is_held[in_order]]


def _has_all(part: "Positions", classes: "Positions") -> bool:
    import numpy as np

    return bool(np.bincount(part, minlength=int(classes.max()) + 1).min() >= _MIN_OF_A_CLASS)


def _too_few(rows: int, problem: Problem) -> NotMeasured:
    of_classes = f" and {_MIN_OF_A_CLASS} of each class" if problem == "classification" else ""
    return NotMeasured(
        f"{counted(rows, 'training row')} are too few: of four fifths of them, at least {MIN_SIZES} parts, such as a half and all, must "
        f"have {_MIN_ROWS} rows{of_classes}"
    )
