"""What the champion and the challenger of one model share."""

from dataclasses import dataclass

from taxiway.serving.gateway.models.versions import ModelVersions
from taxiway.serving.gateway.problems import Problems
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.gateway.state.served import ServedState


@dataclass(frozen=True)
class ModelContext:
    """What the deployments of one model share.

    Attributes:
        name: The registered model.
        settings: The settings of the gateway.
        versions: The model versions.
        state: What is served after a restart.
        problems: The problems of the model.
    """

    name: str
    settings: GatewaySettings
    versions: ModelVersions
    state: ServedState
    problems: Problems
