"""The words of a condition with their places, and the error that points at one."""

import re
from dataclasses import dataclass
from typing import Literal

from taxiway.errors import ConfigError

Kind = Literal["number", "name", "sign", "end"]
MAX_CHARACTERS = 300
_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d]\w*)|(?P<sign>\+/-|±|/\\|[<>]=|&&|\|\||[-+*/<>=()%])"
)
_SPELLINGS = {"±": "+/-", "/\\": "and"}


class ConditionError(ConfigError):
    """A condition is not valid.

    Args:
        problem: What is wrong.
        text: The condition.
        column: The place of the mistake in it, from 0.
        allowed: What is allowed there.
    """

    def __init__(self, problem: str, text: str, column: int, allowed: str) -> None:
        shown = "".join(character if character.isprintable() else " " for character in text)
        super().__init__(f"{problem}\n    {shown}\n    {' ' * column}^\n    allowed: {allowed}")
        self.column = column


@dataclass(frozen=True)
class Token:
    """A word of a condition.

    Attributes:
        kind: What it is.
        text: How it is written, in its usual spelling.
        column: Its place, from 0.
    """

    kind: Kind
    text: str
    column: int

    @property
    def shown(self) -> str:
        """The word as an error names it."""
        return "the end of the condition" if self.kind == "end" else f'"{self.text}"'


def tokens_of(text: str) -> tuple[Token, ...]:
    """The words of a condition, and an end.

    Raises:
        ConditionError: There is a character that no word has, or there are too many characters.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConditionError(
            f"the condition has {len(text):,} characters",
            text[:MAX_CHARACTERS],
            MAX_CHARACTERS - 1,
            f"at most {MAX_CHARACTERS}; several conditions are entries of a list",
        )
    found, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise ConditionError(
                f'"{text[at]}" has no meaning in a condition', text, at, "n, o, d, numbers, + - * ( ) < > +/- and"
            )
        word = _SPELLINGS.get(match[0], match[0])
        is_name = match.lastgroup == "name" or word == "and"
        kind: Kind = "number" if match.lastgroup == "number" else "name" if is_name else "sign"
        found.append(Token(kind, word.lower() if word.lower() == "and" else word, at))
        at = match.end()
    return (*found, Token("end", "", len(text.rstrip())))
