"""Which spans a source holds: the files that match a pattern of paths, the newest version of each, oldest first.

What is in the files is not looked at here.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from glob import iglob

from taxiway.errors import ConfigError, allowed_values

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_DATE_DIGITS = {"YYYY": 4, "MM": 2, "DD": 2}
_NUMBERS = ("SPAN", "VERSION")
_GLOB_SIGNS = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class FoundSpan:
    """A span that lies at the source and was not read yet. `version` is 0 where the pattern has no {VERSION}.

    `begins` and `ends` are the first moment (UTC) of the period that the name stands for, and the first one after it; None where
    the name is a number. What comes from a query or a function has no path: `path` is then how errors name it.
    """

    name: str
    version: int
    path: str
    ends: datetime | None = None
    begins: datetime | None = None


@dataclass(frozen=True)
class _Pattern:
    """A pattern of paths, as a glob for the file system and as an expression that reads the placeholders."""

    text: str
    glob: str
    expression: re.Pattern[str]
    placeholders: frozenset[str]


def find_spans(pattern: str) -> tuple[FoundSpan, ...]:
    """The newest version of each span that `pattern` matches, oldest span first; empty where nothing arrived yet.

    `pattern` is a path or URL that fsspec reads. {YYYY}, {MM}, {DD} are parts of a date, and the span is named by them
    (`2013-04`); or {SPAN} is a number, of exactly four digits as {SPAN:4}. {VERSION} (or {VERSION:2}) tells
    corrected files of one span apart: the highest number is the newest.

    Raises ConfigError where the pattern cannot be obeyed, or where a file's name reads as no date or as another file's span.
    """
    import fsspec

    fs, root = fsspec.core.url_to_fs(pattern)
    parsed = _parse(pattern, root)
    fs.invalidate_cache()  # fsspec keeps one file system for a process, and object stores' listings for as long
    newest: dict[tuple[int, ...], FoundSpan] = {}
    for path, info in sorted(fs.glob(parsed.glob, detail=True).items()):
        match = parsed.expression.fullmatch(path)
        if match is None:
            continue
        if info["type"] == "directory":
            raise ConfigError(
                f"{path} matches {pattern}, but is a folder; a span is one file: make the pattern end at the file"
            )
        order, name, begins, ends = _span_of(match, path, pattern)
        version = int(match["VERSION"]) if "VERSION" in parsed.placeholders else 0
        found = FoundSpan(name, version, path if _is_plain(pattern) else str(fs.unstrip_protocol(path)), ends, begins)
        known = newest.get(order)
        if known is not None and known.version == version:
            raise ConfigError(
                f"{known.path} and {found.path} are both version {version} of span {name}; keep one, or use {{VERSION}} in {pattern}"
            )
        if known is None or known.version < version:
            newest[order] = found
    return tuple(newest[order] for order in sorted(newest))


def listing(pattern: str) -> tuple[str, ...]:
    """The paths that `pattern` may match, sorted: one listing, and no file is looked at.

    As long as it is the same, `find_spans` finds the same.
    """
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    fs, root = fsspec.core.url_to_fs(pattern)
    parsed = _parse(pattern, root)
    if isinstance(fs, LocalFileSystem):
        return tuple(sorted(iglob(parsed.glob)))  # noqa: PTH207 takes any pattern; fsspec would ask for each file's size
    fs.invalidate_cache()
    return tuple(sorted(fs.glob(parsed.glob)))


def check_pattern(pattern: str) -> None:
    """Raise ConfigError where `find_spans` could not obey a pattern, whatever lies there."""
    _parse(pattern, pattern)


def _is_plain(pattern: str) -> bool:
    return "://" not in pattern


def _span_of(match: re.Match[str], path: str, pattern: str) -> tuple[tuple[int, ...], str, datetime | None, datetime | None]:
    """The sort key of the span that a path belongs to, its name, and where its period begins and ends."""
    parts = match.groupdict()
    if "SPAN" in parts:
        number = int(parts["SPAN"])
        return (number,), str(number), None, None
    texts = [parts[part] for part in _DATE_DIGITS if part in parts]
    numbers = tuple(int(text) for text in texts)
    try:
        begins, ends = _period(*numbers)
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{path} matches {pattern}, but {'-'.join(texts)} is no date ({error}); rename the file, or narrow the pattern"
        ) from None
    return numbers, "-".join(texts), begins, ends


def _period(*numbers: int) -> tuple[datetime, datetime]:
    """The first moment of a year, a month or a day, and the first after it. Raises ValueError or OverflowError if it is no date."""
    begins = datetime.combine(date(*(*numbers, 1, 1)[:3]), time(), UTC)
    if len(numbers) == 3:
        return begins, begins + timedelta(days=1)
    if len(numbers) == 2:
        return begins, (begins + timedelta(days=31)).replace(day=1)
    return begins, begins.replace(year=begins.year + 1)


def _parse(pattern: str, root: str) -> _Pattern:
    """Translate `root`, which is `pattern` as its file system writes it."""
    pieces = _PLACEHOLDER.split(root)
    names = [piece.partition(":")[0] for piece in pieces[1::2]]
    for piece in pieces[1::2]:
        _check_placeholder(piece, pattern)
    _check_together(names, pattern)
    for literal, before, after in zip(pieces[2:-1:2], pieces[1::2], pieces[3::2], strict=False):
        if not literal and before in _NUMBERS:
            raise ConfigError(
                f"{pattern}: where {{{before}}} ends and {{{after}}} begins cannot be told; give its digits, as in {{{before}:4}}"
            )
    glob = expression = ""
    seen: set[str] = set()
    for at, piece in enumerate(pieces):
        if at % 2 == 0:
            glob += _GLOB_SIGNS.sub(lambda sign: f"[{sign[0]}]", piece)
            expression += re.escape(piece)
        else:
            glob = glob.removesuffix("*") + "*"  # two stars in a row mean something else
            expression += _expression(piece, seen)
    return _Pattern(pattern, glob, re.compile(expression), frozenset(names))


def _expression(piece: str, seen: set[str]) -> str:
    """The regular expression of one placeholder; the second of the same name must read as the first did."""
    name, _, width = piece.partition(":")
    if name in seen:
        return f"(?P={name})"
    seen.add(name)
    digits = str(_DATE_DIGITS.get(name, width))
    return rf"(?P<{name}>[0-9]{{{digits}}})" if digits else rf"(?P<{name}>[0-9]+)"


def _check_placeholder(piece: str, pattern: str) -> None:
    name, colon, width = piece.partition(":")
    if name not in (*_DATE_DIGITS, *_NUMBERS):
        raise ConfigError(
            f"{pattern}: {{{piece}}} is not a placeholder; {allowed_values(name.upper(), (*_DATE_DIGITS, *_NUMBERS))}"
        )
    if colon and name in _DATE_DIGITS:
        raise ConfigError(f"{pattern}: {{{piece}}} has a width; a date's parts have their own: write {{{name}}}")
    if colon and not re.fullmatch(r"[1-9][0-9]?", width):
        raise ConfigError(
            f"{pattern}: {{{piece}}} has the width {width!r}; allowed: a whole number of digits, as in {{{name}:4}}"
        )


def _check_together(names: list[str], pattern: str) -> None:
    """Which placeholders go together."""
    given = set(names)
    for name in _NUMBERS:
        if names.count(name) > 1:
            raise ConfigError(f"{pattern}: {{{name}}} is there {names.count(name)} times; allowed: once")
    if "SPAN" in given and given & set(_DATE_DIGITS):
        raise ConfigError(f"{pattern}: a span is either a number {{SPAN}} or a date {{YYYY}}, {{MM}}, {{DD}}, not both")
    for part, needs in (("MM", "YYYY"), ("DD", "MM")):
        if part in given and needs not in given:
            raise ConfigError(f"{pattern}: {{{part}}} needs {{{needs}}}, else spans of different {needs} look the same")
    if not given & {"SPAN", "YYYY"}:
        raise ConfigError(f"{pattern}: nothing tells one span from another; allowed: {{YYYY}}, {{MM}}, {{DD}}, or {{SPAN}}")
