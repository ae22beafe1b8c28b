"""Training by a program of the team's own: what it gets, what it may write, how it ends, and that nothing of it is left."""

import csv
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper, numpy_helper

from ending import dies_with_us
from helping import until
from taxiway.errors import ConfigError, FitError
from taxiway.records import FeatureSet
from taxiway.spec.metrics import Problem
from taxiway.spec.model.command import beside, shown
from taxiway.spec.model.section import Model
from taxiway.training.estimator import accepts_missing, build_estimator
from taxiway.training.fit import training_data
from taxiway.training.own import command
from taxiway.training.own.command import OwnCommand
from taxiway.training.rows import TrainingRows
from taxiway.training.train import candidate_key

CLASSES = ("no", "yes")
COLUMNS = ("label", "b b", 'c,"c"', "weight")
NEEDED = ("{train.csv}", "{model.onnx}")


def onnx_model(outputs: int = 2, *, softmax: bool = True) -> bytes:
    nodes = [helper.make_node("MatMul", ["rows", "weights"], ["scores"])]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["scores"], ["answers"]))
    kind, out = TensorProto.DOUBLE, "answers" if softmax else "scores"
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("rows", kind, [None, 4])],
        [helper.make_tensor_value_info(out, kind, [None, outputs])],
        [numpy_helper.from_array(np.random.default_rng(2).normal(size=(4, outputs)), "weights")],
    )
    made: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    return made


def program(folder: Path, text: str) -> str:
    """A shell script in the folder, and beside it a valid model, given.onnx."""
    (folder / "given.onnx").write_bytes(onnx_model())
    (folder / "train.sh").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "train.sh").chmod(0o755)
    return str(folder / "train.sh")


def trained(
    *command: str, problem: Problem = "classification", params: dict[str, Any] | None = None, weighted: bool = False
) -> Any:
    rows = TrainingRows.made_up(problem, weighted=weighted)
    data = training_data(rows, CLASSES if problem == "classification" else (), COLUMNS)
    own = build_estimator(Model(command=command, params=params or {}), {}, problem)
    assert not accepts_missing(own)
    return own.fit(data, problem, lambda: None)


@pytest.mark.parametrize(("problem", "weighted"), [("classification", True), ("regression", False)])
def test_a_program_gets_the_same_data_as_a_function(tmp_path: Path, problem: Problem, weighted: bool) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    script = program(tmp_path, 'for file in "$@"; do case $file in *.onnx) ;; *) cp "$file" KEPT ;; esac; done; cp GIVEN "$6"')
    text = Path(script).read_text().replace("KEPT", str(kept)).replace("GIVEN", str(tmp_path / "given.onnx"))
    Path(script).write_text(text)
    (tmp_path / "given.onnx").write_bytes(onnx_model(2 if problem == "classification" else 1, softmax=problem != "regression"))
    files = ("train.csv", "train.parquet", "validation.csv", "validation.parquet", "config.json")
    trained(
        script, *(f"{{{name}}}" for name in (*files, "model.onnx")), problem=problem, params={"depth": 3}, weighted=weighted
    )
    assert {path.name for path in kept.iterdir()} == set(files)

    data = training_data(
        TrainingRows.made_up(problem, weighted=weighted), CLASSES if problem == "classification" else (), COLUMNS
    )
    first = ["label", "weight"] if weighted else ["label"]
    features = ["label_", "b b", 'c,"c"', "weight_" if weighted else "weight"]  # each name once
    for name, labels, matrix in (
        ("train", data.labels, data.matrix),
        ("validation", data.validation_labels, data.validation_matrix),
    ):
        table = pq.read_table(kept / f"{name}.parquet")
        assert table.column_names == [*first, *features]
        assert np.array_equal(table.column(0), labels)
        assert np.array_equal(np.column_stack(table.columns[len(first) :]), matrix)
        with (kept / f"{name}.csv").open(newline="") as file:
            header, *rows = csv.reader(file)
        assert header == table.column_names
        assert np.array_equal(np.array(rows, dtype=float), np.column_stack(table.columns))  # with every digit
    assert json.loads((kept / "config.json").read_text()) == {
        "problem": problem,
        "classes": list(data.classes),
        "columns": features,
        "seed": data.seed,
        "params": {"depth": 3},
    }


