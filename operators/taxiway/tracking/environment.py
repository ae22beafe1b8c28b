"""What a model was trained with: the versions of what matters, and the commit of the team's code."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from taxiway import __version__

_PACKAGES = ("scikit-learn", "numpy", "pandas", "mlflow-skinny", "skops")


def environment() -> str:
    """Python, Taxiway and the libraries that make a model, with their versions, in one line."""
    found = [f"python {platform.python_version()}", f"taxiway {__version__}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {installed(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def code_commit(folder: Path) -> str:
    """The git commit of `folder`, with `-dirty` where files there differ from it; empty where git knows nothing of it."""
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
