"""The gateway of the connection `taxiway_gateway`: what it serves, and that it is told of a new champion."""

import logging
from collections.abc import Mapping

from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from taxiway.errors import TaxiwayError
from taxiway.hooks.gateway import GatewayHook
from taxiway.serving.api import ModelStatus
from taxiway_ui.clients import ANSWER_SECONDS

_log = logging.getLogger(__name__)


def served() -> tuple[Mapping[str, ModelStatus] | None, str]:
    """What the gateway serves, in one request.

    Returns:
        The status of each model by its name, and an empty message. None without a gateway, and None with a message if the gateway
        does not answer.
    """
    try:
        with GatewayHook().client(timeout_s=ANSWER_SECONDS) as gateway:
            return {status.model: status for status in gateway.statuses()}, ""
    except AirflowNotFoundException:
        return None, ""
    except (AirflowException, TaxiwayError) as error:
        return None, f"What is served is not shown: {error}"


def tell_gateway(model: str) -> None:
    """Have the gateway look up the champion of a model now, also of one that it does not serve yet.

    It goes on loading if it takes longer than a page waits; one that does not answer looks by itself at the models that it serves.

    Args:
        model: The registered model.
    """
    try:
        with GatewayHook().client(timeout_s=ANSWER_SECONDS) as gateway:
            gateway.refresh(model)
    except (AirflowException, TaxiwayError) as error:
        _log.info("the gateway was not told of the new champion of %s: %s", model, error)
