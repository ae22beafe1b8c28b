"""The files of a model version on this machine, and their digest. Downloading and removing them is not part of it."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from taxiway.errors import TransientError
from taxiway.records.digests import DIGEST_BYTES, digest_of_stream


@dataclass(frozen=True)
class ModelCopy:
    """A downloaded model version.

    Attributes:
        folder: Its files.
        digest: The digest of the files' names and contents.
    """

    folder: Path
    digest: str

    def verify(self) -> None:
        """Check that the files are as they were downloaded.

        Raises:
            TransientError: They are not; they must be downloaded again.
        """
        if digest_of_folder(self.folder) != self.digest:
            raise TransientError(f"the files in {self.folder} are not as they were downloaded; they must be downloaded again")


def digest_of_folder(folder: Path) -> str:
    """The digest of all files in a folder: their names and contents."""
    state = blake2b(digest_size=DIGEST_BYTES)
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        with path.open("rb") as file:
            state.update(f"{path.relative_to(folder)}\0{digest_of_stream(file)}\n".encode())
    return state.hexdigest()
