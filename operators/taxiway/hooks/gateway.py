"""The Airflow connection to the model gateway."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from taxiway.errors import ConfigError, TaxiwayError
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
        """A client of the gateway with the join_tables of its admin. Raises ConfigError where address or token is missing."""
        from taxiway.serving.client import GatewayClient

        connection: Any = self.get_connection(self.gateway_conn_id)
        address = http_address(connection)
        if not connection.password:
            raise ConfigError(f"the connection {connection.conn_id} has no password; give it the gateway's admin token")
        return GatewayClient(address, connection.password)

    def test_connection(self) -> tuple[bool, str]:
        """For the test button of Airflow's connections: whether the gateway answers, and the token is its admin's."""
        try:
            with self.get_conn() as gateway:
                role, url = gateway.role(), gateway.url
        except TaxiwayError as error:
            return False, str(error)
        if role != "admin":
            return False, f"the gateway at {url} knows this token as that of a caller; pipelines need the admin's as password"
        return True, f"the gateway at {url} answers, and the token is its admin's"
