"""The folder of an embedded stack: where its data, logs and secrets are kept."""

import json
import os
import re
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from taxiway.errors import ConfigError

# PostgreSQL's tools, the addresses of databases and Airflow's configuration each read some other character as their own.
_UNUSABLE = re.compile(r"[^\w./@,:=-]")


@dataclass(frozen=True)
class Secrets:
    """Made once a home, kept readable by its owner alone."""

    airflow_password: str
    airflow_jwt_secret: str
    airflow_fernet_key: str
    gateway_caller_token: str
    gateway_admin_token: str


@dataclass(frozen=True)
class StackDir:
    """Paths below one folder. `root` is absolute."""

    root: Path

    @classmethod
    def at(cls, folder: Path) -> "StackDir":
        """The home in `folder`, made if there is none."""
        home = cls(folder.resolve())
        unusable = _UNUSABLE.search(str(home.root))
        if unusable:
            raise ConfigError(
                f'a stack cannot live in {home.root}: the path holds "{unusable[0]}"; '
                "allowed are letters, digits and ./_-@,:= ; give another folder: --home FOLDER"
            )
        home.root.mkdir(parents=True, exist_ok=True)
        for path in (home.logs, home.airflow, home.data, home.store, home.artifacts, home.gateway):
            path.mkdir(mode=0o700, exist_ok=True)
        for path in (home.logs, home.gateway):  # also where they were made by somebody else: requests and settings are private
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
    def passwords_file(self) -> Path:
        return self.airflow / "passwords.json"

    @property
    def running_file(self) -> Path:
        """Names the supervisor of the stack that runs here, while it runs."""
        return self.root / "running.json"

    def secrets(self) -> Secrets:
        """This home's secrets, made at the first call."""
        path = self.root / "secrets.json"
        if not path.exists():
            _write_private(path, json.dumps(asdict(new_secrets())))
        try:
            found = Secrets(**json.loads(path.read_text()))
        except (TypeError, json.JSONDecodeError) as error:
            raise ConfigError(f"{path} is not what `taxiway up` wrote: {error}; delete it and start again") from error
        self._let_in("admin", found.airflow_password)
        return found

    def _let_in(self, user: str, password: str) -> None:
        """Write a password to where Airflow looks it up, beside those of users that Airflow made passwords for."""
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
    """Fresh ones, in characters that addresses and environment files take as they are."""
    import base64

    return Secrets(
        airflow_password=secrets.token_urlsafe(12),
        airflow_jwt_secret=secrets.token_urlsafe(48),
        airflow_fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        gateway_caller_token=secrets.token_urlsafe(24),
        gateway_admin_token=secrets.token_urlsafe(24),
    )


def _write_private(path: Path, text: str) -> None:
    beside = path.with_suffix(".beside")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
