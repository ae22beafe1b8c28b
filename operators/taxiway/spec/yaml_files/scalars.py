"""Reads single values of YAML files, and refuses those that people read otherwise than YAML 1.1 does."""

import math
import re
from typing import Any

import yaml

from taxiway.spec.yaml_files.dialect import Loader

_TAG = "tag:yaml.org,2002:"
_NUMBERS = (f"{_TAG}int", f"{_TAG}float")
_READ_OTHERWISE = re.compile(r"[-+]?0[0-9_]+|.*[_:].*")
"""Octal numbers such as 010, which is 8, numbers to the base of 60 such as 1:30, which is 90, and digits with underscores."""
_NO_VALUE = (ValueError, KeyError, IndexError, AttributeError, OverflowError, TypeError)
"""What PyYAML raises for values that do not have the form of their tag: `!!bool maybe`, or the date 2013-02-30."""

_WORDS = {"bool": "boolean", "float": "number", "int": "integer", "timestamp": "date or time"}


class ScalarError(ValueError):
    """A value that cannot be read, or that would be read as something else; the message is the rest of a sentence about its key."""


def read_value(loader: Loader, node: yaml.ScalarNode) -> Any:
    """A value; the loader remembers it for the document.

    Raises:
        ScalarError: It is not what its tag or its form promises, or a number in another form than people write.
    """
    value = _constructed(loader, node)
    if isinstance(value, float) and math.isinf(value) and "inf" not in node.value.casefold():
        raise ScalarError(f"is {node.value}, which is too large for a number; put it in quotes if it is text")
    if not node.style and node.tag in _NUMBERS and _READ_OTHERWISE.fullmatch(node.value):
        raise ScalarError(
            f"is {node.value}, which YAML reads as the number {value}; put it in quotes if it is text, or write the number as {value}"
        )
    return value


def read_key(loader: Loader, node: yaml.ScalarNode) -> Any:
    """A key; two keys are the same if the values that this returns are.

    Raises:
        ScalarError: It cannot be read, or is a number in another form than YAML writes it, so the name would change.
    """
    value = _constructed(loader, node)
    if not node.style and node.tag in _NUMBERS and str(value) != node.value:
        raise ScalarError(f"is a key that YAML reads as the number {value}; put it in quotes")
    return value


def _constructed(loader: Loader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_object(node)
    except yaml.YAMLError:
        raise
    except _NO_VALUE as error:
        kind = node.tag.removeprefix(_TAG)
        kind = _WORDS.get(kind, kind)
        why = f": {error}" if isinstance(error, ValueError) and str(error) else ""
        quotes = "; put it in quotes if it is text" if not node.style else ""
        raise ScalarError(f'is "{node.value}", which is not a valid {kind}{why}{quotes}') from None
