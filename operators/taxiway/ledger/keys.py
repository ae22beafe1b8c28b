"""The keys of an installation, with which entries of the ledger are signed: HMAC-SHA256.

Whoever has a key can promote models and decide, so MLflow and its database never see one. The gateway verifies with the same keys.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from taxiway.errors import ConfigError

VARIABLE = "TAXIWAY_LEDGER_KEYS"
"""The environment variable of the keys outside of Airflow."""
_MIN_CHARACTERS = 32
_BETWEEN = re.compile(r"[,\s]+")
_ID_BYTES = 4


@dataclass(frozen=True)
class LedgerKeys:
    """The keys of an installation.

    Attributes:
        keys: The keys. New entries are signed with the first one; signatures of the others stay valid. Without a key, entries are not
            signed, and every entry counts as valid.
    """

    keys: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, text: str) -> "LedgerKeys":
        """Read keys that are separated by commas, spaces or line ends.

        Raises:
            ConfigError: A key is too short.
        """
        keys = tuple(key for key in _BETWEEN.split(text.strip()) if key)
        short = next((at for at, key in enumerate(keys, 1) if len(key) < _MIN_CHARACTERS), None)
        if short is not None:
            raise ConfigError(
                f"key {short} of the ledger has {len(keys[short - 1])} characters; required: at least {_MIN_CHARACTERS}. "
                "`taxiway ledger new-key` makes one",
                key="ledger_keys",
            )
        return cls(keys)

    def __bool__(self) -> bool:
        """Whether there is a key."""
        return bool(self.keys)

    @property
    def text(self) -> str:
        """The keys as `parse` reads them."""
        return ",".join(self.keys)

    def rotated(self) -> "LedgerKeys":
        """With a new first key."""
        return LedgerKeys((new_key(), *self.keys))

    def sign(self, text: str) -> str | None:
        """The signature of a text, `KEY_ID:HEX`; None without a key."""
        return _signature(self.keys[0], text) if self.keys else None

    def knows(self, signature: str) -> bool:
        """Whether a signature says that it was made with one of the keys."""
        return signature.partition(":")[0] in {_key_id(key) for key in self.keys}

    def verifies(self, text: str, signature: str | None) -> bool:
        """Whether a signature of a text was made with one of the keys; always true without a key."""
        if not self.keys:
            return True
        signatures: Iterable[str] = (_signature(key, text) for key in self.keys)
        return signature is not None and any(
            hmac.compare_digest(expected.encode(), signature.encode()) for expected in signatures
        )


def new_key() -> str:
    """Make a key, of characters that need no escaping in environment files."""
    return secrets.token_urlsafe(32)


def _key_id(key: str) -> str:
    return blake2b(key.encode(), digest_size=_ID_BYTES, person=b"taxiway-key").hexdigest()


def _signature(key: str, text: str) -> str:
    return f"{_key_id(key)}:{hmac.digest(key.encode(), text.encode(), 'sha256').hex()}"
