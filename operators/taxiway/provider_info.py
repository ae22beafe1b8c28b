"""What Airflow's provider manager asks: hooks, links and the settings of the `[taxiway]` section."""

from typing import Any

from taxiway import __version__


def get_provider_info() -> dict[str, Any]:
    """The provider's description, in the form of Airflow's provider_info schema."""
    return {
        "package-name": "taxiway",
        "name": "Taxiway",
        "description": "One marked way for every model, from raw data to production.",
        "versions": [__version__],
        "connection-types": [
            {"connection-type": "mlflow", "hook-class-name": "taxiway.hooks.mlflow.MlflowHook"},
            {"connection-type": "taxiway_gateway", "hook-class-name": "taxiway.hooks.gateway.GatewayHook"},
        ],
        "extra-links": ["taxiway.operators.base.MlflowRunLink"],
        "config": {
            "taxiway": {
                "description": "Where Taxiway's pipelines read and keep what they need.",
                "options": {
                    "store": _option(
                        "Any fsspec URL: the content-addressed store of spans, records and transforms.", "/srv/taxiway"
                    ),
                    "shared_store": _switch(
                        "Whether a store that is a local path is the same folder on all hosts that run tasks."
                    ),
                    "preload": _switch("Whether the scheduler imports the heavy libraries before it forks its tasks."),
                    "challenger_image": _option(
                        "The image in which challengers are served where a pipeline file says deployer: docker.",
                        "taxiway:0.1.0",
                    ),
                    "challenger_network": _option(
                        "The engine's network for them, which the gateway and MLflow are on.", "taxiway-challengers"
                    ),
                    "challenger_memory": _option("How much memory each of them may use.", "2g", default="1g"),
                    "challenger_cpus": _option("How many CPUs each of them may use.", "2", default="1"),
                    "data": _option("What {data} stands for in the source patterns of pipeline files.", "s3://company-data"),
                },
            }
        },
    }


def _option(description: str, example: str, default: str = "") -> dict[str, Any]:
    return {"description": description, "version_added": "0.1.0", "type": "string", "example": example, "default": default}


def _switch(description: str) -> dict[str, Any]:
    # Airflow reads an option that nobody set as its default here, and an empty text as no boolean.
    return {"description": description, "version_added": "0.1.0", "type": "boolean", "example": "True", "default": "False"}
