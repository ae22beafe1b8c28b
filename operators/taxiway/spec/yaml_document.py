"""Reading the YAML that people write into plain values with the line of every key, and naming mistakes by file, line and key.

What the keys mean is not known here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from taxiway.errors import ConfigError, allowed_values

_SHOWN_CHARACTERS = 40
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


@dataclass(frozen=True)
class YamlFile:
    """A file's content, and the line (from 1) of each key and list item by its path from the top."""

    path: Path
    content: Any
    lines: dict[KeyPath, int]

    def line(self, key: KeyPath) -> int:
        """The line of the deepest part of `key` that is in the file."""
        known = key
        while known and known not in self.lines:
            known = known[:-1]
        return self.lines.get(known, 1)

    def error(self, key: KeyPath, said: str, *, got: object = None, allowed: Iterable[str] = ()) -> ConfigError:
        """The error `file:line: key said`, with what is allowed below it."""
        options = tuple(allowed)
        hint = f"\n    {allowed_values(str(got), options)}" if options else ""
        named = spelled(key) or "the file"
        message = f"{self.path}:{self.line(key)}: {named}{'' if said.startswith((':', '.')) else ' '}{said}{hint}"
        return ConfigError(message, key=spelled(key), got=got, allowed=options, file=self.path, line=self.line(key))


def spelled(key: KeyPath) -> str:
    """`features.carrier.domain[2]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return text.removeprefix(".")


def read_yaml(path: Path) -> YamlFile:
    """Read a file with libyaml. Raises ConfigError where it is absent, unreadable, empty, not YAML, has a key twice, or an alias.

    Aliases are refused because a few lines of them can stand for more values than there is memory.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        beside = sorted(file.name for file in path.parent.glob("*.yaml"))
        raise ConfigError(f"{path} does not exist; YAML files there: {', '.join(beside) or 'none'}", file=path) from None
    except UnicodeDecodeError as error:
        raise _wrong(path, 1, f"this is not UTF-8 text: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=path) from error
    loader = yaml.CSafeLoader(text)
    lines: dict[KeyPath, int] = {}
    try:
        node = loader.get_single_node()
        if node is None:
            raise _wrong(path, 1, "the file is empty")
        _note_lines(path, node, (), lines, set())
        return YamlFile(path, loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        raise _wrong(path, error.problem_mark, f"this is not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise _wrong(path, 1, f"this is not YAML: {error}") from None
    except RecursionError:
        raise _wrong(path, 1, "this is nested too deeply; a file of ours needs five levels") from None
    finally:
        loader.dispose()


def _wrong(path: Path, at: "int | yaml.Mark | None", said: str, key: KeyPath = ()) -> ConfigError:
    line = at if isinstance(at, int) else at.line + 1 if at else 1
    return ConfigError(f"{path}:{line}: {said}", key=spelled(key) or None, file=path, line=line)


def _note_lines(path: Path, node: yaml.Node, at: KeyPath, lines: dict[KeyPath, int], seen: set[int]) -> None:
    if id(node) in seen:
        raise _wrong(path, node.start_mark, "an alias (*name) stands for this; write it out where it is needed", at)
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _wrong(path, key.start_mark, "a key is one word, not a list or a mapping", at)
            here = (*at, key.value)
            if here in lines:  # YAML itself would take the last and say nothing
                said = f"{spelled(here)} is there twice, first in line {lines[here]}; keep one"
                raise _wrong(path, key.start_mark, said, here)
            lines[here] = key.start_mark.line + 1
            _note_lines(path, value, here, lines, seen)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[(*at, number)] = item.start_mark.line + 1
            _note_lines(path, item, (*at, number), lines, seen)


def explain(
    file: YamlFile,
    errors: Iterable[ErrorDetails],
    key_of: Callable[[KeyPath], KeyPath],
    fields_at: Callable[[KeyPath], Mapping[str, FieldInfo]],
) -> ConfigError:
    """One ConfigError for all that pydantic found.

    Args:
        file: The file that was validated.
        errors: What pydantic found.
        key_of: Maps pydantic's place of an error to a key of the file.
        fields_at: The allowed keys at a place of pydantic's, each with its field of the model.

    Returns:
        The error with a message for each of them, which names line, key, what was got and what is allowed.
    """
    return together([_explained(file, error, key_of, fields_at) for error in errors])


def together(errors: Sequence[ConfigError]) -> ConfigError:
    """One error with the messages of all, each once, and the facts of the first."""
    first = errors[0]
    message = "\n".join(dict.fromkeys(str(error) for error in errors))
    return ConfigError(message, key=first.key, got=first.got, allowed=first.allowed, file=first.file, line=first.line)


def _explained(
    file: YamlFile,
    error: ErrorDetails,
    key_of: Callable[[KeyPath], KeyPath],
    fields_at: Callable[[KeyPath], Mapping[str, FieldInfo]],
) -> ConfigError:
    key, got = key_of(error["loc"]), error["input"]
    match error["type"]:
        case "extra_forbidden" if key[-1] in _RENAMED:
            return file.error(key, f"was renamed; write {_RENAMED[key[-1]]}", got=str(key[-1]))
        case "extra_forbidden":
            return file.error(key, "is not a key here", got=str(key[-1]), allowed=fields_at(error["loc"][:-1]))
        case "missing":
            field = fields_at(error["loc"][:-1]).get(str(error["loc"][-1]))
            wanted = f": {field.description}" if field is not None and field.description else ""
            return file.error(key, f"is missing; it must be given{wanted}")
        case "literal_error" | "enum":
            words = error["ctx"]["expected"].replace(" or ", ", ").split(", ")
            return file.error(key, f"is {_shown(got)}", got=got, allowed=[word.strip("'") for word in words])
        case "value_error":
            said = error["msg"].removeprefix("Value error, ")
            # A whole mapping would bury what is said about it.
            return file.error(key, f": {said}" if len(repr(got)) > _SHOWN_CHARACTERS else f"is {_shown(got)}; {said}", got=got)
        case _:
            return file.error(key, f"is {_shown(got)}; {error['msg'][:1].lower()}{error['msg'][1:]}", got=got)


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
