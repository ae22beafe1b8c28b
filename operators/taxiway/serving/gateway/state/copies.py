"""Copies of model versions on this machine, from which the gateway serves while the registry does not answer."""

import json
import shutil
import tempfile
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path

from taxiway.records.digests import digest_of_bytes, digest_of_folder
from taxiway.serving.gateway.registry_lookup import RegisteredVersion
from taxiway.serving.model_copy import ModelCopy

_FOLDER = "models"
_ABOUT = "copy.json"
_PARTIAL = ".partial-"


class Copies:
    """The copies in a state folder. Its methods block; one of a model is called at a time.

    A copy is written to a temporary folder, which is then renamed, so a copy that can be found is complete.

    Args:
        folder: The state folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for left in self._folder.glob(f"{_PARTIAL}*"):  # of a gateway that was killed
            shutil.rmtree(left, ignore_errors=True)

    def find(self, model: str, version: int) -> tuple[RegisteredVersion, ModelCopy] | None:
        """A copy with the facts of its version.

        Returns:
            None if there is no copy, if its files were altered or cannot be read, or if a release of Taxiway with other facts made it:
            the version is then downloaded again.
        """
        path = self._path(model, version)
        try:
            about = json.loads((path / _ABOUT).read_bytes())
            known, copy = RegisteredVersion(**about["version"]), ModelCopy(path / about["folder"], about["digest"])
            whole = digest_of_folder(copy.folder) == copy.digest
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return (known, copy) if whole else None

    def add(self, version: RegisteredVersion, download: Callable[[Path], Path]) -> ModelCopy:
        """Make a copy, which replaces one of the same version.

        Args:
            version: The version.
            download: Downloads its files into a folder; returns the folder inside it that holds them.
        """
        temporary = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self._folder))
        try:
            files = download(temporary / "files").relative_to(temporary)
            digest = digest_of_folder(temporary / files)
            about = {"version": asdict(version), "folder": str(files), "digest": digest}
            (temporary / _ABOUT).write_text(json.dumps(about, indent=2))
            path = self._path(version.model, version.version)
            shutil.rmtree(path, ignore_errors=True)
            temporary.rename(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return ModelCopy(path / files, digest)

    def keep_only(self, model: str, versions: Collection[int]) -> None:
        """Remove the copies of all other versions of a model."""
        kept = {self._path(model, version) for version in versions}
        for path in self._folder.glob(f"{_name(model)}-*"):
            if path not in kept:
                shutil.rmtree(path, ignore_errors=True)

    def _path(self, model: str, version: int) -> Path:
        return self._folder / f"{_name(model)}-{version}"


def _name(model: str) -> str:
    """A name for files; a model's own may have any characters."""
    return digest_of_bytes(model.encode())