def test_parameters_are_arguments_and_output_goes_to_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    script = program(tmp_path, f'shift 2; printf "%s|" "$@"; echo; echo warned >&2; cp {tmp_path}/given.onnx "$MODEL"')
    Path(script).write_text(Path(script).read_text().replace("shift 2", 'MODEL=$2; ls "$(dirname "$2")"; shift 2'))
    with caplog.at_level(logging.INFO, "taxiway.training"):
        trained(
            script,
            *NEEDED,
            *("--rate={params.rate}", "{params.kind}", "{params.layers}", "{params.flag}", '{"a": 1}', "{seed}"),
            params={"rate": 0.1, "kind": "a b; rm $HOME", "layers": [3, 2], "flag": True},
        )
    lines = [record.getMessage() for record in caplog.records]
    # The working folder contains only the requested files, and no shell interprets the arguments.
    assert lines == ["train.csv", '--rate=0.1|a b; rm $HOME|[3, 2]|true|{"a": 1}|20130101|', "warned"]


def test_the_log_of_a_program_that_prints_very_much_is_capped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_MAX_LINES", 3)
    script = program(tmp_path, "seq 100; exit 4")
    with caplog.at_level(logging.INFO, "taxiway.training"), pytest.raises(FitError, match="97\n98\n99\n100"):
        trained(script, *NEEDED)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["1", "2", "3", "the program printed 3 lines; what follows is not logged"]


def test_a_program_does_not_get_the_credentials_of_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("MLFLOW_TRACKING_PASSWORD", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH"):
        monkeypatch.setenv(name, "hidden")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with caplog.at_level(logging.INFO, "taxiway.training"):
        trained(program(tmp_path, f'env; cp {tmp_path}/given.onnx "$2"'), *NEEDED)
    lines = [record.getMessage() for record in caplog.records]
    assert "OMP_NUM_THREADS=3" in lines
    assert any(line.startswith("PATH=") for line in lines)
    assert not any("hidden" in line for line in lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "seq 100; echo broken >&2; exit 3",
            r"train.sh ended with exit code 3; nothing was registered. The last of its output:\n92\n(?s:.)*broken$",
        ),
        ("exit 1", r"ended with exit code 1; nothing was registered\. It printed nothing$"),
        ("kill -KILL $$", "was ended by the signal SIGKILL, as the kernel does if memory runs out; nothing was registered"),
        ("kill -SEGV $$", "was ended by the signal SIGSEGV; nothing was registered"),
        ("true", r"exited with code 0 and did not write the file of \{model.onnx\}; nothing was registered"),
        ("mkdir $2", "did not write the file"),
        ("mkfifo $2", "did not write the file"),
        ("echo no model > $2", "the ONNX model is not valid"),
        ("truncate -s 2G $2", "wrote a model of 2,147,483,648 bytes; allowed: 1,073,741,824"),
        (": > $2", "the ONNX model is not valid"),
        ("head -c 100000 /dev/zero | tr '\\0' x; exit 1", r"ended with exit code 1(?s:.){0,1700}$"),
    ],
)
def test_how_a_program_fails_is_a_sentence_with_its_last_lines(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(FitError, match=words):
        trained(program(tmp_path, text), *NEEDED)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), "the program train.sh is not found; allowed: a program on the PATH"),
        (lambda path: path.chmod(0o644), "the program train.sh is not executable; make it so \\(chmod"),
    ],
)
def test_a_program_that_cannot_be_run_is_found_before_training(tmp_path: Path, change: Any, words: str) -> None:
    script = program(tmp_path, "true")
    change(Path(script))
    with pytest.raises(ConfigError, match=words):
        OwnCommand([script, *NEEDED], {})


