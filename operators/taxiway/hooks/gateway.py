"""The Airflow connection to the model gateway."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from taxiway.hooks.mlflow import http_address

if TYPE_CHECKING:
    from taxiway.serving.client import GatewayClient


class GatewayHook(BaseHook):
    """Connect to the model gateway of an Airflow connection: its address as host, its admin token as password.

    :param gateway_conn_id: the connection of type `taxiway_gateway`.
    """

    conn_name_attr = "gateway_conn_id"
    default_conn_name = "taxiway_gateway"
    conn_type = "taxiway_gateway"
    hook_name = "Taxiway gateway"

    def __init__(self, gateway_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.gateway_conn_id = gateway_conn_id

    def get_conn(self) -> "GatewayClient":
        """A client of the gateway with the rights of its admin."""
        from taxiway.serving.client import GatewayClient

        connection: Any = self.get_connection(self.gateway_conn_id)
        return GatewayClient(http_address(connection), connection.password or "")
