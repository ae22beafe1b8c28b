"""The gateway of `isolation.py`, with models that misbehave as their only file, `behaviour`, says; others are loaded as usual."""

import os
import signal
from pathlib import Path
from typing import Any

from taxiway.registry.load import load_folder
from taxiway.serving.gateway.server import serve
from taxiway.serving.gateway.settings import GatewaySettings

SETTINGS = "TAXIWAY_BENCHMARK_GATEWAY"
"""The environment variable with the settings of the gateway as JSON."""
_PART_BYTES = 32 << 20


class OneNumber:
    """The metadata of a model that takes one number, x."""

    def get_input_schema(self) -> Any:
        from mlflow.types import ColSpec, Schema

        return Schema([ColSpec("double", "x")])


class Crashes:
    """Ends its process at each request, as a crash in native code would."""

    metadata = OneNumber()

    def predict(self, _: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


class Allocates:
    """Allocates memory until there is no more at each request, and writes to all of it."""

    metadata = OneNumber()

    def predict(self, _: Any) -> Any:
        parts = []
        while True:
            parts.append(b"x" * _PART_BYTES)


def load(folder: Path) -> Any:
    """The model in a folder; the loader of the gateway."""
    behaviour = folder / "behaviour"
    if not behaviour.is_file():
        return load_folder(folder)
    return {"crashes": Crashes, "allocates": Allocates}[behaviour.read_text()]()


if __name__ == "__main__":
    serve(GatewaySettings.model_validate_json(os.environ[SETTINGS]))
