"""How numbers and values from the data are written in messages that people read."""

import json
from collections.abc import Iterable

_SHOWN_CHARACTERS = 60
SHOWN_VALUES = 3


def share(part: int, whole: int) -> str:
    """`541 of 27,075 rows (2.0 %)`; a share that would round to nothing, or to all, says so."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 0.1:
        words = "below 0.1"
    elif 99.9 < percent < 100:
        words = "above 99.9"
    else:
        words = f"{percent:.1f}"
    return f"{part:,} of {whole:,} rows ({words} %)"


def percent(fraction: float) -> str:
    """`17.6 %`."""
    return f"{100 * fraction:.1f} %"


def quoted(value: object) -> str:
    """Text in quotes with control characters escaped, everything else plainly; at most 60 characters of it."""
    if isinstance(value, list | tuple):  # str() of one would show numpy's names of its numbers
        text = f"({', '.join(quoted(part) for part in value)})"
    else:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def listed(values: Iterable[object], total: int | None = None) -> str:
    """`"a", "b" and 4 more`."""
    words = [quoted(value) for value in values]
    shown, count = words[:SHOWN_VALUES], total if total is not None else len(words)
    more = f" and {count - len(shown):,} more" if count > len(shown) else ""
    return f"{', '.join(shown)}{more}"


def format_params(params: str) -> str:
    """A trial's parameters as people read them: `learning_rate=0.0512, max_leaf_nodes=31`."""
    shown = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in json.loads(params).items()}
    return ", ".join(f"{name}={value}" for name, value in shown.items())
