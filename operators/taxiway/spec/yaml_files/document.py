"""Read YAML files with the line of every key, and report mistakes by file, line and key."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from taxiway.errors import ConfigError, allowed_values, similar_files
from taxiway.messages import clipped
from taxiway.spec.yaml_files.dialect import Dumper, Loader
from taxiway.spec.yaml_files.nesting import NestingError, check_nesting
from taxiway.spec.yaml_files.scalars import ScalarError, read_key, read_value

_SHOWN_CHARACTERS = 40
_SHOULD_BE = "Input should be "
_RENAMED = {
    "bad_data": "on_invalid_data, with fail for stop and continue for go_on",
    "deny": "exclude",
    "floors": "thresholds",
    "history": "metric_checks",
    "min_gain": "min_improvement",
    "min_match": "min_match_rate",
    "reliability": "confidence",
    "row_skew": "feature_skew",
}
"""Keys that had another name before version 0.1, and what to write now."""
KeyPath = tuple[str | int, ...]
_MAX_SHOWN = 20
_MAX_CHARACTERS = 200  # of a key


@dataclass(frozen=True)
class YamlFile:
    """The content of a YAML file.

    Attributes:
        path: The file.
        content: Its content as plain values.
        lines: The line, from 1, of each key and list item by its path.
    """

    path: Path
    content: Any
    lines: dict[KeyPath, int]

    def line(self, key: KeyPath) -> int:
        """The line of a key, or of the nearest key above it that is in the file."""
        known = key
        while known and known not in self.lines:
            known = known[:-1]
        return self.lines.get(known, 1)

    def error(self, key: KeyPath, problem: str, *, got: object = None, allowed: Iterable[str] = ()) -> ConfigError:
        """The error about a key: `FILE:LINE: KEY PROBLEM`, followed by the allowed values.

        Args:
            key: The path of the key.
            problem: What is wrong, as the rest of a sentence that begins with the key.
            got: The value that is not allowed.
            allowed: The allowed values.
        """
        options = tuple(allowed)
        hint = f"\n    {allowed_values(str(got), options)}" if options else ""
        named = spelled(key) or "the file"
        message = f"{self.path}:{self.line(key)}: {named}{'' if problem.startswith((':', '.')) else ' '}{problem}{hint}"
        return ConfigError(message, key=spelled(key), got=got, allowed=options, file=self.path, line=self.line(key))


def spelled(key: KeyPath) -> str:
    """`features.carrier.domain[2]`; a very long key is cut."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return clipped(text.removeprefix("."), _MAX_CHARACTERS)


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file, with libyaml because every task parses its pipeline file.

    Raises:
        ConfigError: The file does not exist, cannot be read, is empty, is not YAML, has duplicate keys or aliases, or is nested too
            deeply.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; {similar_files(path.parent, path.name, '.yaml')}", file=path) from None
    except UnicodeDecodeError as error:
        raise _wrong(path, 1, f"this is not UTF-8 text: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=path) from error
    loader = Loader(text)
    lines: dict[KeyPath, int] = {}
    try:
        check_nesting(text)
        node = loader.get_single_node()
        if node is None:
            raise _wrong(path, 1, "the file is empty")
        _read_lines(path, loader, node, (), lines)
        return YamlFile(path, loader.construct_document(node), lines)
    except NestingError as error:
        raise _wrong(path, error.line, error.problem) from None
    except yaml.MarkedYAMLError as error:
        quotes = "; put it in quotes" if "cannot start any token" in str(error.problem) else ""
        raise _wrong(path, error.problem_mark, f"this is not YAML: {error.problem}{quotes}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise _wrong(path, 1, f"this is not YAML: {error}") from None
    finally:
        loader.dispose()


def _wrong(path: Path, mark: "int | yaml.Mark | None", problem: str, key: KeyPath = ()) -> ConfigError:
    line = mark if isinstance(mark, int) else mark.line + 1 if mark else 1
    return ConfigError(f"{path}:{line}: {problem}", key=spelled(key) or None, file=path, line=line)


def _read_lines(path: Path, loader: Loader, node: yaml.Node, parent: KeyPath, lines: dict[KeyPath, int]) -> None:
    """Collect the lines of all keys and items below a node, and read their values, so that a mistake has its line."""
    if isinstance(node, yaml.MappingNode):
        known: dict[Any, KeyPath] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _wrong(path, key.start_mark, "a key must be a single value, not a list or a mapping", parent)
            here = (*parent, key.value)
            first = known.setdefault(_scalar(path, here, key, partial(read_key, loader)), here)
            if first in lines:  # YAML itself silently keeps the last one
                problem = f"{spelled(here)} occurs twice, first on line {lines[first]}; keep one"
                raise _wrong(path, key.start_mark, problem, here)
            lines[here] = key.start_mark.line + 1
            _read_lines(path, loader, value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[(*parent, number)] = item.start_mark.line + 1
            _read_lines(path, loader, item, (*parent, number), lines)
    elif isinstance(node, yaml.ScalarNode):
        _scalar(path, parent, node, partial(read_value, loader))


def _scalar(path: Path, key: KeyPath, node: yaml.ScalarNode, read: Callable[[yaml.ScalarNode], Any]) -> Any:
    try:
        return read(node)
    except ScalarError as error:
        raise _wrong(path, node.start_mark, f"{spelled(key) or 'the file'} {error}", key) from None


def explain(
    file: YamlFile,
    errors: Iterable[ErrorDetails],
    key_of: Callable[[KeyPath], KeyPath],
    fields_at: Callable[[KeyPath], Mapping[str, FieldInfo]],
) -> ConfigError:
    """One ConfigError for all errors that pydantic reports.

    Args:
        file: The file that was validated.
        errors: Pydantic's errors.
        key_of: Maps pydantic's location of an error to a key of the file.
        fields_at: Returns the allowed keys at one of pydantic's locations, with their fields.

    Returns:
        The error, with a message for each that names line, key, value and allowed values.
    """
    return together([_explain_error(file, error, key_of, fields_at) for error in errors])


def together(errors: Sequence[ConfigError]) -> ConfigError:
    """One error with the messages of the first 20, without duplicates, and the attributes of the first."""
    first, messages = errors[0], list(dict.fromkeys(str(error) for error in errors))
    more = [f"and {len(messages) - _MAX_SHOWN:,} more mistakes in {first.file}"] if len(messages) > _MAX_SHOWN else []
    message = "\n".join(messages[:_MAX_SHOWN] + more)
    return ConfigError(message, key=first.key, got=first.got, allowed=first.allowed, file=first.file, line=first.line)


def _explain_error(
    file: YamlFile,
    error: ErrorDetails,
    key_of: Callable[[KeyPath], KeyPath],
    fields_at: Callable[[KeyPath], Mapping[str, FieldInfo]],
) -> ConfigError:
    key, got = key_of(error["loc"]), error["input"]
    match error["type"]:
        case "extra_forbidden":
            allowed, new = fields_at(error["loc"][:-1]), _RENAMED.get(str(key[-1]), "")
            if new.partition(",")[0] in allowed:
                return file.error(key, f"was renamed; write {new}", got=str(key[-1]))
            return file.error(key, "is not an allowed key", got=str(key[-1]), allowed=allowed)
        case "missing":
            field = fields_at(error["loc"][:-1]).get(str(error["loc"][-1]))
            description = f": {field.description}" if field is not None and field.description else ""
            return file.error(key, f"is missing; it is required{description}")
        case "literal_error" | "enum":
            words = error["ctx"]["expected"].replace(" or ", ", ").split(", ")
            return file.error(key, f"is {_shown(got)}", got=got, allowed=[word.strip("'") for word in words])
        case "value_error":
            problem = error["msg"].removeprefix("Value error, ")
            # A long value would hide the message.
            return file.error(
                key, f": {problem}" if len(repr(got)) > _SHOWN_CHARACTERS else f"is {_shown(got)}; {problem}", got=got
            )
        case "model_type":
            keys = ", ".join(fields_at(error["loc"]))
            return file.error(key, f"is {_shown(got)}; allowed: a mapping with keys among {keys}", got=got)
        case _:
            return file.error(key, f"is {_shown(got)}; {_problem(error)}", got=got)


def _problem(error: ErrorDetails) -> str:
    """`allowed: an integer`, for pydantic's `Input should be a valid integer, unable to parse string as an integer`."""
    message = error["msg"].replace("tuple", "list").replace("dictionary", "mapping")  # the words of a YAML file
    if error["type"].startswith("bool"):
        return "allowed: true, false"
    if message.startswith(_SHOULD_BE):
        return f"allowed: {message.removeprefix(_SHOULD_BE).partition(', ')[0].replace('a valid integer', 'an integer').replace('valid ', '')}"
    return message[:1].lower() + message[1:]


def _shown(value: Any) -> str:
    """A value as YAML writes it."""
    try:
        text = (
            f'"{value}"'
            if isinstance(value, str)
            else yaml.dump(value, Dumper=Dumper, width=math.inf, default_flow_style=True, sort_keys=False, allow_unicode=True)
        )
    except (yaml.YAMLError, RecursionError):  # no value of a YAML file, or one that contains itself
        text = str(value)
    text = text.removesuffix("\n").removesuffix("\n...")
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
