"""Errors of the libraries that read remote storage, as errors of Taxiway."""

from collections.abc import Iterator
from contextlib import contextmanager

from taxiway.errors import TaxiwayError, TransientError

_LIBRARIES = ("aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "s3fs")


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Raise an error of the storage that holds `what`, such as missing credentials for S3, as a TransientError.

    Args:
        what: How the message names the data: `the source s3://bucket/{YYYY}.parquet`.

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
            f"{what} cannot be read ({type(error).__name__}: {error}); check its address, and the credentials and network of this "
            "machine"
        ) from error
