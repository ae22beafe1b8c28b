"""Which registered version scores a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import Entry
from taxiway.ledger.promotions import entries
from taxiway.lineage.queries import registered_version
from taxiway.tracking import tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.pyfunc import PyFuncModel

    from taxiway.models.row_model import RowModel


@dataclass(frozen=True)
class Version:
    """A version to score with.

    Attributes:
        model: The registered model.
        version: The version.
        files: The digest of its files by the ledger, or by the registry if it was never promoted; None if neither has it.
        training_run: The id of the MLflow run that trained it; None if there is none.
        model_id: The id of its logged model in MLflow; None if it has none.
    """

    model: str
    version: int
    files: str | None
    training_run: str | None = None
    model_id: str | None = None


def load_version(client: "MlflowClient", version: Version, code: Path | None = None) -> "PyFuncModel":
    """Download a version, check its files, and load it; the arguments and errors are those of `load_trusted`."""
    from taxiway.registry.load import load_trusted

    return load_trusted(client.tracking_uri, version.model, version.version, code=code, files=version.files)


def row_model(loaded: Any, version: Version) -> "RowModel":
    """The model inside a loaded version, which takes rows as the source has them.

    Raises:
        ConfigError: No pipeline of Taxiway has trained it.
    """
    from taxiway.features.signature import raw_model
    from taxiway.models.row_model import RowModel

    model = raw_model(loaded)
    if not isinstance(model, RowModel):
        raise ConfigError(
            f"{version.model} version {version.version} was not trained by a pipeline, so its predictions have no known columns; allowed: "
            "versions that a pipeline trained. For others: mlflow models predict"
        )
    return model


def find_version(ledger: Ledger, name: str, known: Sequence[Entry] | None = None) -> Version:
    """The version that a name means.

    Args:
        ledger: The ledger.
        name: `MODEL` or `MODEL@champion` for the champion by the ledger, `MODEL@ALIAS`, or `MODEL/VERSION`.
        known: The entries of the model in the ledger, newest first, if they are read already.

    Raises:
        ConfigError: The model has no champion.
        TerminalError: There is no such version.
    """
    from taxiway.registry.alias_moves import champion_now, files_by_ledger
    from taxiway.registry.aliases import CHAMPION

    model = name.removesuffix(f"@{CHAMPION}")
    if not {"/", "@"} & set(model):
        known = entries(ledger.client, model) if known is None else known
        champion = champion_now(ledger, model, known)
        if champion is None:
            raise ConfigError(f"{model} has no champion; name a version: {model}/VERSION. To see them: taxiway history {model}")
        name = f"{model}/{champion}"
    registered = registered_version(ledger.client, name)
    model, version = registered.name, int(registered.version)
    files = files_by_ledger(ledger, model, version, known) or registered.tags.get(tags.FILES)
    return Version(model, version, files, registered.run_id or None, registered.model_id or None)
