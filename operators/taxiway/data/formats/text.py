"""Decompress and decode text files to plain UTF-8."""

import codecs
import gzip
import zlib
from pathlib import Path
from typing import IO

from taxiway.data.engine.storage_errors import LFS_PROBLEM, is_lfs_pointer
from taxiway.errors import DataError

DECODED = "text"
"""The name of the decoded file in its folder."""
_CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BINARY = {b"PAR1": "Parquet", b"PK\x03\x04": "a ZIP archive or an Excel file", b"\x28\xb5\x2f\xfd": "compressed by zstd"}
# UTF-32 first: its mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class NotTextError(Exception):
    """Bytes that were taken to be UTF-8 are not, or have a NUL; `decode` says where."""


def may_be_utf8(path: Path, encoding: str | None) -> bool:
    """Whether a file can be read as it is if all its bytes are UTF-8: it is not compressed, and has no byte order mark."""
    with path.open("rb") as raw:
        start = raw.read(4)
    marks = (_GZIP_MAGIC, *_BINARY, *(mark for mark, _ in _MARKS))
    return start != b"" and not start.startswith(marks) and codecs.lookup(encoding or "utf-8").name == "utf-8"


def decode(path: Path, folder: Path, data_name: str, encoding: str | None = None) -> Path:
    """Write a text file as UTF-8 without a byte order mark.

    Args:
        path: The file, which may be compressed with gzip.
        folder: Where to write the decoded file.
        data_name: The name of the file in errors.
        encoding: The encoding; None for UTF-8, or what a byte order mark declares.

    Returns:
        The decoded file.

    Raises:
        DataError: The file is truncated, is not in the encoding, or has a NUL byte.
    """
    if is_lfs_pointer(path):
        raise DataError(f"{data_name} {LFS_PROBLEM}")
    text = folder / DECODED
    with path.open("rb") as raw, text.open("wb") as out:
        _decode(raw, out, data_name, encoding)
    return text


def _decode(raw: IO[bytes], out: IO[bytes], data_name: str, given: str | None) -> None:
    start = raw.read(4)
    raw.seek(0)
    if not start:
        raise DataError(f"{data_name} is empty (0 bytes); write it again at the source")
    if start in _BINARY:
        raise DataError(f"{data_name} is not text: it is {_BINARY[start]}; allowed: text, or text compressed by gzip")
    compressed = start.startswith(_GZIP_MAGIC)
    stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if compressed else raw  # type: ignore[assignment]
    try:
        head = stream.read(_CHUNK_BYTES)
        mark, encoding = next(((m, e) for m, e in _MARKS if head.startswith(m)), (b"", "utf-8"))
        if given is not None:
            mark, encoding = mark if codecs.lookup(given).name == encoding else b"", given
        decoder = codecs.getincrementaldecoder(encoding)()
        chunk, lines = head[len(mark) :], 0
        while chunk:
            lines += _write(decoder, chunk, out, data_name, lines)
            chunk = stream.read(_CHUNK_BYTES)
        _write(decoder, b"", out, data_name, lines)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        if not compressed:
            raise
        raise DataError(f"{data_name} is truncated or corrupt: gzip reports {error}; write it again at the source") from None


def _write(decoder: codecs.IncrementalDecoder, chunk: bytes, out: IO[bytes], data_name: str, lines: int) -> int:
    """Decode a chunk (an empty one is the last) and write it; returns the number of line breaks in it."""
    try:
        text = decoder.decode(chunk, final=not chunk)
    except UnicodeError as error:
        if not isinstance(error, UnicodeDecodeError):
            raise DataError(f"{data_name} cannot be decoded: {error}; correct csv.encoding") from None
        good = error.object[: error.start].decode(error.encoding, "replace")
        got = error.object[error.start : error.start + 4]
        # Windows writes signs such as the euro where Latin-1 has control characters.
        likely = "cp1252" if 0x80 <= got[0] < 0xA0 else "latin-1"
        raise DataError(
            f"{data_name}:{lines + good.count(chr(10)) + 1}: the bytes {got!r} are not {error.encoding.upper()}; allowed: UTF-8, or UTF-16 "
            "with a byte order mark. Write UTF-8 at the source, convert it: iconv -f ENCODING -t UTF-8, or give the encoding of CSV: "
            f"csv: {{encoding: {likely}}}, or the option --csv encoding={likely}"
        ) from None
    if "\0" in text:
        line = lines + text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{data_name}:{line}: a NUL byte; allowed: text. It may be UTF-16 without a byte order mark, or an incomplete "
            "file; write UTF-8 at the source"
        )
    out.write(text.encode())
    return text.count("\n")
