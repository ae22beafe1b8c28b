"""How numbers, percentages and values from the data are written in messages that people read."""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_SHOWN_CHARACTERS = 60
_MAX_OF_AN_ERROR = 200
SHOWN_VALUES = 3
MAX_KEPT_CHARACTERS = 2000
"""How many characters a reason may have."""
_SIZE_UNITS = ("B", "kB", "MB", "GB")
_CPP_PLACE = re.compile(r"(?:\[\d\d:\d\d:\d\d\] \S+|[\w/]+\.(?:cpp|cu|cuh|h)):\d+: ")
_CPP_TRACE = "\nStack trace:"
_CPP_CHECK = re.compile(r"^Check failed: .+?: (?=\S)")
_CPP_LINE = re.compile(r" at \S+\.(?:cc|cpp|cu|cuh|h|hpp), line \d+ ?\.\s*$")


def percent(fraction: float) -> str:
    """A measured fraction as a percentage: `17.6%`.

    A fraction that would only round to 0% or to 100% reads `below 0.1%` or `above 99.9%`.
    """
    if 0 < fraction < 0.001:
        return "below 0.1%"
    if 0.999 < fraction < 1:
        return "above 99.9%"
    return f"{100 * fraction:.1f}%"


def percent_limit(fraction: float) -> str:
    """A configured fraction as a percentage with all its digits, at least one decimal: `95.0%`, `99.95%`."""
    digits = f"{100 * fraction:.10g}"
    return f"{digits}%" if "." in digits else f"{digits}.0%"


def share(part: int, whole: int) -> str:
    """`541 of 27,075 rows (2.0%)`; see `percent`."""
    return f"{part:,} of {whole:,} rows ({percent(part / whole if whole else 0.0)})"


def number_text(value: float) -> str:
    """A number with all its digits, so that it reads the same in a file: `75`, `0.1`, `1700000000001`, `1e+300`."""
    if isinstance(value, int):
        return str(value)
    value += 0.0  # minus zero is zero
    short = f"{value:g}"
    if float(short) == value:
        return short if "e" not in short or abs(value) >= 1e15 or abs(value) < 1 else str(int(value))
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def number_texts(*values: float) -> tuple[str, ...]:
    """Measured numbers with six significant digits, or as many as it takes for different numbers to read differently."""
    for digits in range(6, 17):
        texts = tuple(f"{value + 0.0:.{digits}g}" for value in values)  # minus zero is zero
        if len(set(texts)) == len(set(values)):
            return texts
    return tuple(map(number_text, values))


