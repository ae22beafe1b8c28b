"""Errors of the storage that holds files, as errors of Taxiway."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.errors import ConfigError, TaxiwayError, TransientError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_LIBRARIES = ("aiobotocore", "aiohttp", "azure", "botocore", "ftplib", "gcsfs", "google", "paramiko", "s3fs")
_LFS_POINTER = b"version https://git-lfs"
LFS_PROBLEM = "is a pointer of Git LFS to a file that is not here; fetch it with: git lfs pull"
"""What is wrong with a file that `is_lfs_pointer`."""


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file only names the file that Git LFS would put in its place."""
    with path.open("rb") as stream:
        return stream.read(len(_LFS_POINTER)) == _LFS_POINTER


def file_system(url: str) -> "tuple[AbstractFileSystem, str]":
    """The file system of a path or URL, and the path as this file system writes it.

    Args:
        url: The path or URL; it may be a pattern.

    Raises:
        ConfigError: The file system is unknown or not installed.
        TransientError: Its server does not answer: some file systems connect at once.
    """
    import fsspec

    try:
        with storage_errors(url):
            fs, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise ConfigError(
            f"{url} cannot be opened: {error}; allowed: a path, or a URL of an installed fsspec file system"
        ) from None
    return fs, root


@contextmanager
def storage_errors(data_name: str) -> Iterator[None]:
    """Raise an error of the storage that holds `what`, such as missing credentials for S3, as a TransientError.

    Args:
        data_name: How the message names the data: `the source s3://bucket/{YYYY}.parquet`.

    Raises:
        TransientError: The storage library, or the operating system, reported an error.
    """
    try:
        yield
    except TaxiwayError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in _LIBRARIES:
            raise
        raise TransientError(
            f"{data_name} cannot be read ({type(error).__name__}: {error}); check its address, and the credentials and network of this "
            "machine"
        ) from error
