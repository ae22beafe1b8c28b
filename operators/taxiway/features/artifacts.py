"""Which files of a model are data: those that the usual loaders cannot be made to run code by."""

import bz2
import io
import lzma
import pickletools
import zipfile
import zlib
from collections.abc import Callable
from itertools import islice

MAX_BYTES = 1 << 30
"""The size of all files of a model together."""
_NAMES_CODE = ("GLOBAL", "INST")
_FIRST = 70_000  # more than the header of any NumPy array
_CODE = (".dll", ".dylib", ".py", ".pyc", ".pyd", ".pyo", ".so")
_ELF = b"\x7fELF"
_NOT_LOOKED_INTO = {b"\x04\x22\x4d\x18": "LZ4", b"\x28\xb5\x2f\xfd": "Zstandard", b"7z\xbc\xaf": "7z", b"Rar!": "RAR"}
_OPENED: tuple[
    tuple[tuple[bytes, ...], Callable[[], "zlib._Decompress | bz2.BZ2Decompressor | lzma.LZMADecompressor"]], ...
] = (
    ((b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), lambda: zlib.decompressobj(zlib.MAX_WBITS | 32)),
    ((b"BZh",), bz2.BZ2Decompressor),
    ((b"\xfd7zXZ", b"\x5d\x00\x00"), lzma.LZMADecompressor),
)
"""How compressed files begin, and what opens them."""


def code_in(name: str, content: bytes) -> str:
    """Why a file is not data; empty if it is.

    Pickles are recognized by how they begin, also compressed as joblib writes them, in zip files as PyTorch writes them, and as NumPy's
    arrays of objects. Keras's and other HDF5 files are refused, because they can hold functions.

    Args:
        name: The file's name.
        content: Its content.
    """
    if name.lower().endswith(_CODE) or content.startswith(_ELF):
        return "is code"
    if zipfile.is_zipfile(io.BytesIO(content)):
        return _in_archive(content)
    return _at_the_beginning(_opened(content[:_FIRST])) or _at_the_beginning(content)


def _at_the_beginning(first: bytes) -> str:
    if _is_pickle(first):
        return "is a pickle, which can run any code when it is read"
    if first.startswith(b"\x93NUMPY") and b"|O" in first[: first.find(b"\n") + 1 or len(first)]:
        return "is a NumPy array of objects, which are pickles"
    if first.startswith(b"\x89HDF\r\n\x1a\n"):
        return "is an HDF5 file, which can hold functions, as Keras writes them"
    if first[257:262] == b"ustar":
        return "is a tar archive, which is not looked into"
    return next(
        (
            f"is a file of {kind}, which is not looked into"
            for start, kind in _NOT_LOOKED_INTO.items()
            if first.startswith(start)
        ),
        "",
    )


def _is_pickle(first: bytes) -> bool:
    """Whether it begins as a pickle: with the protocol and two more instructions; or, in protocols 0 and 1, if all of it are
    instructions, and one of them names code."""
    has_protocol = len(first) > 1 and first[0] == 0x80 and 2 <= first[1] <= 5
    named: set[str] = set()
    try:
        for operation, _, _ in islice(pickletools.genops(first), 3 if has_protocol else None):
            named.add(operation.name)
    except ValueError as error:
        return has_protocol and "unknown" not in str(error)  # another file may begin with the same two bytes
    return has_protocol or not named.isdisjoint(_NAMES_CODE)


def _opened(first: bytes) -> bytes:
    """The beginning of what is compressed; empty if nothing is."""
    for starts, opener in _OPENED:
        if first.startswith(starts):
            try:
                return opener().decompress(first, _FIRST)
            except (OSError, ValueError, zlib.error, lzma.LZMAError, EOFError):
                return b""  # it only begins so
    return b""


def _in_archive(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                with archive.open(member) as file:
                    first = file.read(_FIRST)
                if first.startswith(b"PK\x03\x04"):
                    return f"has the archive {member.filename} in it, which is not looked into"
                if member.filename.lower().endswith(_CODE) or first.startswith(_ELF):
                    return f"has code in it, {member.filename}"
                if problem := _at_the_beginning(_opened(first)) or _at_the_beginning(first):
                    return f"has a file in it, {member.filename}, that {problem}"
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, zlib.error, EOFError) as error:
        return f"is a zip file that cannot be read ({error})"
    return ""
