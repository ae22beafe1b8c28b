"""Validations of stored rows under the present schema: one at a time, each in a process of its own, and each done once.

The API server answers people, so it does not spend its memory and its threads on the rows of a pipeline.
"""

import json
import subprocess
import sys
from concurrent.futures import Future
from hashlib import sha256
from pathlib import Path
from threading import Lock
from time import monotonic

from taxiway.credentials import without_credentials
from taxiway.errors import TransientError
from taxiway.messages import counted
from taxiway_ui.reviews.background import Background

RETRY_SECONDS = 600
_TIMEOUT_SECONDS = 1800
_MAX_KNOWN = 1000


class Validations:
    """The validations that were asked for; each is found again by all that it depends on."""

    def __init__(self) -> None:
        self._pool = Background(1, "taxiway-validation")
        self._known: dict[str, tuple[float, Future[tuple[str, ...]]]] = {}
        self._lock = Lock()

    def find(self, request: str, files: tuple[Path, ...]) -> Future[tuple[str, ...]]:
        """The validation of stored rows; it is begun if it is not known, or failed a while ago.

        Args:
            request: What the process reads; see `taxiway.stages.review.under_schema`.
            files: The files whose content decides with it: the pipeline file, the schema, the suite.

        Returns:
            The messages of the anomalies, when they are known.
        """
        key = _key(request, files)
        with self._lock:
            at, found = self._known.get(key, (0.0, None))
            if found is None or (found.done() and found.exception() is not None and monotonic() - at > RETRY_SECONDS):
                found = self._pool.submit(lambda: validate(request))
                self._known[key] = monotonic(), found
                while len(self._known) > _MAX_KNOWN:
                    del self._known[next(iter(self._known))]
        return found


def validate(request: str) -> tuple[str, ...]:
    """Validate stored rows in a process; returns the messages of the anomalies.

    Raises:
        TransientError: The process failed, or took too long.
    """
    command = [sys.executable, "-m", "taxiway.stages.review.under_schema"]
    try:
        done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise TransientError(f"the validation took more than {counted(_TIMEOUT_SECONDS, 'second')}") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise TransientError(f"the validation failed: {without_credentials(lines[-1])}")
    return tuple(json.loads(done.stdout))


def _key(request: str, files: tuple[Path, ...]) -> str:
    digest = sha256(request.encode())
    for file in files:
        digest.update(b"\0" + file.read_bytes())
    return digest.hexdigest()
