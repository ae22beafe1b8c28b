"""The Airflow connection to the model gateway."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from taxiway.errors import ConfigError, TaxiwayError
from taxiway.hooks.mlflow import http_address

if TYPE_CHECKING:
    from taxiway.serving.client import GatewayClient


class GatewayHook(BaseHook):
    """Connect to the model gateway.

    Args:
        gateway_conn_id: The Airflow connection of type `taxiway_gateway`: the gateway's address as host, the admin token as
            password.
    """

    conn_name_attr = "gateway_conn_id"
    default_conn_name = "taxiway_gateway"
    conn_type = "taxiway_gateway"
    hook_name = "Taxiway gateway"

    def __init__(self, gateway_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.gateway_conn_id = gateway_conn_id

    def get_conn(self) -> "GatewayClient":
        """A client of the gateway that uses the admin token; see `client`."""
        return self.client()

    def client(self, timeout_s: float | None = None) -> "GatewayClient":
        """A client of the gateway that uses the admin token.

        Args:
            timeout_s: How long a request may take, in seconds; None for long enough to load a model.

        Raises:
            ConfigError: The connection has no address or no token.
        """
        from taxiway.serving.client import GatewayClient

        connection: Any = self.get_connection(self.gateway_conn_id)
        address = http_address(connection)
        if not connection.password:
            raise ConfigError(f"the connection {connection.conn_id} has no password; set it to the gateway's admin token")
        limit = {} if timeout_s is None else {"timeout_s": timeout_s}
        return GatewayClient(address, connection.password, **limit)

    def test_connection(self) -> tuple[bool, str]:
        """For the Test button of Airflow's connections: whether the gateway answers and accepts the token as its admin token."""
        try:
            with self.get_conn() as gateway:
                role, url = gateway.role(), gateway.url
        except TaxiwayError as error:
            return False, str(error)
        if role != "admin":
            return False, f"the password is the caller token of the gateway at {url}; pipelines need its admin token"
        return True, f"the gateway at {url} answers and accepts the admin token"
