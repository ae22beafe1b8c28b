"""Challengers in their own containers, with the fewest privileges they need; labels identify the containers of a run.

A container stops by itself when its lease ends, and the engine then removes it, because the task that started it may have been killed.
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
_SCRATCH = {"/tmp": "size=512m,mode=1777,noexec,nosuid,nodev"}  # noqa: S108 - a file system inside the container
_PING = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/ping', timeout=2)"
_LOG_CHARACTERS = 600


@dataclass(frozen=True)
class ContainerSpec:
    """The containers of challengers.

    Attributes:
        image: The image.
        network: The network, to which the gateway and MLflow are connected.
        memory: The memory limit in the engine's format, such as `1g`.
        cpus: The CPU limit.
    """

    image: str
    network: str
    memory: str
    cpus: float


@dataclass(frozen=True)
class ChallengerSpec:
    """The version that a container serves.

    Attributes:
        model: The registered model.
        version: Its version.
        tracking_uri: The MLflow server.
        run: The DAG run that the container belongs to, `DAG/RUN`.
        lease_s: The seconds after which the container stops.
    """

    model: str
    version: int
    tracking_uri: str
    run: str
    lease_s: float


def engine() -> "DockerClient":
    """Open a client of the container engine that DOCKER_HOST names; by default that of the local socket.

    Raises:
        ConfigError: The package docker is not installed.
        TransientError: The engine cannot be reached.
    """
    try:
        from docker.errors import DockerException

        import docker
    except ImportError:
        raise ConfigError("challengers in containers need the package docker: pip install 'taxiway[docker]'") from None
    try:
        return docker.from_env(timeout=_ENGINE_S)
    except DockerException as error:
        raise TransientError(
            f"the container engine cannot be reached ({error}); mount its socket into this worker, or set DOCKER_HOST"
        ) from error


def start(client: "DockerClient", spec: ContainerSpec, challenger: ChallengerSpec, *, within_s: float) -> Remote:
    """Start a container that serves a version, and wait until it is healthy. Other containers of the DAG run are removed.

    Args:
        client: The container engine.
        spec: The image, network and limits.
        challenger: The version to serve.
        within_s: How long to wait, in seconds.

    Returns:
        The address and token of the served version.

    Raises:
        ConfigError: The engine does not have the image.
        TerminalError: The container exited; the message has its last log lines.
        TransientError: The engine cannot be reached, or the container is not healthy in time. The container is removed.
    """
    from docker.errors import DockerException, ImageNotFound
    from requests import RequestException  # the SDK lets these of its own connection through

    remove(client, challenger.run)
    name, token = f"taxiway-challenger-{secrets.token_hex(6)}", secrets.token_urlsafe(32)
    try:
        container = client.containers.run(spec.image, **_arguments(spec, challenger, name, token))
    except ImageNotFound as error:
        raise ConfigError(
            f"the container engine has no image {spec.image}; build or pull it, or set [taxiway] challenger_image"
        ) from error
    except (DockerException, RequestException) as error:
        remove(client, challenger.run)
        raise TransientError(
            f"the container engine could not start {challenger.model} version {challenger.version}: {error}"
        ) from error
    try:
        _wait_until_healthy(container, challenger, within_s)
    except BaseException:
        remove(client, challenger.run)
        raise
    return Remote(address=f"http://{name}:{PORT}", token=token)


def remove(client: "DockerClient", run: str) -> int:
    """Remove the containers of a DAG run; returns how many there were.

    Raises:
        TransientError: The engine cannot be reached, or a container could not be removed.
    """
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
                if error.status_code != 409:  # already being removed
                    raise
    except (DockerException, RequestException) as error:
        raise TransientError(f"the containers of {run} could not be removed: {error}") from error
    return len(found)


def _arguments(spec: ContainerSpec, challenger: ChallengerSpec, name: str, token: str) -> dict[str, Any]:
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
        "network": spec.network,
        "read_only": True,
        "tmpfs": _SCRATCH,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": spec.memory,
        "memswap_limit": spec.memory,
        "nano_cpus": int(spec.cpus * 10**9),
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

    name, log = f"{challenger.model} version {challenger.version}", ""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            container.reload()
            log = container.logs(tail=10).decode(errors="replace").strip()[-_LOG_CHARACTERS:] or log
        except APIError as error:
            if error.status_code in (404, 409):  # it has exited, and the engine has removed it or is removing it
                raise TerminalError(f"the container of {name} exited; its last log lines: {log or 'none'}") from None
            raise TransientError(f"the container engine does not return the state of {name}: {error}") from error
        except RequestException as error:
            raise TransientError(f"the container engine does not return the state of {name}: {error}") from error
        if container.attrs["State"].get("Health", {}).get("Status") == "healthy":
            return
        time.sleep(_POLL_S)
    raise TransientError(f"the container of {name} was not healthy within {within_s:g} s; its last log lines: {log or 'none'}")
