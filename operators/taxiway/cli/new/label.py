"""How `taxiway new` reads the label: as classes, or as a quantity."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import read_rows
from taxiway.data.schema.feature import NUMERIC_TYPES
from taxiway.data.schema.model import Schema
from taxiway.errors import DataError
from taxiway.features.encoding import category_text
from taxiway.features.labels import MAX_CLASSES, label_classes, label_numbers
from taxiway.messages import counted, listed, names_text
from taxiway.records import Span
from taxiway.spec.metrics import Problem
from taxiway.store import Store

if TYPE_CHECKING:
    import pandas as pd

_FEW_NUMBERS = 20
_FEW_CLASSES = 4
_MAX_NUMBERED_CLASSES = 10
_RARE = 0.05
_CLASS_WORDS = ("category", "class", "kind", "label", "outcome", "species", "status", "target", "type")
_QUANTITY_WORDS = ("amount", "count", "days", "num", "number", "qty", "quantity", "rating", "score", "total")


@dataclass(frozen=True)
class Label:
    """How a draft reads the label.

    Attributes:
        name: The column.
        problem: Classification or regression.
        values: The classes as text, of two the positive one last; or few whole numbers that are read as a quantity; else empty.
        why: Why whole numbers are read as classes or as a quantity; empty for other labels.
        missing: The number of rows without a label.
        rows: The number of rows with a label in each span.
        std: The standard deviation of a number; 0 for classes.
        rarest: The share of the rarest class; 0 for numbers.
        rarest_class: The rarest class; empty for numbers.
    """

    name: str
    problem: Problem
    values: tuple[str, ...]
    why: str
    missing: int
    rows: tuple[int, ...]
    std: float = 0.0
    rarest: float = 0.0
    rarest_class: str = ""

    def reading(self) -> str:
        """How the label is read, and what to do if that is wrong."""
        if self.problem == "classification":
            return f"{self._classes()}{self._other_reading('regression', 'a quantity')}{self._imbalance()}"
        if not self.values:
            return "a number: the model is a regression"
        return (
            f"{len(self.values)} whole numbers ({', '.join(self.values)}): the model is a regression"
            f"{self._other_reading('classification', 'classes')}"
        )

    def resolution(self, rows: int) -> float:
        """How far from 0.5 a ROC AUC on so many rows must be to be told from chance at 99% (Mann and Whitney 1947).

        0 for a label that is not of two classes.
        """
        positive = rows * self.rarest
        if self.problem == "regression" or len(self.values) != 2 or positive < 1:
            return 0.0
        return 2.58 * sqrt((rows + 1) / (12 * positive * (rows - positive)))

    def _classes(self) -> str:
        if len(self.values) == 2:
            return (
                f"two values, {self.values[0]} and {self.values[1]}: the model predicts the probability of {self.values[1]}; a metric of "
                f"the other is written as recall(class={self.values[0]})"
            )
        return f"{len(self.values)} classes ({names_text(self.values)}): the model predicts the probability of each"

    def _other_reading(self, problem: Problem, what: str) -> str:
        return f". {self.why}; if they are {what}, draft it again with --problem {problem}" if self.why else ""

    def _imbalance(self) -> str:
        if self.rarest >= _RARE:
            return ""
        return (
            f". Only {self.rarest:.1%} of the rows are {self.rarest_class}: accuracy says little; look at its recall, and try "
            "class_weight: balanced in model.params"
        )


def label_of(spans: tuple[Span, ...], store: Store, schema: Schema, name: str, problem: Problem | None = None) -> Label:
    """Read the label.

    Args:
        spans: All spans.
        store: Where they are.
        schema: The inferred schema.
        name: The column.
        problem: Classification or regression; None to find out.

    Raises:
        DataError: It cannot be predicted.
    """
    import numpy as np

    feature = schema.feature(name)
    assert feature is not None
    everywhere = read_rows(spans, store, [name])[name]
    labels = everywhere.dropna()
    ends = np.cumsum([span.rows for span in spans])
    rows = tuple(int(part.sum()) for part in np.split(everywhere.notna().to_numpy(), ends[:-1]))
    is_number, count = feature.type in NUMERIC_TYPES, labels.nunique()
    if is_number:
        label_numbers(labels)
    classes = label_classes(labels)
    _check_values(name, feature.type, classes, len(labels), len(everywhere) - len(labels), problem)
    is_whole = is_number and count <= MAX_CLASSES and bool((labels % 1 == 0).all())
    read, why = _problem_of(labels, name) if is_number and is_whole and 2 < count <= _FEW_NUMBERS else (None, "")
    default: Problem = "regression" if is_number and count > 2 else "classification"
    found: Problem = problem or read or default
    if found == "classification" and is_number and not is_whole and count > 2:
        raise DataError(
            f"the label {name} has fractions; allowed with --problem classification: texts, whole numbers or booleans"
        )
    missing = len(everywhere) - len(labels)
    if found == "regression":
        values = tuple(classes) if is_whole and count <= _FEW_NUMBERS else ()
        return Label(name, found, values, why if problem is None else "", missing, rows, std=float(labels.std()))
    shares = labels.value_counts(normalize=True)
    return Label(
        name,
        found,
        tuple(classes),
        why if problem is None else "",
        missing,
        rows,
        rarest=float(shares.min()),
        rarest_class=category_text(shares.idxmin()),
    )


def _check_values(name: str, kind: str, classes: Sequence[str], rows: int, missing: int, problem: Problem | None) -> None:
    """Raise DataError if a label with these values in so many rows cannot be predicted; it is missing in the `missing` others."""
    if not classes:
        raise DataError(
            f"the label {name} is empty in all {counted(missing, 'row')}; give a column with values: --label COLUMN"
        )
    is_number = kind in NUMERIC_TYPES
    if problem == "regression" and not is_number:
        raise DataError(f"the label {name} has the type {kind}; allowed with --problem regression: integers and numbers")
    as_classes = problem == "classification" or not is_number
    if len(classes) < 2 or (as_classes and len(classes) > min(MAX_CLASSES, rows / 3)):
        count = "value" if len(classes) == 1 else "values"
        others = f", and is missing in {counted(missing, 'other row')}" if missing else ""
        raise DataError(
            f"the label {name} has the type {kind} and the {count} {listed(classes[:5], len(classes))} in {counted(rows, 'row')}{others}; "
            f"allowed: a label with 2 to {MAX_CLASSES:,} classes, each of "
            "several rows, or a number"
        )


def _problem_of(labels: "pd.Series[Any]", name: str) -> tuple[Problem, str]:
    """Whether few whole numbers are classes or a quantity, and why."""
    words = name.lower().replace("-", "_").split("_")
    named = next((word for word in _CLASS_WORDS if word in words), None)
    if named is not None:
        return "classification", f'The whole numbers are read as classes, because the name has the word "{named}"'
    counted = next((word for word in _QUANTITY_WORDS if word in words), None)
    if counted is not None:
        return "regression", f'They are read as a quantity, because the name has the word "{counted}"'
    counts = labels.value_counts().sort_index()
    first, last = int(counts.index[0]), int(counts.index[-1])
    if first not in (0, 1) or last - first + 1 != len(counts):
        return (
            "regression",
            f"They are read as a quantity, because they are not numbered from 0 or 1 without gaps ({first} to {last})",
        )
    if len(counts) <= _FEW_CLASSES:
        return "classification", f"The whole numbers are read as classes, because there are only {len(counts)}, from {first}"
    if len(counts) <= _MAX_NUMBERED_CLASSES and not _has_one_peak(counts.to_list()):
        return (
            "classification",
            "The whole numbers are read as classes, because their frequencies do not rise to a peak and fall from it",
        )
    return (
        "regression",
        "They are read as a quantity, because their frequencies rise to a peak and fall from it, as those of counts do",
    )


def _has_one_peak(counts: Sequence[int]) -> bool:
    """Whether counts rise to one peak and fall from it, with at least a tenth between the most and the fewest."""
    peak = counts.index(max(counts))
    rises, falls = counts[: peak + 1], counts[peak:]
    shaped = list(rises) == sorted(rises) and list(falls) == sorted(falls, reverse=True)
    return shaped and min(counts) < 0.9 * max(counts)
