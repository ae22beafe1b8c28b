"""The provider's metadata for Airflow: hooks, links and the settings of the `[taxiway]` section."""

from typing import Any

from taxiway import __version__


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, in the format of Airflow's provider_info schema."""
    return {
        "package-name": "taxiway",
        "name": "Taxiway",
        "description": "An ML platform inside Airflow: every model follows the same path from raw data to production.",
        "versions": [__version__],
        "connection-types": [_mlflow_connection(), _gateway_connection()],
        "extra-links": ["taxiway.operators.base.MlflowRunLink", "taxiway.operators.validate_model.GateReportLink"],
        "config": {
            "taxiway": {
                "description": "The settings of Taxiway for all pipelines.",
                "options": {**_store_options(), **_process_options(), **_challenger_options()},
            }
        },
    }


def _mlflow_connection() -> dict[str, Any]:
    return {
        "connection-type": "mlflow",
        "hook-class-name": "taxiway.hooks.mlflow.MlflowHook",
        "hook-name": "MLflow",
        "ui-field-behaviour": _form(
            hidden=["schema", "extra"],
            host=("Address", "https://mlflow.example.com"),
            login=("User, if the server requires one", ""),
        ),
        "conn-fields": {
            "public_url": {
                "label": "Public address, if it differs",
                "schema": {"type": ["string", "null"]},
                "description": "Links to MLflow use this address, such as https://mlflow.example.com",
            }
        },
    }


def _gateway_connection() -> dict[str, Any]:
    return {
        "connection-type": "taxiway_gateway",
        "hook-class-name": "taxiway.hooks.gateway.GatewayHook",
        "hook-name": "Taxiway gateway",
        "ui-field-behaviour": _form(
            hidden=["schema", "login", "extra"],
            host=("Address", "http://gateway.example.com:8500"),
            password=("Admin token", ""),
        ),
    }


def _store_options() -> dict[str, Any]:
    """Where data and records are, and the keys that sign the ledger."""
    return {
        "store": _option("The content-addressed store of spans, records and transforms: any fsspec URL.", "/srv/taxiway"),
        "shared_store": _switch("Whether all hosts that run tasks mount the same folder at a store that is a local path."),
        "data": _option("What {data} stands for in the source patterns of pipeline files.", "s3://company-data"),
        "ledger_keys": _option(
            "The keys that promotions and decisions are signed with, separated by commas, the newest first; "
            "`taxiway ledger new-key` makes one. The gateway needs the same.",
            "",
            sensitive=True,
        ),
    }


def _process_options() -> dict[str, Any]:
    """What the triggerer and the scheduler do."""
    return {
        "poll_seconds": _option(
            "The seconds between two checks of the source of a pipeline with schedule: new_span; 10 by default.", "60"
        ),
        "preload": _switch("Whether the scheduler imports the heavy libraries before it forks its tasks."),
    }


def _challenger_options() -> dict[str, Any]:
    """The containers of challengers."""
    return {
        "challenger_image": _option(
            "The image of challenger containers, for pipelines with deployer: docker.", "taxiway:0.1.0"
        ),
        "challenger_network": _option(
            "The container network of challengers, to which the gateway and MLflow are connected.", "taxiway-challengers"
        ),
        "challenger_memory": _option("The memory limit of a challenger container.", "2g", default="1g"),
        "challenger_cpus": _option("The CPU limit of a challenger container.", "2", default="1"),
    }


def _form(*, hidden: list[str], **fields: tuple[str, str]) -> dict[str, Any]:
    """The connection's form in Airflow: the hidden fields, and the label and example of the others."""
    return {
        "hidden-fields": hidden,
        "relabeling": {name: label for name, (label, _) in fields.items()},
        "placeholders": {name: example for name, (_, example) in fields.items() if example},
    }


def _option(description: str, example: str, default: str = "", *, sensitive: bool = False) -> dict[str, Any]:
    option = {"description": description, "version_added": "0.1.0", "type": "string", "example": example, "default": default}
    return {**option, "sensitive": True} if sensitive else option


def _switch(description: str) -> dict[str, Any]:
    # Airflow parses the default of an option that is not set, and an empty text is not a boolean.
    return {"description": description, "version_added": "0.1.0", "type": "boolean", "example": "True", "default": "False"}
