"""What is unusual about an input of a row, for people."""

from typing import TYPE_CHECKING, Any

from taxiway.messages import number_texts, percent, quoted

if TYPE_CHECKING:
    import pandas as pd

_RARE = 0.1


def input_text(name: str, value: Any, before: "pd.Series[Any]") -> str:
    """An input with its value, and how rare it is among the evaluation rows.

    Args:
        name: The input.
        value: Its value, as in a frame from `raw_frame`.
        before: The input in the evaluation rows.
    """
    import pandas as pd

    if pd.isna(value):
        return f"{name} is missing ({_share(float(before.isna().mean()))})"
    if before.dtype != "float64":
        return f"{name} {quoted(value)} ({_share(float((before == value).mean()))})"
    known, (text,) = before.dropna(), number_texts(value)
    if not len(known):
        return f"{name} {text} (no evaluation row has a value)"
    below, above = float((known < value).mean()), float((known > value).mean())
    largest, side = max((below, "above"), (above, "below"))
    if largest == 1:
        return f"{name} {text} ({side} all evaluation rows)"
    if largest >= 1 - _RARE:
        return f"{name} {text} ({side} {percent(largest)} of the evaluation rows)"
    return f"{name} {text}"


def _share(share: float) -> str:
    return "no evaluation row" if share == 0 else f"{percent(share)} of the evaluation rows"
