"""Change values in a schema file and keep its comments and layout.

The text is edited at the positions that the YAML parser reports, because writing the whole file again would lose its layout.
"""

import copy
import os
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from taxiway.data.schema.file import load_schema, schema_of
from taxiway.data.schema.model import Schema
from taxiway.errors import ConfigError
from taxiway.records import SchemaChange
from taxiway.spec.yaml_files.dialect import Dumper, Loader
from taxiway.spec.yaml_files.document import YamlFile, read_yaml

_LONG_KEY = 128
"""The length from which PyYAML writes a key after a question mark, as YAML requires beyond 1,024 characters."""


class _Edit(NamedTuple):
    """The characters from `start` to `end` become `text`."""

    start: int
    end: int
    text: str


def update_schema(path: Path, changes: Iterable[SchemaChange]) -> Schema:
    """Apply changes to a schema file, keeping its comments and layout.

    The new text is written to a temporary file, read back and compared with the expected schema before it replaces the file.

    Args:
        path: The schema file.
        changes: The changes, which are applied in order.

    Returns:
        The changed schema.

    Raises:
        ConfigError: The file or the changed schema is not valid. The file is then unchanged.
    """
    changes, path = tuple(changes), path.resolve()
    load_schema(path)
    wanted = _changed_schema(read_yaml(path), changes)
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    for change in changes:
        for edit in sorted(_edits(text, change), reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        if not _holds(Path(name), wanted):
            listed = "; ".join(change.describe() for change in changes)
            raise ConfigError(f"the layout of {path} does not allow this change; edit the file by hand: {listed}")
        shutil.copymode(path, name)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return wanted


def _holds(path: Path, wanted: Schema) -> bool:
    try:
        return load_schema(path) == wanted
    except ConfigError:
        return False


def _changed_schema(file: YamlFile, changes: tuple[SchemaChange, ...]) -> Schema:
    """The expected schema, from the values of the file rather than its text."""
    content = copy.deepcopy(file.content)
    for change in changes:
        fields: Any = content
        for key in change.path[:-1]:
            fields = fields.setdefault(_like(key, fields), {})
        key = _like(change.path[-1], fields)
        if change.action == "add":
            fields[key] = [*fields.get(key, ()), *_items(change, fields.get(key))]
        else:
            fields[key] = change.value
    try:
        return schema_of(YamlFile(file.path, content, file.lines))
    except ConfigError as error:
        listed = "; ".join(change.describe() for change in changes)
        raise ConfigError(f"nothing was changed; the schema would not be valid with {listed}\n{error}") from None


def _like(key: str, mapping: Any) -> Any:
    """The key of the mapping that reads as `key`: YAML reads a column named 2020 as a number."""
    return next((known for known in mapping if str(known) == key), key)


def _items(change: SchemaChange, known: Any) -> list[Any]:
    if not isinstance(change.value, list) or not isinstance(known, list):
        raise ConfigError(f"{change.describe()}: add needs a list in the file and a list of items; use set for other values")
    return [item for item in change.value if item not in known]


def _edits(text: str, change: SchemaChange) -> list[_Edit]:
    """The edits of the text for one change."""
    node, path = yaml.compose(text, Loader=yaml.SafeLoader), list(change.path)
    assert node is not None
    while path and (inner := _value(node, path[0])) is not None:
        node = inner
        path.pop(0)
    if path:
        value: Any = change.value
        for key in reversed(path[1:]):
            value = {key: value}
        return [_new_key(text, node, path[0], value)]
    if change.action == "add" and isinstance(node, yaml.SequenceNode):
        known = yaml.load(text[node.start_mark.index : _end(node)], Loader=Loader)  # noqa: S506 (it is a safe one)
        return [_new_items(text, node, _items(change, known))]
    return _new_value(text, node, change.value, change.path[-1])


def _value(node: yaml.Node, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((value for name, value in pairs if name.value == key), None)


def _end(node: yaml.Node) -> int:
    """Where the text of a node ends; the parser's own mark of a block is after the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, yaml.MappingNode) else last)
    return int(node.end_mark.index)


def _new_value(text: str, node: yaml.Node, value: Any, key: str) -> list[_Edit]:
    """Replace `node` by another value; comments within it are moved behind it."""
    if isinstance(node, yaml.MappingNode) and isinstance(value, dict) and {name.value for name, _ in node.value} == set(value):
        return [edit for name, inner in node.value for edit in _new_value(text, inner, value[name.value], name.value)]
    start, end = node.start_mark.index, _end(node)
    written = _inline(value, key)
    edits = [_Edit(start, end, written if start < end else f" {written}")]
    if comments := _comments(text, start, end):
        position, newline = _line_end(text, end), _newline(text)
        margin = " " * _margin(text, start)
        edits.append(_Edit(position, position, "".join(f"{newline}{margin}{comment}" for comment in comments)))
    return edits


def _new_key(text: str, node: yaml.Node, key: str, value: Any) -> _Edit:
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            f"line {node.start_mark.line + 1} has a single value, so the key {key} cannot be added; edit the file by hand"
        )
    name, written = _inline(key), _inline(value, key)
    if node.flow_style:
        position = _end(node.value[-1][1]) if node.value else _end(node) - 1
        pair = f"{name}: {written}" if len(name) < _LONG_KEY else f"? {name} : {written}"
        return _Edit(position, position, f", {pair}" if node.value else pair)
    margin = " " * _column(text, node)
    pair = f"{name}: {written}" if len(name) < _LONG_KEY else f"? {name}{_newline(text)}{margin}: {written}"
    return _new_line(text, _end(node), f"{margin}{pair}")


def _column(text: str, node: yaml.MappingNode) -> int:
    """The column of the keys of a block mapping; a key after a question mark (`? "two\\nlines"`) is further right."""
    first = node.value[0][0].start_mark.index
    tokens = yaml.scan(text, Loader=yaml.SafeLoader)
    starts = [token.start_mark for token in tokens if isinstance(token, yaml.BlockMappingStartToken)]
    return int(max((mark for mark in starts if mark.index <= first), key=lambda mark: mark.index).column)


def _new_items(text: str, node: yaml.SequenceNode, items: list[Any]) -> _Edit:
    written = [_inline(item) for item in items]
    position = _end(node.value[-1]) if node.value else _end(node) - 1
    if node.flow_style:
        return _Edit(position, position, "".join(f", {item}" for item in written) if node.value else ", ".join(written))
    margin = " " * node.start_mark.column
    return _new_line(text, position, _newline(text).join(f"{margin}- {item}" for item in written))


def _new_line(text: str, after: int, line: str) -> _Edit:
    """A line below that of the character before `after`."""
    newline = _newline(text)
    if text[after - 1] == "\n":  # the end of a block of text
        return _Edit(after, after, line + newline)
    position = _line_end(text, after)
    return _Edit(position, position, newline + line)


def _line_end(text: str, position: int) -> int:
    found = re.compile(r"\r?\n|\Z").search(text, position)
    assert found is not None
    return found.start()


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _margin(text: str, position: int) -> int:
    line = text[text.rfind("\n", 0, position) + 1 :]
    return len(line) - len(line.lstrip(" "))


def _comments(text: str, start: int, end: int) -> list[str]:
    """The comments between the tokens of a part of the text."""
    found, last = [], start
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if start <= token.start_mark.index <= end:
            found += re.findall(r"#[^\r\n]*", text[last : token.start_mark.index])
        last = max(last, token.end_mark.index)
    return found


class _Dumper(Dumper):
    """Writes text with line breaks in double quotes, in one line."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if any(ord(sign) < 32 or sign in "\x7f\x85\u2028\u2029\ufeff" for sign in text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _number(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    return dumper.represent_int(int(number)) if number.is_integer() and abs(number) < 2**53 else dumper.represent_float(number)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _number)


def _inline(value: Any, key: str = "") -> str:
    """A value as YAML in one line: `NO` in quotes, but a date of the key `since` without."""
    written = yaml.dump(
        [value], Dumper=_Dumper, default_flow_style=True, width=float("inf"), sort_keys=False, allow_unicode=True
    )
    text = written.strip()[1:-1]
    return re.sub(r"'(\d{4}-\d\d-\d\d)'", r"\1", text) if key == "since" else text
