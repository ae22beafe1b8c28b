"""Airflow's `[taxiway]` section: the settings of the installation for all pipelines."""

import re
from typing import TYPE_CHECKING

from airflow.sdk import conf

from taxiway.errors import ConfigError
from taxiway.store import Store

if TYPE_CHECKING:
    from taxiway.ledger.keys import LedgerKeys

_SAME_HOST = "LocalExecutor"

POLL_SECONDS = 10.0


def setting(name: str) -> str:
    """A required setting of the `[taxiway]` section.

    Raises:
        ConfigError: It is not set.
    """
    value = conf.get("taxiway", name, fallback="")
    if not value:
        raise ConfigError(
            f"[taxiway] {name} is not set; set it in airflow.cfg, or in the environment variable AIRFLOW__TAXIWAY__{name.upper()}"
        )
    return str(value)


def ledger_keys() -> "LedgerKeys":
    """The keys that promotions and decisions are signed with; none if the installation does not sign.

    Raises:
        ConfigError: A key is too short.
    """
    from taxiway.ledger.keys import LedgerKeys

    return LedgerKeys.parse(str(conf.get("taxiway", "ledger_keys", fallback="") or ""))


def metrics_token() -> str:
    """The token with which Prometheus reads the metrics of monitoring; empty if there are none to read."""
    return str(conf.get("taxiway", "metrics_token", fallback="") or "")


def poll_seconds() -> float:
    """The seconds between two checks of the source of a pipeline with `schedule: new_span`.

    Raises:
        ConfigError: The setting is not a positive number.
    """
    value = str(conf.get("taxiway", "poll_seconds", fallback="") or POLL_SECONDS)
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f'[taxiway] poll_seconds is "{value}"; allowed: a number of seconds above 0, such as 10')
    return seconds


def open_store() -> Store:
    """Open the installation's store.

    Raises:
        ConfigError: The store is a local path that is not declared as shared, and an executor may run tasks on several hosts: a
            task could not read what a task on another host wrote.
    """
    store = Store(setting("store"))
    elsewhere = _executors_elsewhere()
    if store.is_local and elsewhere and not conf.getboolean("taxiway", "shared_store", fallback=False):
        raise ConfigError(
            f"[taxiway] store is the local path {store.url}, and {', '.join(elsewhere)} may run tasks on several hosts; allowed: "
            "a URL that all hosts can reach, such as s3://bucket/taxiway. If all hosts mount the same folder at this path, set "
            "[taxiway] shared_store = True"
        )
    return store


def _executors_elsewhere() -> list[str]:
    """The executors, of all teams, that may run tasks on another host than the scheduler's."""
    named = re.split(r"[,;]", conf.get("core", "executor", fallback=_SAME_HOST))
    # An entry is `Name`, `alias:path.to.Name` or `team=Name`.
    kinds = dict.fromkeys(re.split(r"[=:.]", name.strip())[-1] for name in named if name.strip())
    return [kind for kind in kinds if kind != _SAME_HOST]
