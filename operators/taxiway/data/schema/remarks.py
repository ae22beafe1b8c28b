"""Remarks on columns whose values may have another meaning than the type that their file gives them."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from taxiway.data.engine.duckdb_table import Table
from taxiway.data.profiling.profile import ColumnProfile, Profile
from taxiway.messages import quoted

# A column may have at most one value of each list: "true" together with "1" is not a boolean.
_TRUE = ("TRUE", "true", "SET", "set", "1")
_FALSE = ("FALSE", "false", "CLEAR", "clear", "0")
_YES_NO = re.compile(
    r"\s*(yes|no|y|n|ja|nein|nej|oui|non|s[ií]|n[ãa]o|sim|tak|nie|ano|da|ne|да|нет|kyllä|ei|igen|nem|evet"
    r"|on|off|true|false|t|f|1|0|set|clear|enabled|disabled|active|inactive)\s*",
    re.IGNORECASE,
)
"""The words for the two values of a boolean."""
_INDEX = re.compile(r"__index_level_[0-9]+__")
PANDAS_INDEX = "the index of a pandas DataFrame; if it is not data, write the file with index=False"
"""The remark on a column that pandas made of an index without a name."""


def is_pandas_index(name: str) -> bool:
    """Whether pandas gives this name to an index without one."""
    return _INDEX.fullmatch(name) is not None


@dataclass(frozen=True)
class _Look:
    """Texts that are written like values of another type.

    Attributes:
        pattern: The regular expression of each text, without blanks around it.
        mark: The regular expression of what one of them must have; empty for nothing.
        remark: What the texts look like, and what to do.
        is_closed: Whether the values of such a column can be a domain.
    """

    pattern: str
    mark: str
    remark: str
    is_closed: bool = False


_LOOKS = (
    _Look(
        r"(?i:yes|no|y|n|true|false|t|f|on|off)",
        "",
        "the texts look like booleans, and only true and false are; convert them at the source if they are",
        is_closed=True,
    ),
    _Look(
        r"-?(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|0|[1-9][0-9]{0,2})(?:\.[0-9]+)?",
        ",",
        "the texts look like numbers with a comma between thousands; in CSV, csv: {thousands: ','} reads them as numbers",
    ),
    _Look(
        r"-?(?:[1-9][0-9]{0,2}(?:\.[0-9]{3})+|0|[1-9][0-9]*)(?:,[0-9]+)?",
        ",",
        "the texts look like numbers with a decimal comma; in CSV, csv: {decimal: ',', thousands: '.'} reads them as numbers",
    ),
    _Look(
        "-?(?:[1-9][0-9]{0,2}(?:[ \u00a0\u202f'][0-9]{3})+|0|[1-9][0-9]{0,2})(?:[.,][0-9]+)?",
        "[ \u00a0\u202f']",
        "the texts look like numbers with a blank or apostrophe between thousands; in CSV, csv: {thousands: ' '} or {thousands: \"'\"} reads "
        "them as numbers",
    ),
    _Look(
        r"[0-9]{1,2}[./-][0-9]{1,2}[./-](?:[0-9]{4}|[0-9]{2})(?:[ T].*)?",
        "",
        "the texts look like dates that begin with the day or the month; in CSV, csv: {dayfirst: true} or {dayfirst: false} reads them as "
        "dates, with years of four digits",
    ),
    _Look(
        r"[+-]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?",
        "[eE]",
        "the texts look like numbers, some of them too large for 64 bits; write these as missing at the source",
    ),
    _Look(r"-?[0-9]+(?:[.,][0-9]+)? ?%", "", "the texts look like percentages; write them as numbers at the source"),
    _Look(
        r"(?:[$€£¥] ?-?[0-9.,]+|-?[0-9.,]+ ?[$€£¥])",
        "",
        "the texts look like amounts of money; write them as numbers at the source",
    ),
)


def look_of(values: Iterable[str]) -> str:
    """The remark on texts that all look like values of another type; empty if they do not, or if there are none."""
    texts = _strip_signs(values)
    return next((look.remark for look in _LOOKS if _fits(look, texts)), "")


def padding_remark(values: Iterable[str]) -> str:
    """The remark on digits that differ only by zeros before them, such as 01067 and 1067; empty if there are none."""
    known = set(values)
    if not _all_integers(known):
        return ""
    padded = min((value for value in known if value.startswith("0") and value.lstrip("0") in known), default=None)
    if padded is None:
        return ""
    return (
        f"digits with and without zeros before them: {quoted(padded)} and {quoted(padded.lstrip('0'))} may be the same code; write all of "
        "them in one way at the source"
    )


def is_look(remark: str) -> bool:
    """Whether a remark says that texts look like values of another type."""
    return any(remark == look.remark for look in _LOOKS)


def can_be_domain(values: Iterable[str]) -> bool:
    """Whether texts may be a list of allowed values: not if they look like numbers, dates or nested values."""
    texts = _strip_signs(values)
    return not (_all_integers(texts) or _all_nested(texts) or any(_fits(look, texts) for look in _LOOKS if not look.is_closed))


def remarks_of(table: Table, profile: Profile) -> dict[str, str]:
    """For each column whose values may have another meaning than their type, what to look at.

    Args:
        table: The data.
        profile: Its profile; rows are only read for columns of which it does not have all values.
    """
    return {column.name: remark for column in profile.columns if (remark := _remark(column, table))}


def _remark(column: ColumnProfile, table: Table) -> str:
    if not column.present:
        return "no values in the data: the type is a guess"
    if is_pandas_index(column.name):
        return PANDAS_INDEX
    if column.type == "integer" and column.minimum is not None and column.minimum >= 0 and column.maximum == 1:
        return "only 0 and 1; if these are booleans, store them as booleans"
    return _text_remark(column, table) if column.type == "string" else ""


def _text_remark(column: ColumnProfile, table: Table) -> str:
    values = [item.value for item in column.values]
    if column.values_complete and values:
        one_each = all(sum(value in names for value in values) <= 1 for names in (_TRUE, _FALSE))
        if one_each and all(value in _TRUE + _FALSE for value in values):
            return "booleans stored as text; store them as booleans"
        if remark := padding_remark(values):
            return remark
        if _all_integers(values):
            return "integers stored as text; store them as numbers unless they are codes"
        if _all_nested(values):
            return "nested values, which are kept as JSON text; flatten them at the source to use them"
    for look in _LOOKS:
        if (
            _fits(look, _strip_signs(values))
            if column.values_complete
            else _fits_all_rows(look, values, table.column(column.name).sql, table)
        ):
            return look.remark
    return _blanks(values) or _two(column, values)


def _two(column: ColumnProfile, values: list[str]) -> str:
    if not column.values_complete or len(values) != 2 or not all(map(_YES_NO.fullmatch, values)):
        return ""
    return f"only {' and '.join(map(quoted, sorted(values)))}; if these are booleans, store them as booleans"


def _blanks(values: list[str]) -> str:
    around = next((value for value in values if value != value.strip()), None)
    if around is None:
        return ""
    twin = f"; {quoted(around.strip())} is another value" if around.strip() in values else ""
    return f"values with blanks at an end, such as {quoted(around)}{twin}; remove the blanks at the source"


def _strip_signs(values: Iterable[str]) -> list[str]:
    return [text for value in values if (text := value.strip())]


def _fits(look: _Look, texts: list[str]) -> bool:
    return all(re.fullmatch(look.pattern, text) for text in texts) and any(re.search(look.mark, text) for text in texts)


def _fits_all_rows(look: _Look, known: list[str], sql: str, table: Table) -> bool:
    """As `_fits` for all rows of a column, of which some values are known."""
    if not all(re.fullmatch(look.pattern, text) for text in _strip_signs(known)):
        return False
    present = f"SELECT 1 FROM span WHERE {sql} IS NOT NULL AND trim({sql}) <> ''"
    other = table.rows(f"{present} AND NOT regexp_full_match(trim({sql}), $1) LIMIT 1", [look.pattern])
    return not other and bool(table.rows(f"{present} AND regexp_matches({sql}, $1) LIMIT 1", [look.mark]))


def _all_integers(values: Iterable[str]) -> bool:
    return all(value.removeprefix("-").isdecimal() for value in values)


def _all_nested(values: list[str]) -> bool:
    for value in values:
        if not value.startswith(("{", "[")):
            return False
        try:
            json.loads(value)
        except ValueError:
            return False
    return bool(values)
