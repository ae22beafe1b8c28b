"""The `csv` section of a source: how its CSV files are written, where that cannot be detected or is in doubt."""

import codecs
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from taxiway.errors import ConfigError, allowed_values
from taxiway.spec.base import Section, key_as_word

NO_DELIMITER = "not one ASCII character that is not a letter, digit, quote or line break"
_NOT_DELIMITERS = '"\r\n'


def is_delimiter(sign: str) -> bool:
    """Whether a text can be the character between fields."""
    return len(sign) == 1 and not sign.isalnum() and sign not in _NOT_DELIMITERS and sign.isascii()


def _delimiter(value: Any) -> Any:
    """One character; `tab` is a tab."""
    value = {"tab": "\t", "\\t": "\t"}.get(value, value) if isinstance(value, str) else value
    if isinstance(value, str) and is_delimiter(value):
        return value
    raise ValueError("allowed: one ASCII character that is not a letter, digit, quote or line break, such as ; or |, or tab")


def _encoding(value: Any) -> Any:
    if value is None:
        return None
    try:
        found = codecs.lookup(str(value))
    except LookupError:
        found = None
    if found is None or not found._is_text_encoding:
        raise ValueError("allowed: the name of an encoding that Python knows, such as latin-1, cp1252, utf-16")
    return str(value)


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise ValueError("allowed: text or a list of texts; put numbers in quotes")


class CsvOptions(Section):
    """How CSV files are written.

    Attributes:
        delimiter: The character between fields; None detects comma, semicolon, tab or bar.
        header: Whether the first line has the names of the columns; without it they are column_1, column_2 and so on. None is true,
            and a first line that looks like values is remarked on.
        decimal: The decimal sign of numbers.
        thousands: The sign between groups of three digits; None for none.
        dayfirst: Whether dates such as 03/04/2024 begin with the day (true) or the month (false); None keeps them as text.
        encoding: The encoding; None for UTF-8, or what a byte order mark declares.
        skip: The number of lines before the header.
        null: Texts that are missing values in every column, beside the empty text.
    """

    delimiter: Annotated[str, BeforeValidator(_delimiter)] | None = None
    header: bool | None = None
    decimal: Literal[".", ","] = "."
    thousands: Literal[",", ".", " ", "'", "_"] | None = None
    dayfirst: bool | None = None
    encoding: Annotated[str | None, BeforeValidator(_encoding)] = None
    skip: int = Field(default=0, ge=0)
    null: Annotated[tuple[str, ...], BeforeValidator(_texts)] = ()

    @model_validator(mode="before")
    @classmethod
    def _null_is_a_word(cls, value: Any) -> Any:
        return key_as_word(value, "null", None)

    @model_validator(mode="after")
    def _signs_differ(self) -> "CsvOptions":
        if self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands are both {self.decimal}; allowed: two different signs")
        return self


DETECTED = CsvOptions()
"""No options: everything is detected."""


def csv_options(given: Iterable[str], *, option: str = "--csv") -> CsvOptions:
    """The options in texts such as `delimiter=;`, as on the command line; `null` may be given more than once.

    Args:
        given: The texts.
        option: The name of the option in errors.

    Raises:
        ConfigError: A text has no `=`, its key is unknown, or its value is not allowed.
    """
    found: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in CsvOptions.model_fields:
            raise ConfigError(
                f"{option} {text}: expected KEY=VALUE, such as {option} 'delimiter=;'\n    "
                f"{allowed_values(key, CsvOptions.model_fields)}"
            )
        found[key] = (*found.get(key, ()), value) if key == "null" else value
    try:
        return CsvOptions.model_validate(found)
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"])) or "csv"
        raise ConfigError(f"{option} {name}: {problem['msg'].removeprefix('Value error, ')}") from None
