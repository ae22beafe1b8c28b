"""Which errors of loading a model are permanent, and which may go away by themselves."""

import errno
from pathlib import Path

import pytest

from taxiway.errors import ModelLoadError, TransientError
from taxiway.records.digests import digest_of_folder
from taxiway.serving.model_copy import ModelCopy
from taxiway.serving.workers import process
from taxiway.serving.workers.base import ModelSource

_LOADER = """
import errno
from taxiway.errors import ConfigError, TransientError

def load(folder):
    {statement}
"""


def source_of(folder: Path, monkeypatch: pytest.MonkeyPatch, statement: str) -> ModelSource:
    """A copy of one file, and a loader that only runs this statement."""
    files = folder / "files"
    files.mkdir()
    (files / "model").write_text("weights")
    name = f"loader_{abs(hash(statement))}"
    (folder / f"{name}.py").write_text(_LOADER.format(statement=statement))
    monkeypatch.syspath_prepend(folder)
    return ModelSource(f"{name}:load", "flights.late", 1, ModelCopy(files, digest_of_folder(files)))


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("open(folder / 'vocabulary.txt')", ModelLoadError),  # the files are verified, so it was never among them
        ("raise ValueError('the weights have 3 columns')", ModelLoadError),
        ("raise ConfigError('no trusted code')", ModelLoadError),
        ("import a_library_that_is_not_installed", ModelLoadError),
        ("return object()", ModelLoadError),
        (
            "raise FileNotFoundError(errno.ENOENT, 'no usable temporary directory')",
            TransientError,
        ),  # a full disk, as tempfile says it
        ("raise OSError(errno.ENOSPC, 'no space left on device')", TransientError),
        ("raise PermissionError(errno.EACCES, 'permission denied', 'model')", TransientError),
        ("raise MemoryError", TransientError),
        ("raise TransientError('the files are not as they were downloaded')", TransientError),
    ],
)
def test_an_error_of_loading_is_permanent_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, kind: type[Exception]
) -> None:
    with pytest.raises((ModelLoadError, TransientError)) as raised:
        process.load(source_of(tmp_path, monkeypatch, statement))
    assert type(raised.value) is kind


def test_files_that_were_altered_are_downloaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tmp_path, monkeypatch, "raise ValueError('must not be called')")
    (source.copy.folder / "model").write_text("other")
    with pytest.raises(TransientError, match="they must be downloaded again"):
        process.load(source)


def test_files_that_cannot_be_read_may_be_readable_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tmp_path, monkeypatch, "raise ValueError('must not be called')")
    (source.copy.folder / "model").unlink()
    (source.copy.folder / "model").symlink_to("model")
    with pytest.raises(TransientError, match=f"Errno {errno.ELOOP}"):
        process.load(source)
