"""Airflow's `[taxiway]` section: what the installation sets for all pipelines."""

from airflow.sdk import conf

from taxiway.errors import ConfigError
from taxiway.pipeline import Pipeline


def setting(name: str) -> str:
    """A setting of the `[taxiway]` section. Raises ConfigError where it is not set."""
    value = conf.get("taxiway", name, fallback="")
    if not value:
        raise ConfigError(
            f"the setting {name} is missing: set [taxiway] {name} in airflow.cfg, or AIRFLOW__TAXIWAY__{name.upper()}"
        )
    return str(value)


def source_pattern(pipeline: Pipeline) -> str:
    """The pipeline's span pattern with {data} filled in."""
    if "{data}" not in pipeline.source.spans:
        return pipeline.source.spans
    return pipeline.source.spans.replace("{data}", setting("data").rstrip("/"))
