"""What Airflow loads by the entry point `airflow.plugins`: in the scheduler, in workers and in the API server alike.

So nothing of the pages is imported here; they come with the first request, and only the API server gets requests.
"""

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import conf

from taxiway_ui.paths import PREFIX


async def pages(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """The pages as an ASGI application, imported at the first request."""
    from taxiway_ui.app import app

    await app(scope, receive, send)


def _views() -> list[dict[str, Any]]:
    # Airflow's interface takes these addresses as they are, so the path that Airflow itself is served under belongs in them.
    base = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + PREFIX
    icon = f"{base}/static/icon.svg"
    return [
        {
            "name": "Taxiway",
            "destination": "nav",
            "href": f"{base}/",
            "url_route": "taxiway",
            "nav_top_level": True,
            "icon": icon,
        },
        {
            "name": "Taxiway",
            "destination": "dag_run",
            "href": f"{base}/pipelines/{{DAG_ID}}/runs/{{RUN_ID}}",
            "url_route": "taxiway-run",
            "icon": icon,
        },
    ]


class TaxiwayPlugin(AirflowPlugin):
    """The pages in Airflow's web interface; and, in the embedded stack, heavy libraries loaded before the scheduler forks."""

    name = "taxiway"
    fastapi_apps = [{"app": pages, "url_prefix": PREFIX, "name": "Taxiway"}]  # noqa: RUF012 - Airflow's own declaration
    external_views = _views()

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Called by Airflow in every process that loads plugins."""
        if "scheduler" in sys.argv and conf.getboolean("taxiway", "preload", fallback=False):
            preload()


def preload() -> None:
    """Import what every task would import: 2 to 6 s, once instead of in each task.

    Imported, never used: pools of threads that were used before a fork hang after it.
    """
    import duckdb  # noqa: F401
    import mlflow.pyfunc
    import mlflow.sklearn  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import sklearn.compose
    import sklearn.ensemble
    import sklearn.pipeline
    import sklearn.preprocessing  # noqa: F401
    import skops.io  # noqa: F401
