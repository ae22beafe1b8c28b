"""What runs inside a worker process: loading one model, and predicting for several requests with one call.

The gateway's own process never imports the model's libraries; it sends rows here and gets answers as JSON text back.
"""

import json
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from multiprocessing import connection, parent_process
from typing import Any

from taxiway.errors import DataError, ModelLoadError, RequestError
from taxiway.serving.protocol import Rows

log = logging.getLogger(__name__)

_NAMED = 10
_PARENT_POLL_S = 1.0
_loaded: list[Any] = []  # the one model of this process; a list, because it comes after the process started


@dataclass(frozen=True)
class ModelSource:
    """Where a worker gets its model: `loader` (`module:function`) is called with the other three."""

    loader: str
    tracking_uri: str
    model: str
    version: int


@dataclass(frozen=True)
class Outcome:
    """What became of one request. `status` is that of HTTP: 200 with `predictions` (JSON text of a list), else with `error`.

    `call` numbers the predict call of the batch that it was in and `latency_ms` is how long that call took: from rows to
    predictions, without any waiting. It is not divided by the requests in it, because each of them waited for all of it.
    """

    status: int
    predictions: str
    error: str
    latency_ms: float
    call: int


def begin() -> None:
    """Set up a worker process: it ends with the gateway, however that ends, and leaves signals to it."""
    # A Ctrl-C, or a service manager's SIGTERM to the whole group, must not end workers before the gateway has drained them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_gateway, daemon=True).start()
    for talkative in ("mlflow.models.utils", "mlflow.pyfunc"):
        logging.getLogger(talkative).setLevel(logging.ERROR)  # they warn of every request with a column too many
    limit_threads()


def limit_threads() -> None:
    """One thread for each library's arithmetic; set before a model, and so a library, is loaded."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        # Libraries take every core for one row, and wait for each other spinning: two workers on two cores then answer
        # ten times slower than one. Read when the library is loaded, hence before the model.
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def load(source: ModelSource) -> int:
    """Load the model and warm it up on its own example; returns this worker's process id.

    Whatever the loader raises is raised again as a ModelLoadError, since not every library's errors survive the way back.
    """
    module, _, function = source.loader.partition(":")
    from taxiway.features.encoding import signature_columns

    try:
        model = getattr(import_module(module), function)(source.tracking_uri, source.model, source.version)
        signature_columns(model)  # a model without one cannot predict for any row
    except Exception as error:
        raise ModelLoadError(f"{type(error).__name__}: {error}") from None
    example = getattr(model, "input_example", None)
    if example is not None:
        try:
            model.predict(example)  # the first call is many times slower than the rest
        except Exception:
            log.warning("%s version %d cannot predict its own example", source.model, source.version, exc_info=True)
    _loaded[:] = [model]
    return os.getpid()


def predict(batch: list[Rows]) -> list[Outcome]:
    """An outcome for each request of the batch by the model that this process has loaded, see `predict_with`."""
    return predict_with(_loaded[0], batch)


def predict_with(model: Any, batch: list[Rows]) -> list[Outcome]:
    """An outcome of `model` (a pyfunc model) for each request of the batch, in order.

    Requests with the same columns are predicted in one call. If it fails, its requests are tried one by one, so that a bad row
    fails nobody else's request. The answer to a request does not depend on the others.
    """
    outcomes: list[Outcome | None] = [None] * len(batch)
    calls = 0
    order = sorted(range(len(batch)), key=lambda i: batch[i].columns)
    for _, group in groupby(order, key=lambda i: batch[i].columns):
        members = list(group)
        together = _predict_call(model, [batch[i] for i in members], calls)
        if any(outcome.status != 200 for outcome in together) and len(members) > 1:
            together = [_predict_call(model, [batch[i]], calls + n)[0] for n, i in enumerate(members)]
        for i, outcome in zip(members, together, strict=True):
            outcomes[i] = outcome
        calls += len(members)
    return [outcome for outcome in outcomes if outcome is not None]


def _predict_call(model: Any, requests: list[Rows], call: int) -> list[Outcome]:
    began = time.perf_counter()
    try:
        answers = _answers(model, requests)
    except RequestError as error:
        failed = (400, str(error))
    except DataError as error:
        failed = (400, f"the rows do not fit the model: {error}")
    except Exception as error:
        failed = (500, f"the model failed: {type(error).__name__}: {error}")
    else:
        spent = (time.perf_counter() - began) * 1000
        return [Outcome(200, answer, "", spent, call) for answer in answers]
    spent = (time.perf_counter() - began) * 1000
    return [Outcome(failed[0], "", failed[1], spent, call) for _ in requests]


def _answers(model: Any, requests: list[Rows]) -> list[str]:
    """The predictions of each request as JSON text. Raises ValueError where the model did not answer each row, or with NaN."""
    from mlflow.utils.proto_json_utils import NumpyEncoder, _get_jsonable_obj

    from taxiway.features.encoding import predict_rows, raw_frame, signature_columns

    columns = signature_columns(model)
    rows = _columns([row for request in requests for row in request.data], requests[0].columns, columns.names)
    answered = predict_rows(model.predict, raw_frame(rows, columns.numeric, columns.categorical))
    predictions = _get_jsonable_obj(answered)
    if not isinstance(predictions, list):
        raise ValueError(f"it gave a {type(predictions).__name__}")  # noqa: TRY004 the model's mistake, as others are
    answers, start = [], 0
    for request in requests:
        part = predictions[start : start + len(request.data)]
        answers.append(json.dumps(part, cls=NumpyEncoder, allow_nan=False))
        start += len(request.data)
    return answers


def _columns(rows: list[list[Any]], sent: tuple[str, ...], needed: tuple[str, ...]) -> dict[str, list[Any]]:
    """The cells of the `needed` columns. Raises RequestError (400) if one was not `sent`, with the first ten that were not."""
    missing = [name for name in needed if name not in sent]
    if missing:
        more = [f"and {len(missing) - _NAMED} more"] if len(missing) > _NAMED else []
        named = ", ".join(missing[:_NAMED] + more)
        raise RequestError(400, f"missing: {named}; give each column of the model a value, null where there is none")
    places = {name: place for place, name in enumerate(sent)}
    return {name: [row[places[name]] for row in rows] for name in needed}


def _end_with_gateway() -> None:
    gateway, forked_by = parent_process(), os.getppid()
    # A pool's worker waits for work on a pipe that it holds open itself: it would outlive a killed gateway for ever. Without the
    # fork server nobody could tell the gateway that it has ended.
    while gateway is not None and os.getppid() == forked_by:
        if connection.wait([gateway.sentinel], timeout=_PARENT_POLL_S):
            break
    if gateway is not None:
        os._exit(1)
