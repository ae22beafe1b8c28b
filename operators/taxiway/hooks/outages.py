"""Waits until MLflow and the store answer again, for what must not be lost when a task fails."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from taxiway.credentials import without_credentials
from taxiway.errors import TransientError
from taxiway.messages import error_text
from taxiway.serving.retries import Retry

T = TypeVar("T")
_log = logging.getLogger(f"airflow.task.{__name__}")

_OUTAGES = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED")
"""The error codes of MLflow for a server that does not answer or has failed; a request that fails has INTERNAL_ERROR."""
_FIRST_WAIT_S = 2.0
_LONGEST_WAIT_S = 6 * 3600


def outlast_outages(work: Callable[[], T], what: str, consequence: str) -> T:
    """Do something, again and again while MLflow or the store does not answer, for at most six hours.

    Args:
        work: What is done; it can be repeated.
        what: What it is about, as the subject of a warning: `the answer of ada`.
        consequence: What happens if the task is ended before, as a sentence.

    Raises:
        Exception: The last error of an outage that lasted longer; any other error at once.
    """
    retry, ends = Retry(_FIRST_WAIT_S), time.monotonic() + _LONGEST_WAIT_S
    while True:
        try:
            return work()
        except Exception as error:
            retry.failed()
            wait_s = retry.wait_s
            if not _is_outage(error) or time.monotonic() + wait_s > ends:
                raise
            why, hours = without_credentials(error_text(error)), _LONGEST_WAIT_S // 3600
            _log.warning(
                "%s is not recorded yet, and is tried again in %.0f s, for at most %d hours: %s. %s",
                what,
                wait_s,
                hours,
                why,
                consequence,
            )
        time.sleep(wait_s)


def _is_outage(error: Exception) -> bool:
    """Whether an error may be one of MLflow or of the store not answering, so that another try may succeed."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.error_code in _OUTAGES
    return isinstance(error, OSError | TransientError) and not isinstance(error, FileNotFoundError | PermissionError)
