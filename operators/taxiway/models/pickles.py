"""Whether a file is a pickle that can run code, without loading it."""

import pickletools
from collections.abc import Iterator
from itertools import islice
from typing import Any

_NAMES_CODE = {"GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4"}
_CALLS_CODE = {"REDUCE", "BUILD", "OBJ", "INST", "NEWOBJ", "NEWOBJ_EX"}
_OPERATIONS = {ord(operation.code): operation for operation in pickletools.opcodes}
_LENGTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_DIGITS = b"0123456789"
_LINES_WITH = {"INT": _DIGITS, "LONG": _DIGITS, "PUT": _DIGITS, "GET": _DIGITS, "STRING": b"'\""}
"""One of which characters the argument of an instruction has, if it is valid."""


def is_pickle(content: bytes) -> bool:
    """Whether a file can be loaded as a pickle that names code, or begins as one with the header of protocols 2 to 5.

    Without a header, its instructions are followed up to the end, an invalid one, or one for which the stack has too few objects: it
    is a pickle if they have named code and ended, or named and called code. A text may begin as instructions: `cat` and `dog` in two
    lines are one that names code.
    """
    if len(content) > 1 and content[0] == 0x80 and 2 <= content[1] <= 5:
        return len(list(islice(_operations(content), 3))) == 3  # in fewer, no code is called; safetensors may begin so, too
    stack, done = _Stack(), set()
    for operation in _operations(content):
        if not stack.apply(operation):
            break
        done.add(operation.name)
        if done & _NAMES_CODE and done & (_CALLS_CODE | {"STOP"}):
            return True
        if operation.name == "STOP":
            break
    return False


def _operations(content: bytes) -> Iterator[Any]:
    """The instructions up to the first that is invalid; `pickletools.genops` also stops at arguments that `pickle` accepts."""
    position = 0
    while position < len(content) and (operation := _OPERATIONS.get(content[position])):
        after = _end_of_argument(content, position + 1, operation)
        if after is None or after > len(content):
            return
        yield operation
        position = after


def _end_of_argument(content: bytes, position: int, operation: Any) -> int | None:
    """Where the argument of an instruction ends, which begins at `position`; None if it is invalid."""
    kind = operation.arg
    if kind is None:
        return position
    if kind.n >= 0:
        return position + int(kind.n)
    if kind.n == pickletools.UP_TO_NEWLINE:
        end = position
        for _ in range(2 if kind is pickletools.stringnl_noescape_pair else 1):
            end = content.find(b"\n", end) + 1
            if not end:
                return None
        needed = _LINES_WITH.get(operation.name)
        return end if needed is None or any(byte in needed for byte in content[position:end]) else None
    width = _LENGTHS[kind.n]
    signed = kind.n == pickletools.TAKEN_FROM_ARGUMENT4
    length = int.from_bytes(content[position : position + width], "little", signed=signed)
    return position + width + length if length >= 0 else None


class _Stack:
    """The number of objects on the stack of an unpickler, above each mark."""

    def __init__(self) -> None:
        self._counts = [0]

    def apply(self, operation: Any) -> bool:
        """Do what an instruction does; False if there are too few objects for it."""
        counts = self._counts
        before, after = operation.stack_before, operation.stack_after
        if operation.name == "MARK":
            counts.append(0)
            return True
        if pickletools.markobject in before or (operation.name == "POP" and not counts[-1]):
            if len(counts) == 1 or (operation.name == "OBJ" and not counts[-1]):
                return False
            counts.pop()
            before = before[: before.index(pickletools.markobject)] if pickletools.markobject in before else []
        if counts[-1] < len(before):
            return False
        counts[-1] += len(after) - len(before)
        return True
