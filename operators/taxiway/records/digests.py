"""Digests: the names by which rows, files and records are known.

blake2b with 16 bytes, in hex: 32 characters, because MLflow refuses dataset digests of more than 36.
"""

from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

DIGEST_BYTES = 16
_CHUNK_BYTES = 1 << 20


def digest_of_bytes(content: bytes) -> str:
    """The digest of `content`, 32 hex characters."""
    return blake2b(content, digest_size=DIGEST_BYTES).hexdigest()


def digest_of_stream(stream: BinaryIO) -> str:
    """The digest of what is left in `stream`, read in chunks of 1 MiB."""
    state = blake2b(digest_size=DIGEST_BYTES)
    while chunk := stream.read(_CHUNK_BYTES):
        state.update(chunk)
    return state.hexdigest()


def digest_of_file(path: Path) -> str:
    """The digest of a local file's content; its name and its times do not count."""
    with path.open("rb") as stream:
        return digest_of_stream(stream)


def digest_of_folder(folder: Path) -> str:
    """The digest of all files in a folder: their names and contents."""
    state = blake2b(digest_size=DIGEST_BYTES)
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        with path.open("rb") as file:
            state.update(f"{path.relative_to(folder)}\0{digest_of_stream(file)}\n".encode())
    return state.hexdigest()
