"""The environment of a training run: the versions of the libraries, and the commit of the team's code."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from taxiway import __version__

_PACKAGES = ("scikit-learn", "numpy", "pandas", "mlflow-skinny", "skops")


def environment() -> str:
    """The versions of Python, Taxiway and the libraries of a model, in one line."""
    found = [f"python {platform.python_version()}", f"taxiway {__version__}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {installed(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def code_commit(folder: Path) -> str:
    """The git commit of `folder`, with `-dirty` if files there have changed since; empty outside of a git repository."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return ""
    return f"{commit}-dirty" if _git(folder, "status", "--porcelain", "--", ".") else commit


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
