"""The Airflow plugin, which Airflow loads in the scheduler, in workers and in the API server.

The pages are imported at the first request, because only the API server needs them.
"""

import sys
import warnings
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
    # Airflow uses these addresses as they are, so they must include the path that Airflow itself is served under.
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
    """Adds the pages to Airflow's web interface, and loads heavy libraries in the scheduler if `[taxiway] preload` is set."""

    name = "taxiway"
    fastapi_apps = [{"app": pages, "url_prefix": PREFIX, "name": "Taxiway"}]  # noqa: RUF012 - Airflow's own declaration
    external_views = _views()

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Load the heavy libraries in the scheduler; Airflow calls this in every process that loads plugins."""
        if "scheduler" in sys.argv and conf.getboolean("taxiway", "preload", fallback=False):
            preload()


def preload() -> None:
    """Import what every run needs: 3 to 7 s once, instead of in its tasks.

    The libraries must not be used here, because thread pools that were used before a fork hang after it.
    """
    import duckdb  # noqa: F401
    import ibis.backends.sql.compilers.duckdb  # noqa: F401
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401
    import mlflow.pyfunc
    import mlflow.sklearn  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.dataset
    import pyarrow.parquet  # noqa: F401
    import sklearn.compose
    import sklearn.ensemble
    import sklearn.pipeline
    import sklearn.preprocessing  # noqa: F401

    with warnings.catch_warnings():
        # It looks for functions in every imported module, and Airflow's warn that they are deprecated: 1,160 lines in the log.
        warnings.simplefilter("ignore")
        import skops.io  # noqa: F401

    # Taxiway's own modules, which DAG files and stages import.
    import taxiway.data.ingest.ingest
    import taxiway.data.validation.validate
    import taxiway.evaluation.evaluate
    import taxiway.evaluation.pictures
    import taxiway.features.transform
    import taxiway.gates
    import taxiway.registry.load
    import taxiway.registry.promote
    import taxiway.registry.register
    import taxiway.stages.runner.steps
    import taxiway.templates
    import taxiway.training.train  # noqa: F401
