"""Runs attacks in a process of its own, whose memory and processor time are limited and measured."""

import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MAX_ADDRESSES = 8 << 30
_MAX_CPU_S = 120
"""Far above what any of the attacks needs; without limits of ours, some would take minutes and gigabytes."""
_PROGRAM = """
import json, resource, sys
from importlib import import_module

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

module, name = sys.argv[1].split(":")
attack, inputs, told = getattr(import_module(module), name), json.loads(sys.stdin.read()), {}
for key, given in inputs.items():
    before = peak_mb()
    try:
        attack(given)
        told[key] = ["accepted", "", 0]
    except Exception as error:
        told[key] = [type(error).__name__, str(error), peak_mb() - before]
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Refusal:
    """How an attack ended.

    Attributes:
        error: The type of the exception; `accepted` without one.
        message: Its text.
        grown_mb: By how much the process's peak of memory has grown.
    """

    error: str
    message: str
    grown_mb: int


def attacked(function: str, inputs: dict[str, Any]) -> dict[str, Refusal]:
    """Call `module:function` with each input in a new process. The test fails if the process does not end in order.

    Args:
        function: Takes one input; the child imports its module.
        inputs: JSON values by what they are called.

    Returns:
        How each ended.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, function],
        input=json.dumps(inputs),
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        capture_output=True,
        text=True,
        preexec_fn=_limited,
    )
    assert done.returncode == 0, f"the process ended with {done.returncode}: {done.stderr[-2000:]}"
    return {key: Refusal(*found) for key, found in json.loads(done.stdout).items()}


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_ADDRESSES, _MAX_ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CPU, (_MAX_CPU_S, _MAX_CPU_S))
