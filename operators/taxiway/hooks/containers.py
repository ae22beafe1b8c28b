"""Challengers in containers, started with the settings of Airflow's `[taxiway]` section."""

from typing import TYPE_CHECKING

from airflow.sdk import conf

from taxiway.errors import ConfigError
from taxiway.hooks.config import setting

if TYPE_CHECKING:
    from taxiway.serving.api import Remote
    from taxiway.serving.deployers.docker import ContainerSpec

START_SECONDS = 600.0


def start_challenger(*, model: str, version: int, tracking_uri: str, run: str, lease_s: float) -> "Remote":
    """Serve a model version in a container; see `taxiway.serving.deployers.docker.start`.

    Args:
        model: The registered model.
        version: Its version.
        tracking_uri: The MLflow server.
        run: The DAG run that the container belongs to, `DAG/RUN`.
        lease_s: The seconds after which the container stops by itself.
    """
    from taxiway.serving.deployers.docker import ChallengerSpec, engine, start

    challenger = ChallengerSpec(model=model, version=version, tracking_uri=tracking_uri, run=run, lease_s=lease_s)
    return start(engine(), container_spec(), challenger, within_s=START_SECONDS)


def remove_challengers(run: str) -> int:
    """Remove the containers of a DAG run; returns how many there were."""
    from taxiway.serving.deployers.docker import engine, remove

    return remove(engine(), run)


def container_spec() -> "ContainerSpec":
    """The image, network and limits of challenger containers.

    Raises:
        ConfigError: A setting is missing or not valid.
    """
    from taxiway.serving.deployers.docker import ContainerSpec

    cpus = conf.get("taxiway", "challenger_cpus", fallback="1")
    try:
        number = float(cpus)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise ConfigError(f'[taxiway] challenger_cpus is "{cpus}"; allowed: a number above 0, such as 1 or 0.5', got=cpus)
    memory = conf.get("taxiway", "challenger_memory", fallback="1g")
    return ContainerSpec(setting("challenger_image"), setting("challenger_network"), memory, number)
