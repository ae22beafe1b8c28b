"""Who predicts for a version: processes of the gateway's own, or somebody elsewhere."""

from taxiway.serving.remote import RemoteWorker
from taxiway.serving.settings import GatewaySettings
from taxiway.serving.side import Predicts, Worker
from taxiway.serving.wire import Remote
from taxiway.serving.worker import ModelSource


def workers_of(model: str, version: int, settings: GatewaySettings, remote: Remote | None = None) -> list[Predicts]:
    """The workers of a version, not started yet: the one at `remote`, or as many processes as the settings say."""
    timeouts = {"load_timeout_s": settings.load_timeout_s, "predict_timeout_s": settings.predict_timeout_s}
    if remote is not None:
        return [RemoteWorker(remote, model, version, **timeouts)]
    source = ModelSource(settings.loader, settings.tracking_uri, model, version)
    return [Worker(source, **timeouts) for _ in range(settings.workers)]