def test_a_program_that_the_system_cannot_execute_is_a_sentence(tmp_path: Path) -> None:
    script = program(tmp_path, "true")
    Path(script).write_bytes(b"\x7fELF no program")
    with pytest.raises(FitError, match=r"exit code 126(?s:.)*train\.sh cannot be started: Exec format error"):
        trained(script, *NEEDED)
    with pytest.raises(FitError, match="cannot be started with its arguments"):
        trained(program(tmp_path, "true"), *NEEDED, "{params.text}", params={"text": "a\0b"})


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("a", "{train.csv}"), r"command needs an argument with .* and one with \{model\.onnx\}"),
        (("a", "{model.onnx}"), "the rows to learn from"),
        (("a", *NEEDED, "{train.cvs}"), r'has the placeholder \{train\.cvs\}; allowed: .*did you mean "\{train\.csv\}"'),
        ((), "at least 1"),
    ],
)
def test_what_is_no_command_is_refused_in_the_pipeline_file(command: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Model(command=command)


def test_a_command_stands_alone_in_its_section() -> None:
    with pytest.raises(ValueError, match="exactly one of estimator"):
        Model(command=("a", *NEEDED), train="f.py:train")
    with pytest.raises(ValueError, match="early_stopping is for estimators; a command gets validation rows"):
        Model.model_validate({"command": ["a", *NEEDED], "early_stopping": {}})
    with pytest.raises(ConfigError, match=r'there is no parameter "depth"'):
        OwnCommand(["sh", *NEEDED, "{params.depth}"], {}).fit(
            training_data(TrainingRows.made_up("regression"), (), COLUMNS), "regression", lambda: None
        )


def test_the_content_of_files_that_a_command_names_decides_about_reuse(tmp_path: Path) -> None:
    features = FeatureSet.model_construct(digest="0" * 32)

    def key(folder: Path, *command: str) -> str:
        return candidate_key(features, None, Model(command=beside(command, folder)), {}).digest

    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "r").mkdir(parents=True)
        (folder / "r" / "train.R").write_text("a")
    command = ("Rscript", "r/train.R", *NEEDED)
    before = key(one, *command)
    assert key(other, *command) == before  # the folder is no part of it
    assert key(one, *command, "--more") != before
    (one / "r" / "train.R").write_text("b")
    assert key(one, *command) != before
    assert key(one, *command, "/opt/one/none") != key(one, *command, "/opt/two/none")  # what is not there counts as text
    assert shown(beside(command, one)) == "Rscript train.R"
    (one / "python").symlink_to(sys.executable)
    # The Python of a virtual environment is a link, and what it is linked to is another Python.
    assert beside((str(one / "python"), "python"), one) == (str(one / "python"), str(one / "python"))


@pytest.mark.parametrize("option", ["", "--prior=", "-p="])
@pytest.mark.parametrize("name", ["prior", "prior/deep/x.csv"])
def test_the_content_of_inputs_in_other_folders_decides_about_reuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, name: str
) -> None:
    features = FeatureSet.model_construct(digest="0" * 32)
    for version in ("v1", "v2"):
        (tmp_path / version / "prior" / "deep").mkdir(parents=True)
        (tmp_path / version / "prior" / "deep" / "x.csv").write_text("1")

    def key(version: str) -> str:
        command = ("python3", *NEEDED, f"{option}{tmp_path / version / name}")
        return candidate_key(features, None, Model(command=command), {}).digest

    before = key("v1")
    assert key("v2") == before
    (tmp_path / "v2" / "prior" / "deep" / "x.csv").write_text("2")
    assert key("v2") != before
    if name == "prior":
        (tmp_path / "v2" / "prior" / "deep" / "x.csv").write_text("1")
        monkeypatch.setattr("taxiway.spec.model.command._MAX_FILES", 1)
        assert key("v2") != key("v1"), "a folder of too many files counts as its path"


DAEMON = "sleep 1000 & echo $! > {0}/pids; setsid sh -c 'echo $$ >> {0}/pids; exec sleep 1000' & while [ \"$(wc -l < {0}/pids)\" != 2 ]; do :; done; "


def pids(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "pids").read_text().split()]


def test_nothing_of_a_program_is_left_when_it_has_ended(tmp_path: Path) -> None:
    """Its children hold its output open, one of them in a session of its own."""
    trained(program(tmp_path, f'{DAEMON.format(tmp_path)} cp {tmp_path}/given.onnx "$2"'), *NEEDED)
    assert len(pids(tmp_path)) == 2
    assert not any(map(psutil.pid_exists, pids(tmp_path)))


def test_a_program_ends_with_a_task_that_is_cancelled(tmp_path: Path) -> None:
    def cancel(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGUSR1, cancel)
    try:
        with pytest.raises(TimeoutError):
            trained(program(tmp_path, f"{DAEMON.format(tmp_path)} kill -USR1 {os.getpid()}; exec sleep 1000"), *NEEDED)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(pids(tmp_path)) == 2
    assert not any(map(psutil.pid_exists, pids(tmp_path)))


def test_a_program_ends_with_a_task_that_is_killed(tmp_path: Path) -> None:
    script = program(tmp_path, f"{DAEMON.format(tmp_path)} echo $$ >> {tmp_path}/pids; trap '' TERM HUP INT; exec sleep 1000")
    code = (
        "from taxiway.training.own.command import OwnCommand\n"
        "from taxiway.training.fit import training_data\n"
        "from taxiway.training.rows import TrainingRows\n"
        f"data = training_data(TrainingRows.made_up('regression'), (), {COLUMNS!r})\n"
        f"OwnCommand([{script!r}, *{NEEDED!r}], {{}}).fit(data, 'regression', lambda: None)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], preexec_fn=dies_with_us) as task:
        until(lambda: (tmp_path / "pids").is_file() and len(pids(tmp_path)) == 3, "the program runs")
        task.kill()
    until(lambda: not any(map(psutil.pid_exists, pids(tmp_path))), "all processes have ended")
