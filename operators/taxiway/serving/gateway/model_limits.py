"""The limits of single models in a gateway, and the file that has them: `taxiway serve --limits FILE`."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from taxiway.spec.base import Number, Section
from taxiway.spec.files.pipeline_file import parse_file
from taxiway.spec.yaml_files.document import read_yaml

MIN_MEMORY_MIB = 256


class ModelLimits(Section):
    """The limits of one model. Those that are not given are those of the gateway.

    Attributes:
        workers: The worker processes per version.
        worker_memory_mib: How much memory a worker process may allocate, in MiB; None for no limit.
        queue_limit: How many requests may wait before more are refused.
        predict_timeout_s: How long a predict call may take, in seconds.
    """

    workers: int = Field(default=1, ge=1, strict=True)
    worker_memory_mib: int | None = Field(default=None, ge=MIN_MEMORY_MIB, strict=True)
    queue_limit: int = Field(default=1000, ge=1, strict=True)
    predict_timeout_s: Number = Field(default=30.0, gt=0)

    @property
    def settings(self) -> dict[str, object]:
        """The settings of the gateway that differ for the model."""
        given = self.model_dump(exclude_unset=True)
        if "worker_memory_mib" in given:
            memory_mib = given.pop("worker_memory_mib")
            given["worker_memory_bytes"] = None if memory_mib is None else memory_mib << 20
        return given


class _LimitsFile(Section):
    models: Mapping[str, ModelLimits]


def read_model_limits(path: Path) -> Mapping[str, ModelLimits]:
    """The limits in a file, by model.

    Raises:
        ConfigError: The file is not valid; the message lists every mistake.
    """
    return parse_file(read_yaml(path), _LimitsFile, "a file of limits").models
