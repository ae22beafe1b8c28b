"""The arguments of `model.command`: files that Taxiway writes, parameters, and files beside the pipeline file."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from taxiway.errors import ConfigError, allowed_values
from taxiway.messages import quoted
from taxiway.records.digests import digest_of_file, digest_of_folder

MODEL = "model.onnx"
TRAINING = ("train.parquet", "train.csv")
VALIDATION = ("validation.parquet", "validation.csv")
CONFIG = "config.json"
FILES = (*TRAINING, *VALIDATION, CONFIG, MODEL)
"""The files that an argument can name in braces, and the model that the program writes."""
_SEED = "seed"
_PARAM = "params."
_MAX_FILES = 10_000
_MAX_BYTES = 1 << 30
_PATH = re.compile(r"(-{1,2}[\w.-]+=|)(/.*)", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{([\w.-]+)\}")


def check_command(command: Sequence[str]) -> None:
    """Check the placeholders of a command.

    Raises:
        ValueError: One is unknown, or the command does not name training rows and the model.
    """
    names = _names(command)
    allowed = [f"{{{name}}}" for name in (*FILES, _SEED)]
    for name in names:
        if name not in (*FILES, _SEED) and not name.removeprefix(_PARAM) != name:
            raise ValueError(
                f"command has the placeholder {{{name}}}; {allowed_values(f'{{{name}}}', [*allowed, '{params.NAME}'])}"
            )
    if not set(TRAINING) & set(names) or MODEL not in names:
        raise ValueError(
            f"command needs an argument with {{{TRAINING[0]}}} or {{{TRAINING[1]}}}, the rows to learn from, and one with {{{MODEL}}}, the "
            "file that the program writes"
        )


def parameters_in(command: Sequence[str]) -> tuple[str, ...]:
    """The parameters whose values the command has as arguments, `{params.NAME}`."""
    return tuple(name.removeprefix(_PARAM) for name in _names(command) if name.startswith(_PARAM))


def files_in(command: Sequence[str]) -> tuple[str, ...]:
    """The files of `FILES` that the command names."""
    return tuple(name for name in FILES if name in _names(command))


def beside(command: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The command with the absolute path of each argument that is the path of a file, relative to the pipeline file's folder.

    Links are kept: what the Python of a virtual environment is linked to is another Python.
    """
    return tuple(str(folder.absolute() / part) if part and _is_file(folder / part) else part for part in command)


def inputs_in(command: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """The command and the digests of its inputs: the same on every machine on which the inputs have the same content.

    An input is a file or folder that an argument names by its absolute path, alone or as `--NAME=PATH`. Folders of more than 10,000
    files or 1 GiB, and what cannot be read, are none.

    Returns:
        The command with only the names of its inputs, and their digests by the position of the argument.
    """
    parts, digests = list(command), {}
    for index, part in enumerate(command):
        found = _PATH.fullmatch(part)
        if found and (digest := _digest(Path(found[2]))):
            parts[index] = f"{found[1]}{Path(found[2]).name}"
            digests[f"command.{index}"] = digest
    return tuple(parts), digests


def shown(command: Sequence[str]) -> str:
    """What is run, for people: the arguments before the first placeholder, such as `Rscript train.R`."""
    parts = [Path(part).name if part.startswith("/") else part for part in command]
    first = next((at for at, part in enumerate(parts) if _PLACEHOLDER.search(part)), len(parts))
    return " ".join(parts[: max(first, 1)])


def filled(command: Sequence[str], folder: Path, params: Mapping[str, Any], seed: int) -> list[str]:
    """The command with the values of its placeholders.

    Args:
        command: The command.
        folder: The folder with the files.
        params: The parameters. Texts are arguments as they are, other values in JSON.
        seed: The value of `{seed}`.

    Raises:
        ConfigError: There is no such parameter.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1]
        if name in FILES:
            return str(folder / name)
        if name == _SEED:
            return str(seed)
        parameter = name.removeprefix(_PARAM)
        if parameter not in params:
            raise ConfigError(
                f"model.command has {{{name}}}, but there is no parameter {quoted(parameter)}; {allowed_values(parameter, params)}",
                key="model.command",
                got=name,
            )
        given = params[parameter]
        return given if isinstance(given, str) else json.dumps(given)

    return [_PLACEHOLDER.sub(value, part) for part in command]


def _names(command: Sequence[str]) -> list[str]:
    return [name for part in command for name in _PLACEHOLDER.findall(part)]


def _digest(path: Path) -> str | None:
    """The digest of a file or folder; None if it is neither, cannot be read, or is too large a folder."""
    try:
        if path.is_file():
            return digest_of_file(path)
        return digest_of_folder(path) if path.is_dir() and _is_small(path) else None
    except (OSError, ValueError):
        return None


def _is_small(folder: Path) -> bool:
    """Whether a folder has only plain files, and not too many of them."""
    size = 0
    for count, path in enumerate(folder.rglob("*"), start=1):
        size += path.stat().st_size
        if count > _MAX_FILES or size > _MAX_BYTES or not (path.is_file() or path.is_dir()):
            return False
    return True


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # an argument that can be no path
        return False
