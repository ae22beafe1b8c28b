"""Who predicts for a version: processes of the gateway's own, or somebody elsewhere."""

from taxiway.serving.api import Remote
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.workers.base import PredictBackend
from taxiway.serving.workers.local import Worker
from taxiway.serving.workers.process import ModelSource
from taxiway.serving.workers.remote import RemoteWorker


def backends_of(model: str, version: int, settings: GatewaySettings, remote: Remote | None = None) -> list[PredictBackend]:
    """The workers of a version, not started yet: the one at `remote`, or as many processes as the settings say."""
    timeouts = {"load_timeout_s": settings.load_timeout_s, "predict_timeout_s": settings.predict_timeout_s}
    if remote is not None:
        return [RemoteWorker(remote, model, version, **timeouts)]
    source = ModelSource(settings.loader, settings.tracking_uri, model, version)
    return [Worker(source, **timeouts) for _ in range(settings.workers)]
