"""The workers of a model version: processes of the gateway, or a remote worker."""

from taxiway.serving.api import Remote
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.model_copy import ModelCopy
from taxiway.serving.workers.base import ModelSource, PredictBackend
from taxiway.serving.workers.local import Worker
from taxiway.serving.workers.remote import RemoteWorker


def backends_of(model: str, version: int, where: ModelCopy | Remote, settings: GatewaySettings) -> list[PredictBackend]:
    """Create the workers of a version, without starting them.

    Args:
        model: The registered model.
        version: Its version.
        where: Its files, for `settings.workers` processes of the gateway; or the remote worker.
        settings: The settings of the gateway.
    """
    timeouts = {"load_timeout_s": settings.load_timeout_s, "predict_timeout_s": settings.predict_timeout_s}
    if isinstance(where, Remote):
        return [RemoteWorker(where, model, version, **timeouts)]
    source = ModelSource(settings.loader, model, version, where, settings.code)
    return [Worker(source, **timeouts, memory_bytes=settings.worker_memory_bytes) for _ in range(settings.workers)]
