"""Airflow's `[taxiway]` section: what the installation sets for all pipelines."""

from airflow.sdk import conf

from taxiway.errors import ConfigError
from taxiway.pipeline import Pipeline

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


def source_pattern(pipeline: Pipeline) -> str:
    """The pipeline's span pattern with {data} filled in."""
    if "{data}" not in pipeline.source.spans:
        return pipeline.source.spans
    return pipeline.source.spans.replace("{data}", setting("data").rstrip("/"))
