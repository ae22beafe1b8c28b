"""The workers of a model version: processes of the gateway, or a remote worker."""

from taxiway.serving.api import Remote
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.workers.base import ModelSource, PredictBackend
from taxiway.serving.workers.local import Worker
from taxiway.serving.workers.remote import RemoteWorker


def backends_of(model: str, version: int, settings: GatewaySettings, remote: Remote | None = None) -> list[PredictBackend]:
    """Create the workers of a version, without starting them.

    Args:
        model: The registered model.
        version: Its version.
        settings: The settings of the gateway.
        remote: The remote worker; None for `settings.workers` processes of the gateway.
    """
    timeouts = {"load_timeout_s": settings.load_timeout_s, "predict_timeout_s": settings.predict_timeout_s}
    if remote is not None:
        return [RemoteWorker(remote, model, version, **timeouts)]
    source = ModelSource(settings.loader, settings.tracking_uri, model, version)
    return [Worker(source, **timeouts) for _ in range(settings.workers)]
