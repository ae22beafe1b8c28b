"""Taxiway: an ML platform inside the Airflow that a team already runs, from raw data to a model in production."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taxiway.stages.runner import run

__version__ = "0.1.0"
__all__ = ["run"]


def __getattr__(name: str) -> Any:
    """Import `taxiway.run` at its first use, because DAG files import this package and do not need the runner."""
    if name == "run":
        from taxiway.stages.runner import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
