"""Text files as plain UTF-8: decompressed, decoded, and without what no table's text holds. What the text says is not asked here."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from taxiway.errors import DataError

_CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BINARY = {b"PAR1": "Parquet", b"PK\x03\x04": "a ZIP archive or an Excel file", b"\x28\xb5\x2f\xfd": "compressed by zstd"}
# UTF-32's mark begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@contextmanager
def decoded(path: Path, folder: Path, what: str) -> Iterator[Path]:
    """The text of `path` as a UTF-8 file in `folder`, without a byte order mark; good within the block.

    Raises DataError where the compressed file is cut off, the bytes are not UTF-8 (or UTF-16 or UTF-32 with a byte order mark),
    or a NUL byte is in it: `what` names the file, and its line is told.
    """
    text = folder / "text"
    try:
        with path.open("rb") as raw, text.open("wb") as out:
            _decode(raw, out, what)
        yield text
    finally:
        text.unlink(missing_ok=True)


def _decode(raw: IO[bytes], out: IO[bytes], what: str) -> None:
    start = raw.read(4)
    raw.seek(0)
    if not start:
        raise DataError(f"{what} is empty (0 bytes); have the source write it again")
    if start in _BINARY:
        raise DataError(f"{what} is no text: it is {_BINARY[start]}; allowed: text, or text compressed by gzip")
    compressed = start.startswith(_GZIP_MAGIC)
    stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if compressed else raw  # type: ignore[assignment]
    try:
        head = stream.read(_CHUNK_BYTES)
        mark, encoding = next(((m, e) for m, e in _MARKS if head.startswith(m)), (b"", "utf-8"))
        decoder = codecs.getincrementaldecoder(encoding)()
        chunk, lines = head[len(mark) :], 0
        while chunk:
            lines += _write(decoder, chunk, out, what, lines)
            chunk = stream.read(_CHUNK_BYTES)
        _write(decoder, b"", out, what, lines)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        if not compressed:
            raise
        raise DataError(
            f"{what} is cut off or broken: its gzip data end with {error}; have the source write it again"
        ) from None


def _write(decoder: codecs.IncrementalDecoder, chunk: bytes, out: IO[bytes], what: str, lines: int) -> int:
    """Decode a chunk, the last one where it is empty; returns how many lines end in it."""
    try:
        text = decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        good = error.object[: error.start].decode(error.encoding, "replace")
        got = error.object[error.start : error.start + 4]
        raise DataError(
            f"{what}:{lines + good.count(chr(10)) + 1}: the bytes {got!r} are not {error.encoding.upper()}; allowed: UTF-8, or UTF-16 "
            "with a byte order mark. Have the source write UTF-8, or convert it: iconv -f WHAT_IT_IS -t UTF-8"
        ) from None
    if "\0" in text:
        line = lines + text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{what}:{line}: a NUL byte; allowed: text. It may be UTF-16 without a byte order mark, or a file that was not "
            "written to its end; have the source write UTF-8"
        )
    out.write(text.encode())
    return text.count("\n")
