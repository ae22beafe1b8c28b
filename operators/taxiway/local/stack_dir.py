"""The folder of an embedded stack, with its data, logs and secrets."""

import fcntl
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from taxiway.errors import ConfigError
from taxiway.ledger.keys import LedgerKeys, new_key

# Other characters have a meaning in PostgreSQL's tools, database URLs or Airflow's configuration.
_UNUSABLE = re.compile(r"[^\w./@,:=-]")


DEFAULT_STACK_HOME = Path(".taxiway")
"""Where a stack is kept unless another folder is given, below the working directory."""


@dataclass(frozen=True)
class Secrets:
    """The passwords and tokens of a stack, created once and readable by their owner only."""

    airflow_password: str
    airflow_jwt_secret: str
    airflow_fernet_key: str
    gateway_caller_token: str
    gateway_admin_token: str
    ledger_keys: str


@dataclass(frozen=True)
class StackDir:
    """The paths in the folder of a stack; `root` is absolute."""

    root: Path

    @classmethod
    def at(cls, folder: Path) -> "StackDir":
        """Open the folder of a stack; it is created if needed.

        Raises:
            ConfigError: Its path has characters that the services cannot use.
        """
        home = cls(folder.resolve())
        unusable = _UNUSABLE.search(str(home.root))
        if unusable:
            raise ConfigError(
                f'{home.root} cannot be the folder of a stack: its path contains "{unusable[0]}"; '
                "allowed: letters, digits and ./_-@,:= ; give another folder: --home FOLDER"
            )
        home.root.mkdir(parents=True, exist_ok=True)
        for path in (home.logs, home.airflow, home.data, home.store, home.artifacts, home.gateway, home.request_log):
            path.mkdir(mode=0o700, exist_ok=True)
        for path in (
            home.logs,
            home.gateway,
            home.request_log,
        ):  # even if they existed before: requests and settings are private
            path.chmod(0o700)
        return home

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def airflow(self) -> Path:
        return self.root / "airflow"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def gateway(self) -> Path:
        return self.root / "gateway"

    @property
    def request_log(self) -> Path:
        """The Parquet files of the gateway's request log, where pipelines find them: `{data}/request-log`."""
        return self.data / "request-log"

    @property
    def passwords_file(self) -> Path:
        return self.airflow / "passwords.json"

    @property
    def running_file(self) -> Path:
        """Names the supervisor while a stack runs here."""
        return self.root / "running.json"

    def secrets(self) -> Secrets:
        """The secrets of the stack, created at the first call.

        Raises:
            ConfigError: The file of the secrets is damaged.
        """
        with self._locked_secrets():
            found = self._read_secrets(self.root / "secrets.json")
        self._set_password("admin", found.airflow_password)
        return found

    @contextmanager
    def _locked_secrets(self) -> Iterator[None]:
        """Within this block, no other process makes or changes the secrets."""
        with os.fdopen(os.open(self.root / "secrets.lock", os.O_WRONLY | os.O_CREAT, 0o600), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read_secrets(self, path: Path) -> Secrets:
        if not path.exists():
            _write_private(path, json.dumps(asdict(new_secrets())))
        try:
            known = json.loads(path.read_text())
            found = Secrets(**{"ledger_keys": new_key(), **known})
        except (TypeError, json.JSONDecodeError) as error:
            raise ConfigError(f"{path} is damaged ({error}); delete it and start the stack again") from error
        if "ledger_keys" not in known:  # of a stack that is older than the signing of the ledger
            self.unsigned_file.touch()
            _write_private(path, json.dumps(asdict(found)))
        return found

    @property
    def unsigned_file(self) -> Path:
        """Is there while the ledger has promotions that are older than the stack's keys."""
        return self.root / "ledger.unsigned"

    def rotate_ledger_key(self) -> None:
        """Put a new key before those that sign the ledger; the old ones stay valid for what they have signed."""
        path = self.root / "secrets.json"
        with self._locked_secrets():
            known = self._read_secrets(path)
            rotated = replace(known, ledger_keys=LedgerKeys.parse(known.ledger_keys).rotated().text)
            _write_private(path, json.dumps(asdict(rotated)))

    def _set_password(self, user: str, password: str) -> None:
        """Write a password into Airflow's password file, and keep those of other users."""
        try:
            known = dict(json.loads(self.passwords_file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            known = {}
        if known.get(user) != password:
            _write_private(self.passwords_file, json.dumps({**known, user: password}))

    @property
    def ports_file(self) -> Path:
        return self.root / "ports.json"


def new_secrets() -> Secrets:
    """Create new secrets, of characters that need no escaping in URLs and environment files."""
    import base64

    return Secrets(
        airflow_password=secrets.token_urlsafe(12),
        airflow_jwt_secret=secrets.token_urlsafe(48),
        airflow_fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        gateway_caller_token=secrets.token_urlsafe(24),
        gateway_admin_token=secrets.token_urlsafe(24),
        ledger_keys=new_key(),
    )


def _write_private(path: Path, text: str) -> None:
    beside = path.with_suffix(".beside")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
