"""Challengers in containers of their own: started with as few join_tables as they need, found again and removed by labels.

A container ends by itself when its lease is over, and the engine removes it then: whoever started it may have died.
"""

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError, TerminalError, TransientError
from taxiway.serving.api import Remote

if TYPE_CHECKING:
    from docker.models.containers import Container

    from docker import DockerClient

RUN_LABEL = "taxiway.run"
PORT = 8600
_POLL_S = 0.5
_ENGINE_S = 60
_SECOND_NS = 10**9
_SCRATCH = {"/tmp": "size=512m,mode=1777,noexec,nosuid,nodev"}  # noqa: S108 - a file system of the container's own
_PING = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/ping', timeout=2)"
_LAST_WORDS = 600


@dataclass(frozen=True)
class ContainerSpec:
    """Where containers of challengers run: the image, a network that the gateway and MLflow are on, and limits.

    `memory` is in the engine's form, such as `1g`.
    """

    image: str
    network: str
    memory: str
    cpus: float


@dataclass(frozen=True)
class ChallengerSpec:
    """Which version is to be served, where its files are, for which DAG run and for how long."""

    model: str
    version: int
    tracking_uri: str
    run: str
    lease_s: float


def engine() -> "DockerClient":
    """A client of the engine that the environment names, its own socket otherwise. Raises TransientError, ConfigError."""
    try:
        from docker.errors import DockerException

        import docker
    except ImportError:
        raise ConfigError("challengers in containers need the package docker: pip install 'taxiway[docker]'") from None
    try:
        return docker.from_env(timeout=_ENGINE_S)
    except DockerException as error:
        raise TransientError(
            f"the container engine cannot be reached ({error}); give this worker its socket, or DOCKER_HOST"
        ) from error


def start(client: "DockerClient", place: ContainerSpec, challenger: ChallengerSpec, *, within_s: float) -> Remote:
    """Start a container that serves the version, in place of any other of this DAG run; returns when it is well.

    Raises TerminalError with its last words where it ended, TransientError where it is not well in time; nothing is left then.
    """
    from docker.errors import DockerException, ImageNotFound
    from requests import RequestException  # the SDK lets these of its own connection through

    remove(client, challenger.run)
    name, token = f"taxiway-challenger-{secrets.token_hex(6)}", secrets.token_urlsafe(32)
    try:
        container = client.containers.run(place.image, **_arguments(place, challenger, name, token))
    except ImageNotFound as error:
        raise ConfigError(f"there is no image {place.image} here; make it, or set [taxiway] challenger_image") from error
    except (DockerException, RequestException) as error:
        remove(client, challenger.run)
        raise TransientError(f"the engine did not start {challenger.model} version {challenger.version}: {error}") from error
    try:
        _wait_until_healthy(container, challenger, within_s)
    except BaseException:
        remove(client, challenger.run)
        raise
    return Remote(address=f"http://{name}:{PORT}", token=token)


def remove(client: "DockerClient", run: str) -> int:
    """Remove the containers of a DAG run, whoever started them; returns how many there were. Raises TransientError."""
    from docker.errors import APIError, DockerException, NotFound
    from requests import RequestException

    try:
        found = client.containers.list(all=True, filters={"label": f"{RUN_LABEL}={run}"}, ignore_removed=True)
        for container in found:
            try:
                container.remove(force=True, v=True)
            except NotFound:
                continue
            except APIError as error:
                if error.status_code != 409:  # it is being removed already
                    raise
    except (DockerException, RequestException) as error:
        raise TransientError(f"the containers of {run} could not be removed: {error}") from error
    return len(found)


def _arguments(place: ContainerSpec, challenger: ChallengerSpec, name: str, token: str) -> dict[str, Any]:
    serve = ["taxiway", "serve-version", challenger.model, str(challenger.version), "--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104
    return {
        "command": [*serve, "--lease", f"{challenger.lease_s:.0f}"],
        "name": name,
        "detach": True,
        "auto_remove": True,
        "init": True,
        "environment": {"MLFLOW_TRACKING_URI": challenger.tracking_uri, "TAXIWAY_VERSION_TOKEN": token, "HOME": "/tmp"},  # noqa: S108
        "labels": {
            RUN_LABEL: challenger.run,
            "taxiway.model": challenger.model,
            "taxiway.version": str(challenger.version),
        },
        "network": place.network,
        "read_only": True,
        "tmpfs": _SCRATCH,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": place.memory,
        "memswap_limit": place.memory,
        "nano_cpus": int(place.cpus * 10**9),
        "pids_limit": 256,
        "log_config": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}},
        "healthcheck": {
            "test": ["CMD", "python", "-c", _PING],
            "interval": 2 * _SECOND_NS,
            "timeout": 5 * _SECOND_NS,
            "retries": 3,
        },
    }


def _wait_until_healthy(container: "Container", challenger: ChallengerSpec, within_s: float) -> None:
    from docker.errors import APIError
    from requests import RequestException

    named, said = f"{challenger.model} version {challenger.version}", ""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            container.reload()
            said = container.logs(tail=10).decode(errors="replace").strip()[-_LAST_WORDS:] or said
        except APIError as error:  # it ended, and the engine has removed it, or is about to
            if error.status_code in (404, 409):
                raise TerminalError(f"the container of {named} ended by itself; its last words: {said or 'none'}") from None
            raise TransientError(f"the engine does not tell how {named} is: {error}") from error
        except RequestException as error:
            raise TransientError(f"the engine does not tell how {named} is: {error}") from error
        if container.attrs["State"].get("Health", {}).get("Status") == "healthy":
            return
        time.sleep(_POLL_S)
    raise TransientError(f"the container of {named} was not well within {within_s:g} s; its last words: {said or 'none'}")
