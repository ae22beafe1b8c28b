"""Training by a program of the team's own, `model.command`: it reads files and writes an ONNX model."""

import json
import logging
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.credentials import passed_variables
from taxiway.errors import ConfigError, FitError
from taxiway.messages import clipped
from taxiway.spec.metrics import Problem
from taxiway.spec.model.command import CONFIG, MODEL, TRAINING, files_in, filled, shown
from taxiway.store import temp_folder
from taxiway.training.own.data import TrainingData
from taxiway.training.own.training import OwnTraining, estimator_of

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)
_KEEPER = Path(__file__).with_name("keeper.py")
_LONGEST_LINE = 2000
_LAST_LINES = 10
_MAX_LINES = 10_000
"""In the log of the task; a program may print for each row."""
_LAST_CHARACTERS = 1500
_MAX_MODEL_BYTES = 1 << 30


class OwnCommand(OwnTraining):
    """The program of `model.command` with its parameters.

    Args:
        command: The program and its arguments.
        params: The parameters.

    Raises:
        ConfigError: The program cannot be found or executed.
    """

    def __init__(self, command: Sequence[str], params: Mapping[str, Any]) -> None:
        self._command = command
        self._params = params
        self._name = f"model.command: {shown(command)}"
        program = command[0]
        if shutil.which(program) is None:
            why = (
                "is not executable; make it so (chmod +x), or name its interpreter first, such as [Rscript, train.R]"
                if Path(program).is_file()
                else ("is not found; allowed: a program on the PATH of the tasks, or a file in the folder of the pipeline file")
            )
            raise ConfigError(f"model.command: the program {Path(program).name} {why}", key="model.command", got=program)

    def fit(self, data: TrainingData, problem: Problem, previous: Callable[[], Any]) -> Any:  # noqa: ARG002 (it starts from nothing)
        """Run the program; see `OwnTraining.fit`."""
        if find_spec("onnx") is None or find_spec("onnxruntime") is None:
            raise ConfigError("model.command needs the packages onnx and onnxruntime: pip install 'taxiway[onnx]'")
        with temp_folder("command") as folder:
            arguments = filled(self._command, folder, self._params, data.seed)
            for name in files_in(self._command):
                _write(folder / name, data, problem, self._params)
            self._run(arguments, folder)
            return estimator_of(self._model_in(folder), data, problem, self._name)

    def _run(self, arguments: Sequence[str], folder: Path) -> None:
        """Run the program until it exits; its output goes to the log.

        Raises:
            FitError: It could not be started, exited with another code than 0, or was ended by a signal.
        """
        last: deque[str] = deque(maxlen=_LAST_LINES)
        try:
            keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_KEEPER), *arguments],
                stdin=subprocess.PIPE,  # closes with this process, or this block, and ends the program
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**passed_variables(), "TMPDIR": str(folder)},
                start_new_session=True,  # so that a signal to the task's group does not reach it first
                encoding="utf-8",
                errors="replace",
            )
        except (OSError, ValueError) as error:  # arguments that are too long, or have a zero byte
            raise FitError(f"{self._name} cannot be started with its arguments: {error}") from error
        with keeper:
            output = keeper.stdout
            assert output is not None
            lines = (line.rstrip() for line in iter(lambda: output.readline(_LONGEST_LINE), ""))
            for number, text in enumerate(filter(None, lines)):
                last.append(text)
                if number < _MAX_LINES:
                    _log.info("%s", text)
                elif number == _MAX_LINES:
                    _log.warning("the program printed %s lines; what follows is not logged", f"{_MAX_LINES:,}")
        if keeper.returncode:
            raise FitError(f"{self._name} {_how_it_ended(keeper.returncode)}; nothing was registered. {_said(last)}")

    def _model_in(self, folder: Path) -> bytes:
        path = folder / MODEL
        if not path.is_file():
            raise FitError(f"{self._name} exited with code 0 and did not write the file of {{{MODEL}}}; nothing was registered")
        if path.stat().st_size > _MAX_MODEL_BYTES:
            raise FitError(f"{self._name} wrote a model of {path.stat().st_size:,} bytes; allowed: {_MAX_MODEL_BYTES:,}")
        try:
            return path.read_bytes()
        except OSError as error:
            raise FitError(f"{self._name} wrote a model that cannot be read: {error.strerror}") from error


def _how_it_ended(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        name = str(-code)
    hint = ", as the kernel does if memory runs out" if -code == signal.SIGKILL else ""
    return f"was ended by the signal {name}{hint}"


def _said(last: Sequence[str]) -> str:
    if not last:
        return "It printed nothing"
    text = "\n".join(last)[-_LAST_CHARACTERS:]
    return f"The last of its output:\n{clipped(text, _LAST_CHARACTERS)}"


def _write(path: Path, data: TrainingData, problem: Problem, params: Mapping[str, Any]) -> None:
    """Write one of the files that the command names; the model is left to the program."""
    if path.name == CONFIG:
        about = {
            "problem": problem,
            "classes": data.classes,
            "columns": _columns(data),
            "seed": data.seed,
            "params": dict(params),
        }
        path.write_text(json.dumps(about), encoding="utf-8")
    elif path.name != MODEL:
        learned = path.name in TRAINING
        table = _table(data, learned=learned)
        if path.suffix == ".csv":
            from pyarrow.csv import write_csv

            write_csv(table, path)
        else:
            from pyarrow.parquet import write_table

            write_table(table, path)


def _table(data: TrainingData, *, learned: bool) -> "pa.Table":
    """The rows: the label, the weight if there is one, and the features."""
    import pyarrow as pa

    matrix, labels, weights = (
        (data.matrix, data.labels, data.weights)
        if learned
        else (data.validation_matrix, data.validation_labels, data.validation_weights)
    )
    first = {"label": labels, **({} if weights is None else {"weight": weights})}
    return pa.table({**first, **{name: matrix[:, at] for at, name in enumerate(_columns(data))}})


def _columns(data: TrainingData) -> list[str]:
    """The names of the features in files; `label_` for a feature called `label`, because readers want each name once."""
    names = ["label", *(["weight"] if data.weights is not None else [])]
    first = len(names)
    for name in data.columns:
        unique = name
        while unique in names:
            unique += "_"
        names.append(unique)
    return names[first:]
