"""What the installation says about challengers in containers, and taking them down from a task."""

from typing import TYPE_CHECKING

from airflow.sdk import conf

from taxiway.errors import ConfigError
from taxiway.hooks.config import setting

if TYPE_CHECKING:
    from taxiway.serving.api import Remote
    from taxiway.serving.deployers.docker import ContainerSpec

START_SECONDS = 600.0


def start_challenger(*, model: str, version: int, tracking_uri: str, run: str, lease_s: float) -> "Remote":
    """Serve a version in a container of the DAG run `run`, as `[taxiway]` says; see `taxiway.serving.deployers.docker.start`."""
    from taxiway.serving.deployers.docker import ChallengerSpec, engine, start

    challenger = ChallengerSpec(model=model, version=version, tracking_uri=tracking_uri, run=run, lease_s=lease_s)
    return start(engine(), place(), challenger, within_s=START_SECONDS)


def remove_challengers(run: str) -> int:
    """Remove the containers of a DAG run; returns how many there were."""
    from taxiway.serving.deployers.docker import engine, remove

    return remove(engine(), run)


def place() -> "ContainerSpec":
    """Image, network and limits. Raises ConfigError where one is missing or is none."""
    from taxiway.serving.deployers.docker import ContainerSpec

    cpus = conf.get("taxiway", "challenger_cpus", fallback="1")
    try:
        number = float(cpus)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise ConfigError(f'[taxiway] challenger_cpus is "{cpus}"; allowed: a number above 0, such as 1 or 0.5')
    memory = conf.get("taxiway", "challenger_memory", fallback="1g")
    return ContainerSpec(setting("challenger_image"), setting("challenger_network"), memory, number)
