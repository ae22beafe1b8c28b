"""The commands that serve models: `taxiway serve`, the gateway, and `taxiway serve-version`, one version for a gateway."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from taxiway.cli.options import tracking_option

if TYPE_CHECKING:
    from pydantic import BaseModel

    S = TypeVar("S", bound=BaseModel)


code_option = click.option(
    "--code",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    envvar="TAXIWAY_CODE",
    show_envvar=True,
    help="The folder of trusted Python files, such as that of the DAGs, for models of a team's own class.",
)


def _no_url(_context: click.Context, _option: click.Parameter, value: Path | None) -> Path | None:
    """Refuse an object store, which `Path` would make a local folder of."""
    if value is not None and re.match(r"\w+:/", str(value)):
        url = str(value).replace(":/", "://", 1)  # a Path has one slash
        raise click.BadParameter(f"{url} is a URL; allowed: a folder, whose files can be copied to an object store")
    return value


@click.command()
@tracking_option
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder of the request log and of copies of models.",
)
@click.option("--model", "models", multiple=True, help="A registered model to serve; pushes add others. May be repeated.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Worker processes per model version.")
@click.option(
    "--worker-memory",
    type=click.IntRange(256),
    metavar="MIB",
    help="How much memory a worker process may allocate, in MiB; a predict call that needs more fails. Default: no limit.",
)
@click.option(
    "--limits",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A YAML file with limits of single models: workers, worker_memory_mib, queue_limit and predict_timeout_s.",
)
@click.option(
    "--queue-limit",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="How many requests of a model may wait before more are refused.",
)
@click.option(
    "--max-body",
    type=click.IntRange(1, 16),
    default=2,
    metavar="MIB",
    show_default=True,
    help="The size limit of a request, in MiB, at most 16.",
)
@click.option(
    "--max-rows", type=click.IntRange(1, 100_000), default=10_000, show_default=True, help="How many rows a request may have."
)
@click.option(
    "--max-cells",
    type=click.IntRange(1, 1_000_000),
    default=100_000,
    show_default=True,
    help="How many cells a request may have: rows times columns, and the items of lists.",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8500, show_default=True)
@click.option(
    "--tls-certificate",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The certificate chain in PEM, for HTTPS; a renewed file is used without a restart.",
)
@click.option("--tls-key", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="The key of the certificate.")
@click.option(
    "--log",
    type=click.Choice(["sync", "fast"]),
    default="sync",
    show_default=True,
    help="Answer a request once it is in the request log, or before; `fast` may lose the newest 1,000 requests from the log.",
)
@click.option(
    "--log-folder",
    type=click.Path(path_type=Path, file_okay=False),
    callback=_no_url,
    help="The folder of the Parquet files of the request log.  [default: log in the state folder]",
)
@click.option(
    "--keep-log-days",
    type=click.IntRange(0),
    default=365,
    show_default=True,
    help="How many days of Parquet files are kept; 0 for all.",
)
@click.option(
    "--omit-column", "omit_columns", multiple=True, help="An input that is not in the Parquet files. May be repeated."
)
@click.option(
    "--hash-column",
    "hash_columns",
    multiple=True,
    help="An input of which the Parquet files have a keyed hash. May be repeated.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the gateway writes what happens to stderr.",
)
@click.option("--access-log", is_flag=True, help="Write a line about each request for predictions to stderr.")
@code_option
@click.option("--caller-token", envvar="TAXIWAY_CALLER_TOKEN", required=True, show_envvar=True, hidden=True)
@click.option("--admin-token", envvar="TAXIWAY_ADMIN_TOKEN", required=True, show_envvar=True, hidden=True)
@click.option("--ledger-keys", envvar="TAXIWAY_LEDGER_KEYS", default="", show_envvar=True, hidden=True)
@click.option(
    "--allow-unbacked-alias",
    is_flag=True,
    envvar="TAXIWAY_ALLOW_UNBACKED_ALIAS",
    show_envvar=True,
    help="Serve the version with the alias champion if the newest promotion in the ledger names another one, or if there is none.",
)
def serve(
    state: Path,
    worker_memory: int | None,
    limits: Path | None,
    max_body: int,
    keep_log_days: int,
    **given: Any,
) -> None:
    """Serve champions and mirror requests to challengers.

    The gateway logs the answers of both. Two tokens are read from the environment: TAXIWAY_CALLER_TOKEN allows predictions, TAXIWAY_ADMIN_TOKEN also changes what is
    served. Each must have at least 16 characters. `taxiway caller add` adds callers with tokens and limits of their own. TAXIWAY_LEDGER_KEYS has the keys that promotions must be signed with; without keys,
    signatures are not checked.
    """
    from taxiway.serving.gateway.model_limits import read_model_limits
    from taxiway.serving.gateway.server import serve as run
    from taxiway.serving.gateway.settings import GatewaySettings

    content: dict[str, object] = {
        **given,
        "state_folder": state.absolute(),
        "worker_memory_bytes": worker_memory and worker_memory << 20,
        "model_limits": read_model_limits(limits) if limits else {},
        "max_body_bytes": max_body << 20,
        "keep_days": keep_log_days or None,
    }
    run(_checked(GatewaySettings, content))


@click.command("serve-version")
@click.argument("model")
@click.argument("version", type=click.IntRange(1))
@tracking_option
@click.option("--lease", type=click.FloatRange(1), required=True, help="Stop after this many seconds.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8600, show_default=True)
@code_option
@click.option("--token", envvar="TAXIWAY_VERSION_TOKEN", required=True, show_envvar=True, hidden=True)
def serve_version(
    model: str, version: int, tracking_uri: str, lease: float, host: str, port: int, code: Path | None, token: str
) -> None:
    """Serve one VERSION of MODEL to a gateway. This runs in the container of a challenger.

    The gateway's token for it is read from TAXIWAY_VERSION_TOKEN; it must have at least 16 characters.
    """
    from taxiway.serving.workers.serve_version import VersionSettings
    from taxiway.serving.workers.serve_version import serve_version as run

    content = {"tracking_uri": tracking_uri, "model": model, "version": version, "token": token}
    run(_checked(VersionSettings, content | {"lease_s": lease, "host": host, "port": port, "code": code}))


def _checked(kind: "type[S]", content: dict[str, object]) -> "S":
    """Validate settings from the command line; an invalid one is a usage error."""
    from pydantic import ValidationError

    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise click.UsageError(
            "; ".join(
                f"{e['loc'][-1] if e['loc'] else 'settings'}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
            )
        ) from None
