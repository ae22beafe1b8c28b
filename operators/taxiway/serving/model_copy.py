"""The files of a model version on this machine, and their digest. Downloading and removing them is not part of it."""

from dataclasses import dataclass
from pathlib import Path

from taxiway.errors import TransientError
from taxiway.records.digests import digest_of_folder


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
