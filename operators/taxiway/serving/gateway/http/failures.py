"""Error messages for callers if a model fails, and the log lines about them.

The message of an exception may quote rows, files or code of a team. So only callers with the scope `admin` get it. Others get the id
of the request, which is also in the log line.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from taxiway.messages import counted
from taxiway.serving.callers import Caller, Scope
from taxiway.serving.workers.base import Outcome

log = logging.getLogger(__name__)

_EVERY_S = 1.0
_MODEL_FAILED = 500


@dataclass
class _Written:
    at: float
    left_out: int = 0


class Failures:
    """Writes the errors of models to the log: at most one line a second for each model, with the number of those without a line.

    Args:
        private: Whether some columns are private, so that the log does not have the errors, which may quote them.
        clock: The time in seconds.
    """

    def __init__(self, *, private: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._private = private
        self._clock = clock
        self._last: dict[str, _Written] = {}

    def message(self, model: str, request_id: str, caller: Caller, outcome: Outcome) -> str:
        """What a caller is told about an error. One that is `admin_only` is logged, and only callers with the scope admin see it.

        Args:
            model: The model.
            request_id: The id of the request.
            caller: Who has sent it.
            outcome: Its outcome, an error.
        """
        if not outcome.admin_only:
            return outcome.error
        self._write(model, request_id, caller, outcome)
        if caller.may(Scope.ADMIN):
            return outcome.error
        known = f"to ask those who operate the gateway, give them the request id {request_id}"
        if outcome.status == _MODEL_FAILED:
            return f"{model} failed for this request; {known}"
        wait_s = outcome.retry_after_s
        return f"{model} cannot answer now; try again {f'in {math.ceil(wait_s)} s' if wait_s else 'later'}; {known}"

    def _write(self, model: str, request_id: str, caller: Caller, outcome: Outcome) -> None:
        now, last = self._clock(), self._last.get(model)
        if last is not None and now - last.at < _EVERY_S:
            last.left_out += 1
            return
        left_out = last.left_out if last else 0
        self._last[model] = _Written(now)
        more = f" ({counted(left_out, 'other failed request')} since the last line about them)" if left_out else ""
        fields = {"model": model, "request_id": request_id, "caller": caller.name, "status": outcome.status}
        error = "the error is left out, because it may quote private columns" if self._private else outcome.error
        shown = (model, request_id, caller.name, outcome.status, error, more)
        log.warning("%s: request %s of %s was answered with %d: %s%s", *shown, extra={"fields": fields})
