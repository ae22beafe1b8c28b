"""Where a gateway's request log is written as Parquet files, and what of it.

The gateway stores it in its state folder when it starts, so that `taxiway log roll` does not write another folder, or columns that are
to be left out.
"""

import os
import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taxiway.errors import ConfigError

FILE = "roll-settings.json"
KEY_FILE = "hash.key"
_KEY_BYTES = 32


class RollSettings(BaseModel):
    """How a request log is written to Parquet files.

    Attributes:
        folder: The folder of the files.
        settle_s: A request that a challenger has not answered is written after so many seconds.
        keep_days: How many days of files to keep; None for all.
        omit_columns: The input columns that are not written.
        hash_columns: The input columns of which a keyed hash is written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
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
        raise ConfigError(
            f"{state} is not the state folder of a gateway that has been started; name it: --state FOLDER"
        ) from None
    except (OSError, ValidationError) as error:
        why = "its content is not that of settings" if isinstance(error, ValidationError) else str(error)
        raise ConfigError(f"{state / FILE} cannot be read ({why}); restart the gateway, which writes it") from None


def hash_key(state: Path) -> bytes:
    """The key of the hashes, made by the first call: equal values have equal hashes, which cannot be guessed without it.

    Raises:
        ConfigError: The file has no key.
    """
    path = state / KEY_FILE
    if not path.exists():
        temporary = state / f"{KEY_FILE}.partial"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise ConfigError(
            f"{path} is not a key of {_KEY_BYTES} bytes; restore it from a backup: with another key, equal values get other hashes"
        )
    return key
