"""Where a gateway's request log is written as Parquet files, and what of it.

The gateway stores it in its state folder when it starts, so that `taxiway log roll` does not write another folder, or columns that are
to be left out.
"""

import contextlib
import os
import secrets
from pathlib import Path

from pydantic import Field, ValidationError

from taxiway.errors import ConfigError
from taxiway.messages import invalid_text
from taxiway.records.base import FrozenModel
from taxiway.records.digests import digest_of_bytes
from taxiway.serving.gateway.rolling.access import make_folder
from taxiway.serving.gateway.state.request_log import FILE as REQUESTS

FILE = "roll-settings.json"
KEY_FILE = "hash.key"
KEY_DIGEST_FILE = "hash-key-digest"
_KEY_BYTES = 32


class RollSettings(FrozenModel):
    """How a request log is written to Parquet files.

    Attributes:
        folder: The folder of the files.
        settle_s: A request that a challenger has not answered is written after so many seconds.
        keep_days: How many days of files to keep; None for all.
        omit_columns: The input columns that are not written.
        hash_columns: The input columns of which a keyed hash is written.
    """

    folder: Path
    settle_s: float = Field(default=600.0, ge=0)
    keep_days: int | None = Field(default=None, ge=1)
    omit_columns: tuple[str, ...] = ()
    hash_columns: tuple[str, ...] = ()


def store_settings(state: Path, settings: RollSettings) -> None:
    """Store the settings in a state folder."""
    temporary = state / f"{FILE}.partial"
    temporary.write_text(settings.model_dump_json(indent=2))
    temporary.replace(state / FILE)


def read_settings(state: Path) -> RollSettings:
    """The settings in a state folder.

    Raises:
        ConfigError: No gateway has used the folder, or the file cannot be read.
    """
    try:
        return RollSettings.model_validate_json((state / FILE).read_bytes())
    except FileNotFoundError:
        if (state / REQUESTS).exists():
            raise ConfigError(f"{state / FILE} is missing; restart the gateway, which writes it") from None
        raise ConfigError(
            f"{state} is not the state folder of a gateway that has been started; name it: --state FOLDER"
        ) from None
    except (OSError, ValidationError) as error:
        why = invalid_text(error) if isinstance(error, ValidationError) else str(error)
        raise ConfigError(f"{state / FILE} cannot be read ({why}); restart the gateway, which writes it") from None


def _write_new(path: Path, content: bytes) -> None:
    """Write a file, unless another process does so at the same time."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()


def hash_key(state: Path, folder: Path) -> bytes:
    """The key of the hashes, made by the first call: equal values have equal hashes, which cannot be guessed without it.

    The folder of the files has the digest of the key that its hashes were made with, so that no other key is used by mistake.

    Args:
        state: The state folder.
        folder: The folder of the Parquet files.

    Raises:
        ConfigError: The file has no key, is missing, or has another key than that of the hashes in `folder`.
    """
    path, used = state / KEY_FILE, folder / KEY_DIGEST_FILE
    if not path.exists() and not used.exists():
        _write_new(path, secrets.token_bytes(_KEY_BYTES))
    key = path.read_bytes() if path.exists() else b""
    if len(key) != _KEY_BYTES or (used.exists() and used.read_text() != digest_of_bytes(key)):
        state_of = "is missing" if not key else "is not the key with which the files were hashed"
        raise ConfigError(
            f"{path} {state_of}: {used} is of another one. Restore the key from a backup, or copy it from the other gateway that writes to "
            f"{folder}. To go on with another key, with which equal values get other hashes from now on, give the gateway another log folder"
        )
    if not used.exists():
        make_folder(folder, folder)
        _write_new(used, digest_of_bytes(key).encode())
    return key
