"""Which registered version scores a batch."""

from dataclasses import dataclass

from taxiway.errors import ConfigError
from taxiway.ledger.chain import Ledger
from taxiway.messages import quoted


@dataclass(frozen=True)
class Version:
    """A version to score with.

    Attributes:
        model: The registered model.
        version: The version.
        files: The digest of its files; None if it is not known.
    """

    model: str
    version: int
    files: str | None


def find_version(ledger: Ledger, name: str) -> Version:
    """The version that a name means.

    Args:
        ledger: The ledger.
        name: `MODEL` or `MODEL@champion` for the champion by the ledger, `MODEL@ALIAS`, or `MODEL/VERSION`.

    Raises:
        ConfigError: There is no such version, or no champion.
    """
    from taxiway.registry.alias_moves import champion_now, files_by_ledger
    from taxiway.registry.aliases import CHAMPION, version_at

    if "/" in name:
        model, _, number = name.rpartition("/")
        if not number.isdecimal() or not int(number):
            raise ConfigError(
                f"{quoted(name)} is not a version; allowed: MODEL, MODEL@ALIAS or MODEL/VERSION, such as flights.late/3"
            )
        version: int | None = int(number)
    else:
        model, _, alias = name.partition("@")
        version = champion_now(ledger, model) if alias in ("", CHAMPION) else version_at(ledger.client, model, alias)
    if version is None or not _exists(ledger, model, version):
        raise ConfigError(f"{_missing(name)}; see `taxiway history {model}`, or name a version: {model}/VERSION")
    return Version(model, version, files_by_ledger(ledger, model, version))


def _exists(ledger: Ledger, model: str, version: int) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        ledger.client.get_model_version(model, str(version))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return False
        raise
    return True


def _missing(name: str) -> str:
    if "/" in name:
        return f"there is no version {name}"
    return f"{name} is not a version" if "@" in name else f"{name} has no champion"
