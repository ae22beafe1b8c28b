"""Where a run keeps its records and models: the store and the MLflow of an installation."""

from taxiway.stages.installation.opened import (
    DEFAULT_DATA,
    DEFAULT_HOME,
    Installation,
    Sharing,
    local_keys,
    open_installation,
)

__all__ = ["DEFAULT_DATA", "DEFAULT_HOME", "Installation", "Sharing", "local_keys", "open_installation"]
