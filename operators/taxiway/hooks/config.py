"""Airflow's `[taxiway]` section: what the installation sets for all pipelines."""

import re

from airflow.sdk import conf

from taxiway.errors import ConfigError
from taxiway.store import Store

_SAME_HOST = "LocalExecutor"

POLL_SECONDS = 10.0


def setting(name: str) -> str:
    """A setting of the `[taxiway]` section. Raises ConfigError where it is not set."""
    value = conf.get("taxiway", name, fallback="")
    if not value:
        raise ConfigError(
            f"the setting {name} is missing: set [taxiway] {name} in airflow.cfg, or AIRFLOW__TAXIWAY__{name.upper()}"
        )
    return str(value)


def poll_seconds() -> float:
    """How long a pipeline with `schedule: new_span` waits between two looks at its source. Raises ConfigError where it is no time."""
    value = str(conf.get("taxiway", "poll_seconds", fallback="") or POLL_SECONDS)
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f'[taxiway] poll_seconds is "{value}"; allowed: a number of seconds above 0, such as 10')
    return seconds


def open_store() -> Store:
    """The installation's store.

    Raises ConfigError where Airflow's executor may run tasks on several hosts and the store is a local path that nobody has
    called shared: each host would write to a folder of its own, and the next task would not find what the last one made.
    """
    store = Store(setting("store"))
    elsewhere = _executors_elsewhere()
    if store.is_local and elsewhere and not conf.getboolean("taxiway", "shared_store", fallback=False):
        raise ConfigError(
            f"[taxiway] store is the local path {store.url}, and {', '.join(elsewhere)} may run tasks on several hosts; allowed: "
            "a URL that all of them reach, such as s3://bucket/taxiway, or, where all of them mount the same folder there, "
            "[taxiway] shared_store = True"
        )
    return store


def _executors_elsewhere() -> list[str]:
    """Those of Airflow's executors, of all teams, that are not known to run their tasks on the scheduler's own host."""
    named = re.split(r"[,;]", conf.get("core", "executor", fallback=_SAME_HOST))
    # One reads `Name`, `alias:path.to.Name` or `team=Name`.
    kinds = dict.fromkeys(re.split(r"[=:.]", name.strip())[-1] for name in named if name.strip())
    return [kind for kind in kinds if kind != _SAME_HOST]
