"""The Airflow connection to an MLflow server."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from taxiway.errors import ConfigError

if TYPE_CHECKING:
    from mlflow import MlflowClient


_TEST_SECONDS = 10


class MlflowHook(BaseHook):
    """Connect to an MLflow server.

    Args:
        mlflow_conn_id: The Airflow connection of type `mlflow`: the server's address as host, or as schema, host and port. Login
            and password are sent as basic auth. If people reach the server at another address than tasks do, set the extra
            `{"public_url": "https://mlflow.example.com"}`.
    """

    conn_name_attr = "mlflow_conn_id"
    default_conn_name = "mlflow_default"
    conn_type = "mlflow"
    hook_name = "MLflow"

    def __init__(self, mlflow_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.mlflow_conn_id = mlflow_conn_id

    def tracking_uri(self) -> str:
        """The server's address, with the credentials of the connection: do not log it."""
        connection: Any = self.get_connection(self.mlflow_conn_id)
        address = http_address(connection)
        if not connection.login:
            return address
        parts = urlsplit(address)
        password = quote(connection.password or "", safe="")
        if password:
            mask_secret(password)  # Airflow masks it only as it is in the connection, and errors quote the URL
        credentials = f"{quote(connection.login, safe='')}:{password}"
        return urlunsplit(parts._replace(netloc=f"{credentials}@{parts.netloc}"))

    def public_url(self, page: str) -> str:
        """The public URL of `page`, which is a URL of the server as tasks reach it."""
        connection: Any = self.get_connection(self.mlflow_conn_id)
        public = str(connection.extra_dejson.get("public_url", "")).rstrip("/")
        return page.replace(http_address(connection), public, 1) if public else page

    def get_conn(self) -> "MlflowClient":
        """A client of the server."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.tracking_uri())

    def test_connection(self) -> tuple[bool, str]:
        """For the Test button of Airflow's connections: whether an MLflow server answers and accepts the login."""
        import httpx

        try:
            connection: Any = self.get_connection(self.mlflow_conn_id)
            address = http_address(connection)
            login = (connection.login, connection.password or "") if connection.login else None
            url = f"{address}/api/2.0/mlflow/experiments/search"
            answer = httpx.get(url, params={"max_results": 1}, auth=login, timeout=_TEST_SECONDS)
        except ConfigError as error:
            return False, str(error)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return False, f"{address} does not answer ({type(error).__name__}: {error}); check the host and port"
        if answer.status_code in (401, 403):
            return False, f"MLflow at {address} rejects the login (HTTP {answer.status_code}); set login and password"
        if not answer.is_success or "json" not in answer.headers.get("content-type", ""):
            return False, f"{address} is not an MLflow server: it answers with HTTP {answer.status_code} {answer.text[:200]}"
        return True, f"MLflow answers at {address}"


def http_address(connection: Any) -> str:
    """The HTTP or HTTPS address of an Airflow connection.

    Raises:
        ConfigError: The connection has no host.
    """
    host = connection.host or ""
    if not host:
        raise ConfigError(
            f"the connection {connection.conn_id} has no host; set it to an address such as http://127.0.0.1:5000"
        )
    if "://" not in host:
        host = f"{connection.schema or 'http'}://{host}"
    if connection.port and urlsplit(host).port is None:
        host = f"{host.rstrip('/')}:{connection.port}"
    return host.rstrip("/")
