"""Which files of a model are data: those that the usual loaders cannot be made to run code by."""

import bz2
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from taxiway.models.pickles import is_pickle

MAX_BYTES = 1 << 30
"""The size of all files of a model together, and of each when it is decompressed."""
_CODE = (".dll", ".dylib", ".py", ".pyc", ".pyd", ".pyo", ".so")
_ELF = b"\x7fELF"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_AT = (0, *(512 << n for n in range(20)))  # where the format allows its signature
_NOT_LOOKED_INTO = {b"\x04\x22\x4d\x18": "LZ4", b"\x28\xb5\x2f\xfd": "Zstandard", b"7z\xbc\xaf": "7z", b"Rar!": "RAR"}
_OPENED: tuple[tuple[bytes, bool, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", True, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16)),
    (b"BZh", True, bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", True, lzma.LZMADecompressor),
    (b"x", False, zlib.decompressobj),
    (b"]", False, lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)),
)
"""How compressed files begin, whether no text begins so, and what opens them: all that joblib opens but LZ4."""
_STEP_BYTES = 1 << 16


def code_in(name: str, content: bytes) -> str:
    """Why a file is not data; empty if it is.

    Pickles are recognized by their instructions, also compressed as joblib writes them, in zip files as PyTorch writes them, and as
    NumPy's arrays of objects. Keras's and other HDF5 files are refused, because they can hold functions.

    Args:
        name: The file's name.
        content: Its content.
    """
    if name.lower().endswith(_CODE) or content.startswith(_ELF):
        return "is code"
    try:
        return _in_archive(content) or _problem_of_compressed(content) or _plain(content)
    except _TooLargeError:
        return f"is more than {MAX_BYTES:,} bytes when it is decompressed"


class _TooLargeError(Exception):
    pass


def _plain(content: bytes) -> str:
    """Why a file that is not compressed is not data."""
    if is_pickle(content):
        return "is a pickle, which can run any code when it is read"
    if content.startswith(b"\x93NUMPY"):
        return _in_array(content)
    if any(content.startswith(_HDF5, at) for at in _HDF5_AT):
        return "is an HDF5 file, which can hold functions, as Keras writes them"
    if content[257:262] == b"ustar":
        return "is a tar archive, which is not looked into"
    kind = next((kind for start, kind in _NOT_LOOKED_INTO.items() if content.startswith(start)), None)
    if _is_old_joblib(content):
        kind = "an old joblib"
    return f"is a file of {kind}, which is not looked into" if kind else ""


def _in_array(content: bytes) -> str:
    """Why a NumPy file is not data."""
    from numpy.lib import format as npy

    try:
        stream = io.BytesIO(content)
        reader = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
        has_objects = reader(stream)[2].hasobject
    except Exception as error:  # the header is a Python expression, whose parser raises many errors
        return f"is a NumPy array whose header cannot be read ({type(error).__name__})"
    return "is a NumPy array of objects, which are pickles" if has_objects else ""


def _is_old_joblib(content: bytes) -> bool:
    """Whether it begins as compressed files of joblib before 0.10: with the length in 19 characters."""
    try:
        return content.startswith(b"ZF") and int(content[2:21], 16) >= 0
    except ValueError:
        return False


def _problem_of_compressed(content: bytes) -> str:
    """Why a compressed file is not data; also empty if it is not compressed."""
    for start, is_certain, opener in _OPENED:
        if content.startswith(start):
            opened, is_whole = _decompress(content, opener)
            if is_certain and opened and not is_whole:
                return "is a compressed file that is damaged"
            return (_in_archive(opened) or _plain(opened)) if opened else ""
    return ""


def _decompress(content: bytes, opener: Callable[[], Any]) -> tuple[bytes, bool]:
    """What is decompressed before the end or an error, of one stream after the other, and whether the last stream is whole.

    Raises:
        _TooLargeError: It is more than `MAX_BYTES`.
    """
    opened = bytearray()
    position, end = 0, len(content.rstrip(b"\0"))  # files may be padded with zeros
    while position < end:
        stream, before = opener(), len(opened)
        try:
            while not stream.eof:
                given = getattr(stream, "unconsumed_tail", b"")
                if not given and getattr(stream, "needs_input", True):
                    given = content[position : position + _STEP_BYTES]
                    position += len(given)
                made = stream.decompress(given, _STEP_BYTES)
                if not made and not given and not stream.eof:
                    return bytes(opened), False
                opened += made
                if len(opened) > MAX_BYTES:
                    raise _TooLargeError
        except (OSError, ValueError, EOFError, zlib.error, lzma.LZMAError, MemoryError):
            return bytes(opened), 0 < before == len(opened)  # what follows a stream need not be another
        position -= len(stream.unused_data)
    return bytes(opened), True


def _in_archive(content: bytes) -> str:
    """Why a zip file is not data; also empty if it is none."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return ""
    left = MAX_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                with archive.open(member) as file:
                    inner = file.read(left + 1)
                left -= len(inner)
                if left < 0:
                    raise _TooLargeError
                if inner.startswith(b"PK\x03\x04") or zipfile.is_zipfile(io.BytesIO(inner)):
                    return f"has the archive {member.filename} in it, which is not looked into"
                if member.filename.lower().endswith(_CODE) or inner.startswith(_ELF):
                    return f"has code in it, {member.filename}"
                if problem := _problem_of_compressed(inner) or _plain(inner):
                    return f"has a file in it, {member.filename}, that {problem}"
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
    ) as error:
        return f"is a zip file that cannot be read ({error})"
    return ""