def decimal_texts(*values: float) -> tuple[str, ...]:
    """Measured numbers with three decimals, or up to six if it takes more for different numbers to read differently."""
    texts: tuple[str, ...] = ()
    for decimals in range(3, 7):
        texts = tuple(f"{value + 0.0:.{decimals}f}" for value in values)  # minus zero is zero
        if len(set(texts)) == len(set(values)):
            break
    return texts


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 row`, `2,313 rows`; `plural` is that of a noun that does not only get an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def size_text(size: float) -> str:
    """A number of bytes: `30 kB`, `1.2 MB`."""
    for unit in _SIZE_UNITS:
        if size < 1_000 or unit == _SIZE_UNITS[-1]:
            break
        size /= 1_000
    return f"{size:.1f} {unit}" if size < 10 and unit != _SIZE_UNITS[0] else f"{size:,.0f} {unit}"


def json_for_yaml(value: object) -> str:
    """A value in JSON that YAML reads too, which escapes more: whatever cannot be printed, by up to 32 bits."""
    shown = json.dumps(value, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in shown)


def quoted(value: object) -> str:
    """Text in quotes, other values as they print; at most 60 characters.

    Characters that nobody sees, and accents that are characters of their own, are escaped: two texts that differ read differently.
    """
    if isinstance(value, list | tuple):  # str() of a list would show numpy's names of its numbers
        text = f"({', '.join(quoted(part) for part in value)})"
    else:
        text = _in_quotes(value[: _SHOWN_CHARACTERS + 1]) if isinstance(value, str) else str(value)
    return clipped(text, _SHOWN_CHARACTERS)


def _in_quotes(text: str) -> str:
    return printable(json.dumps(text, ensure_ascii=False))


def without_form(text: str) -> str:
    """The text by which two names are told to differ only in what is hard to see: case, blanks, Unicode form."""
    composed = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(sign if sign.isprintable() else " " * sign.isspace() for sign in composed).split())


def printable(text: str) -> str:
    """A text in which everything can be seen, for a terminal; line breaks are kept.

    Control characters, blanks that are not a plain blank, characters without a width, and accents that are characters of their own are
    escaped as in JSON.
    """
    composed = unicodedata.is_normalized("NFC", text)
    hidden = {sign for sign in text if not sign.isprintable() or (not composed and unicodedata.combining(sign))} - {"\n"}
    return "".join(json.dumps(sign)[1:-1] if sign in hidden else sign for sign in text) if hidden else text


def one_line(text: str) -> str:
    """As `printable`, with line breaks escaped, too."""
    return printable(text).replace("\n", "\\n")


def kept_text_problem(text: str, advice: str, characters: int = MAX_KEPT_CHARACTERS, *, lines: bool = False) -> str | None:
    """What is wrong with a text of a person that is kept, such as a reason, as the end of a sentence about it; None if nothing is.

    Args:
        text: The text.
        advice: What a person who has left it empty is told to do.
        characters: How many characters it may have.
        lines: Whether it may have several lines.
    """
    if not text.strip():
        return f"is empty; it is kept for ever, so {advice}"
    if not all(sign.isprintable() or (lines and sign == "\n") for sign in text):
        return "has characters that cannot be printed; it is shown to people, so leave them out"
    if len(text) > characters:
        return f"has {counted(len(text), 'character')}; allowed: at most {characters:,}"
    return None


def clipped(text: str, characters: int) -> str:
    """At most so many `characters` of a text that somebody else wrote, with what is not Unicode replaced by question marks."""
    shown = text if len(text) <= characters else f"{text[:characters]}..."
    return shown.encode("utf-8", "replace").decode()


def error_text(error: BaseException) -> str:
    """The type of an exception and its message: `ValueError: Input X contains NaN.`.

    Of a message of a C++ library, such as XGBoost, only the first line is left, without the place in the library's source.
    """
    try:
        text = str(error)
    except Exception:  # of a team's own
        text = "its message raises an error itself"
    place = _CPP_PLACE.match(text)
    if place is not None or _CPP_TRACE in text:
        lines = text[place.end() if place else 0 :].split(_CPP_TRACE)[0].splitlines() or [""]
        text = _CPP_CHECK.sub("", lines[0]).strip()
    text = _CPP_LINE.sub("", text)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def error_line(error: BaseException) -> str:
    """The first line of `error_text`, at most 200 characters."""
    return clipped(error_text(error).splitlines()[0], _MAX_OF_AN_ERROR)


def invalid_text(error: "ValidationError") -> str:
    """What pydantic has found wrong with the content of a file: the first mistake, and how many more there are."""
    first, count = error.errors()[0], error.error_count()
    place = ".".join(map(str, first["loc"]))
    more = f", and {counted(count - 1, 'more mistake')}" if count > 1 else ""
    return clipped(f"{place}: {first['msg']}{more}" if place else f"{first['msg']}{more}", _MAX_OF_AN_ERROR)


def listed(values: Iterable[object], total: int | None = None) -> str:
    """The first three values, and how many more there are: `"a", "b", "c" and 4 more`.

    Args:
        values: The values, or the first of them.
        total: How many values there are in all; without it, as many as `values`.
    """
    found = list(values)
    shown, count = [quoted(value) for value in found[:SHOWN_VALUES]], total if total is not None else len(found)
    more = f" and {count - len(shown):,} more" if count > len(shown) else ""
    return f"{', '.join(shown)}{more}"


def names_text(names: Sequence[str], noun: str = "", characters: int = 80) -> str:
    """As many names as fit into `characters`, at least one, and how many more there are: `a, b and 5 more columns`.

    Args:
        names: The names; at least one.
        noun: What they are, such as `column`; empty to leave it out.
        characters: About how long the text is at most.
    """
    shown = [clipped(names[0], characters)]
    for name in names[1:]:
        if len(", ".join([*shown, name])) > characters:
            break
        shown.append(name)
    rest = len(names) - len(shown)
    more = f" and {counted(rest, f'more {noun}') if noun else f'{rest:,} more'}" if rest else ""
    return f"{', '.join(shown)}{more}"


def format_params(params: str) -> str:
    """A trial's parameters, given as JSON text: `learning_rate=0.0512, max_leaf_nodes=31`."""
    shown = {name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in json.loads(params).items()}
    return ", ".join(f"{name}={value}" for name, value in shown.items())
