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
            {
                "connection-type": "mlflow",
                "hook-class-name": "taxiway.hooks.mlflow.MlflowHook",
                "hook-name": "MLflow",
                "ui-field-behaviour": _form(
                    hidden=["schema", "extra"],
                    host=("Address", "https://mlflow.example.com"),
                    login=("User, where the server asks for one", ""),
                ),
                "conn-fields": {
                    "public_url": {
                        "label": "Address for people, where it is another",
                        "schema": {"type": ["string", "null"]},
                        "description": "Links to MLflow lead there, such as https://mlflow.example.com",
                    }
                },
            },
            {
                "connection-type": "taxiway_gateway",
                "hook-class-name": "taxiway.hooks.gateway.GatewayHook",
                "hook-name": "Taxiway gateway",
                "ui-field-behaviour": _form(
                    hidden=["schema", "login", "extra"],
                    host=("Address", "http://gateway.example.com:8500"),
                    password=("Admin token", ""),
                ),
            },
        ],
        "extra-links": ["taxiway.operators.base.MlflowRunLink"],
        "config": {
            "taxiway": {
                "description": "Where Taxiway's pipelines read and keep what they need.",
                "options": {
                    "store": _option(
                        "Any fsspec URL: the content-addressed store of spans, records and transforms.", "/srv/taxiway"
                    ),
                    "poll_seconds": _option(
                        "How many seconds pipelines with schedule: new_span wait between two looks at their source; 10 by default.",
                        "60",
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


def _form(*, hidden: list[str], **fields: tuple[str, str]) -> dict[str, Any]:
    """How Airflow shows a connection's form: fields that mean nothing are hidden, others have a label and an example."""
    return {
        "hidden-fields": hidden,
        "relabeling": {name: label for name, (label, _) in fields.items()},
        "placeholders": {name: example for name, (_, example) in fields.items() if example},
    }


def _option(description: str, example: str, default: str = "") -> dict[str, Any]:
    return {"description": description, "version_added": "0.1.0", "type": "string", "example": example, "default": default}


def _switch(description: str) -> dict[str, Any]:
    # Airflow reads an option that nobody set as its default here, and an empty text as no boolean.
    return {"description": description, "version_added": "0.1.0", "type": "boolean", "example": "True", "default": "False"}
