"""Texts of numbers and dates in the forms that people write, converted to the forms that Arrow reads."""

import re
from typing import TYPE_CHECKING

from taxiway.spec.source.csv_options import CsvOptions

if TYPE_CHECKING:
    import pyarrow as pa

_LOCAL_DATE = r"^[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{4}(?:$|[ T])"
_BLANKS = "[ \u00a0\u202f]"
_POINT_NUMBER = r"^-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_LONGEST_OF_SIX_DIGITS = len("2024-01-31 23:59:59.123456")


def plain_values(values: "pa.Array", form: CsvOptions) -> "pa.Array":
    """Numbers with a decimal point alone, and dates in ISO 8601, where `form` says how they are written; other text is unchanged.

    A number that is written otherwise than `form` says does not come out as a number.
    """
    if form.decimal != "." or form.thousands is not None:
        values = _plain_numbers(values, form)
    return values if form.dayfirst is None else _plain_dates(values, dayfirst=form.dayfirst)


def plain_moments(values: "pa.Array", *, has_zones: bool) -> "pa.Array":
    """Times whose zone is `Z` or an offset without a blank, and whose fractions of a second have no zeros after the sixth digit."""
    import pyarrow.compute as pc

    # Looking for the signs is many times faster than replacing what is not there.
    if has_zones and any(pc.any(pc.match_substring(values, sign)).as_py() for sign in ("UTC", "GMT", " Z", " +", " -")):
        values = pc.replace_substring_regex(values, r"^(.*[0-9]) ?(?:UTC|GMT|Z)$", r"\1Z")
        values = pc.replace_substring_regex(values, r"^(.*[0-9]) ([+-][0-9:]+)$", r"\1\2")
    if has_more_digits(values):
        values = pc.replace_substring_regex(values, r"(\.[0-9]{6}[0-9]{0,3}?)0*($|[^0-9])", r"\1\2")
    return values


def has_more_digits(values: "pa.Array") -> bool:
    """Whether a time has more than six digits of a second."""
    import pyarrow.compute as pc

    longest = pc.max(pc.binary_length(values)).as_py() or 0
    return longest > _LONGEST_OF_SIX_DIGITS and bool(pc.any(pc.match_substring_regex(values, r"\.[0-9]{7}")).as_py())


def _plain_numbers(values: "pa.Array", form: CsvOptions) -> "pa.Array":
    import pyarrow.compute as pc

    point = re.escape(form.decimal)
    between = _BLANKS if form.thousands == " " else re.escape(form.thousands or "")
    grouped = f"[1-9][0-9]{{0,2}}(?:{between}[0-9]{{3}})+|" if between else ""
    written = f"^-?(?:(?:{grouped}[0-9]+)(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]{{1,3}})?$"
    plain = pc.replace_substring_regex(values, between, "") if between else values
    plain = pc.replace_substring(plain, form.decimal, ".")
    otherwise = pc.if_else(
        pc.match_substring_regex(values, _POINT_NUMBER), pc.binary_join_element_wise("not ", values, ""), values
    )
    return pc.if_else(pc.match_substring_regex(values, written), plain, otherwise)


def _plain_dates(values: "pa.Array", *, dayfirst: bool) -> "pa.Array":
    import pyarrow.compute as pc

    plain = values
    for pattern, padded in ((r"^([0-9])([./-])", r"0\1\2"), (r"^([0-9]{2}[./-])([0-9])([./-])", r"\10\2\3")):
        plain = pc.replace_substring_regex(plain, pattern, padded)
    order = r"\3-\2-\1" if dayfirst else r"\3-\1-\2"
    plain = pc.replace_substring_regex(plain, r"^([0-9]{2})[./-]([0-9]{2})[./-]([0-9]{4})", order)
    return pc.if_else(pc.match_substring_regex(values, _LOCAL_DATE), plain, values)
