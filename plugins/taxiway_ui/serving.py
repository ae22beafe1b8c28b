"""What the gateway of the connection `taxiway_gateway` serves, for the first page."""

from collections.abc import Mapping

from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from taxiway.errors import TaxiwayError
from taxiway.hooks.gateway import GatewayHook
from taxiway.serving.api import ModelStatus
from taxiway_ui.clients import ANSWER_SECONDS


def served() -> tuple[Mapping[str, ModelStatus], str]:
    """What the gateway serves, by model, in one request; and a message if that is not known. Both are empty without a gateway."""
    try:
        with GatewayHook().client(timeout_s=ANSWER_SECONDS) as gateway:
            return {status.model: status for status in gateway.statuses()}, ""
    except AirflowNotFoundException:
        return {}, ""
    except (AirflowException, TaxiwayError) as error:
        return {}, f"What is served is not shown: {error}"
