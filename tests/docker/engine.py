"""The container engine of the tests: its commands, and images made without any registry of images.

The base image comes from debootstrap, with this machine's certificates; each image is made once for its recipe and found again by its
tag. Run as a program it makes the base image and sees what a build and a container need of this machine, and nothing of ours.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import helping
from ending import dies_with_us
from helping import require

REPOSITORY = Path(__file__).parents[2]
RECIPES = Path(__file__).parent / "images"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
HANGS_S = 1800.0
"""A limit for commands that hang: making an image on a busy machine takes many minutes."""


def run(*command: str) -> str:
    """What the command prints; the test fails with its last words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_S, cwd=REPOSITORY, preexec_fn=dies_with_us)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def docker(*arguments: str) -> str:
    """A command of the engine."""
    return run("docker", *arguments).strip()


def inspect(*names: str) -> list[dict[str, Any]]:
    """What the engine knows of these containers, less those that were removed just now."""
    if not names:
        return []
    told = subprocess.run(["docker", "inspect", *names], capture_output=True, text=True, timeout=HANGS_S)
    others = [line for line in told.stderr.splitlines() if line and "No such object" not in line]
    assert not others, others
    found: list[dict[str, Any]] = json.loads(told.stdout)
    return found


def until(probe: Callable[[], Any], what: str, progress: Callable[[], Any] = lambda: None) -> Any:
    """Poll as often as an engine can be asked; see `helping.until`."""
    return helping.until(probe, what, progress=progress, every_s=0.3)


def require_engine() -> None:
    """Skip, or fail where it is required, without an engine that runs, compose, and what makes the base image."""
    try:
        answer = subprocess.run(["docker", "version"], capture_output=True, text=True, timeout=HANGS_S)
        reason = answer.stderr.strip()[-200:] if answer.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    require("docker", not reason, f"the container engine does not answer: {reason}")
    require("docker", bool(compose_command()), "neither docker-compose nor docker compose is there")
    require("docker", _there(base_tag()) or bool(shutil.which("debootstrap")), "debootstrap is not installed")
    require("docker", _there(base_tag()) or os.geteuid() == 0, "debootstrap makes the base image as root only")


def compose_command() -> tuple[str, ...]:
    """Compose as a plugin of the engine, or as a program of its own."""
    if not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        return ("docker", "compose")
    return ("docker-compose",) if shutil.which("docker-compose") else ()


def images() -> dict[str, str]:
    """The images that docker-compose.yml asks for, by the variable that names each."""
    base = make_base()
    with ThreadPoolExecutor(2) as builders:
        ours, databases = builders.submit(_make_ours, base), builders.submit(_make_databases, base)
        return {"TAXIWAY_IMAGE": ours.result(), **databases.result()}


def make_base() -> str:
    """The base image, made where it is not there."""
    tag = base_tag()
    if not _there(tag):
        _make_base(tag)
    return tag


def probe() -> None:
    """Raise where this machine cannot run a container, or where what a build needs cannot be had from inside it."""
    with tempfile.TemporaryDirectory(prefix="taxiway-probe-") as folder:
        recipe = Path(folder) / "Dockerfile"
        install = "python3 -m venv /probe && /probe/bin/pip download --quiet --no-deps --dest /probe uv"
        recipe.write_text(f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nRUN apt-get update -q && {install}\n")
        _build(recipe, Path(folder), make_base(), "taxiway-test-probe:latest")
    docker("run", "--rm", "taxiway-test-probe:latest", "true")


def base_tag() -> str:
    """The name of the base image: another one for other contents."""
    return f"taxiway-test-base:{_digest(BASE_PACKAGES, Path(CERTIFICATES).read_text())}"


def _make_base(tag: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="taxiway-base-"))
    try:
        run("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", str(folder))
        (folder / CERTIFICATES[1:]).write_bytes(Path(CERTIFICATES).read_bytes())
        trust = f"SSL_CERT_FILE={CERTIFICATES} PIP_CERT={CERTIFICATES}"
        change = f"ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin {trust}"
        with subprocess.Popen(["tar", "-C", str(folder), "-c", "."], stdout=subprocess.PIPE) as tar:
            subprocess.run(
                ["docker", "import", "--change", change, "-", tag], stdin=tar.stdout, check=True, capture_output=True
            )
        assert tar.returncode == 0
    finally:
        shutil.rmtree(folder)


def _make_ours(base: str) -> str:
    tag = "taxiway-test:latest"
    _build(REPOSITORY / "deploy" / "Dockerfile", REPOSITORY, base, tag)
    return tag


def _make_databases(base: str) -> dict[str, str]:
    digest = _digest(base, *(path.read_text() for path in sorted(RECIPES.iterdir())))
    databases = f"taxiway-test-databases:{digest}"
    made = {f"{name.upper()}_IMAGE": f"taxiway-test-{name}:{digest}" for name in ("postgres", "redis")}
    if not all(map(_there, made.values())):
        _build(RECIPES / "databases.Dockerfile", RECIPES, base, databases)
        for name in ("postgres", "redis"):
            _build(RECIPES / f"{name}.Dockerfile", RECIPES, databases, made[f"{name.upper()}_IMAGE"])
    return made


def _build(recipe: Path, context: Path, base: str, tag: str) -> None:
    arguments = ("--network", "host", "--build-arg", f"BASE_IMAGE={base}", "-f", str(recipe), "-t", tag, str(context))
    docker("build", "-q", *arguments)


def _there(tag: str) -> bool:
    return not subprocess.run(["docker", "image", "inspect", tag], capture_output=True).returncode


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


if __name__ == "__main__":
    probe()
