"""The named callers of a gateway: what each may call, how much, and the hashes of its tokens.

They are kept in a file of the gateway's state folder, which `taxiway caller` changes and a running gateway reads again.
"""

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from taxiway.errors import ConfigError
from taxiway.messages import invalid_text, listed, quoted
from taxiway.records.base import FrozenModel

FILE = "callers.json"
TOKEN_PREFIX = "txw_"
MAX_DECIMALS = 15
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED_NAMES = ("admin", "caller")
"""The names of the two callers whose tokens are in the environment of the gateway."""


class Scope(StrEnum):
    """What a caller may do; every caller may read the status of its models."""

    PREDICT = "predict"
    EXPLAIN = "explain"
    FEEDBACK = "feedback"
    METRICS = "metrics"
    ADMIN = "admin"


class Token(FrozenModel):
    """A token of a caller.

    Attributes:
        digest: Its SHA-256. Tokens have 256 random bits, so no slow hash is needed.
        valid_until: When it ends; None if it does not.
    """

    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    valid_until: datetime | None = None


class Caller(FrozenModel):
    """A caller of a gateway.

    Attributes:
        name: Its name, in the request log and in metrics.
        scopes: What it may do.
        models: The models that it may call; empty for all.
        tokens: Its valid tokens: one, or two after a rotation.
        created_at: When it was added.
        requests_per_s: How many predictions it may request per second, on average; None for no limit.
        rows_per_day: How many rows it may send per day in UTC; None for no limit.
        decimals: To how many decimals its scores are rounded; None for full precision.
    """

    name: str
    scopes: tuple[Scope, ...] = (Scope.PREDICT,)
    models: tuple[str, ...] = ()
    tokens: tuple[Token, ...] = ()
    created_at: datetime | None = None
    requests_per_s: float | None = Field(default=None, gt=0)
    rows_per_day: int | None = Field(default=None, ge=1)
    decimals: int | None = Field(default=None, ge=0, le=MAX_DECIMALS)

    @property
    def role(self) -> str:
        """`admin` if it may change what is served, otherwise `caller`."""
        return "admin" if Scope.ADMIN in self.scopes else "caller"

    def may(self, scope: Scope) -> bool:
        """Whether it has a scope; an admin has all."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def may_call(self, model: str) -> bool:
        """Whether it may use a model."""
        return not self.models or model in self.models


_CALLERS = TypeAdapter(tuple[Caller, ...])


def digest_of_token(token: bytes) -> str:
    """The SHA-256 of a token, under which it is stored."""
    return hashlib.sha256(token).hexdigest()


def new_token() -> str:
    """A token with 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def read_callers(folder: Path) -> tuple[Caller, ...]:
    """The callers in a state folder; none if there is no file.

    Raises:
        ConfigError: The file cannot be read.
    """
    path = folder / FILE
    try:
        return _CALLERS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        why = invalid_text(error) if isinstance(error, ValidationError) else str(error)
        raise ConfigError(
            f"{path} cannot be read ({why}); restore it from a backup, or remove it and add the callers again"
        ) from None


def add_caller(folder: Path, caller: Caller) -> str:
    """Add a caller; returns its token, which cannot be read again.

    Raises:
        ConfigError: The name is not valid or is in use.
    """
    if _NAME.fullmatch(caller.name) is None or caller.name in RESERVED_NAMES:
        raise ConfigError(
            f"{quoted(caller.name)} is not a name for a caller; allowed: 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter "
            f"or digit, and not {' or '.join(RESERVED_NAMES)}"
        )
    token = new_token()

    def add(known: dict[str, Caller]) -> None:
        if caller.name in known:
            raise ConfigError(
                f"the caller {caller.name} exists already; for a new token: taxiway caller rotate {caller.name}; to change it, revoke it first"
            )
        known[caller.name] = caller.model_copy(update={"tokens": (Token(digest=digest_of_token(token.encode())),)})

    _change(folder, add)
    return token


def rotate_token(folder: Path, name: str, now: datetime, old_valid_until: datetime) -> str:
    """Give a caller a new token; returns it.

    Args:
        folder: The state folder.
        name: The caller.
        now: The time; tokens that have ended are dropped.
        old_valid_until: When its present tokens end, unless they end earlier.

    Raises:
        ConfigError: There is no such caller.
    """
    token = new_token()

    def rotate(known: dict[str, Caller]) -> None:
        caller = _known(known, name)
        ends = [min(filter(None, (old.valid_until, old_valid_until))) for old in caller.tokens]
        kept = tuple(
            Token(digest=old.digest, valid_until=end) for old, end in zip(caller.tokens, ends, strict=True) if end > now
        )
        fresh = Token(digest=digest_of_token(token.encode()))
        known[name] = caller.model_copy(update={"tokens": (*kept, fresh)})

    _change(folder, rotate)
    return token


def revoke_caller(folder: Path, name: str) -> None:
    """Remove a caller with all its tokens.

    Raises:
        ConfigError: There is no such caller.
    """

    def revoke(known: dict[str, Caller]) -> None:
        del known[_known(known, name).name]

    _change(folder, revoke)


def _known(known: Mapping[str, Caller], name: str) -> Caller:
    if name not in known:
        raise ConfigError(f"there is no caller {quoted(name)}; known: {listed(sorted(known)) or 'none'}")
    return known[name]


def _change(folder: Path, change: Callable[[dict[str, Caller]], None]) -> None:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder; give the state folder of the gateway: --state FOLDER")
    with _locked(folder):
        known = {caller.name: caller for caller in read_callers(folder)}
        change(known)
        temporary = folder / f"{FILE}.partial"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_CALLERS.dump_json(tuple(known.values()), indent=2))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / FILE)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One change at a time; the lock of the gateway itself is another file."""
    with (folder / f"{FILE}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
