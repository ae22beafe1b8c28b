"""The code inside a worker process: it loads one model, and predicts for several requests in one call.

The gateway's own process never imports the model's libraries; it sends rows to this process and gets predictions as JSON text.
"""

import gc
import json
import logging
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import cache
from importlib import import_module
from itertools import groupby
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from taxiway.credentials import log_to_stderr
from taxiway.errors import DataError, ModelLoadError, RequestError, TaxiwayError, TransientError
from taxiway.features.signature import ModelColumns, example_rows
from taxiway.messages import clipped
from taxiway.serving.protocol import PickledRows, Rows
from taxiway.serving.workers.base import ModelSource, Outcome
from taxiway.serving.workers.cells import select_columns
from taxiway.serving.workers.channel import serve_calls

if TYPE_CHECKING:
    from taxiway.models.explanations import Explanations
    from taxiway.models.predictor import Predictor

log = logging.getLogger(__name__)

LOG_FORMAT_ENV = "TAXIWAY_LOG_FORMAT"
"""The name of the environment variable with the format of the gateway's log: `text` or `json`."""
_MAX_ERROR_CHARS = 1000
_NICENESS = 10
_PARENT_POLL_S = 1.0
_predictor: "Predictor | None" = None  # that of the model of this process, once it is loaded
_model: Any = None


@dataclass(frozen=True)
class LoadResult:
    """The result of loading a model.

    Attributes:
        plan: How it predicts, see `Predictor.plan`; empty if it could not be loaded.
        columns: The columns that it takes; None if it could not be loaded.
        problem: Why it could not be loaded; empty if it was loaded.
        permanent: Whether loading it again would fail, too.
    """

    plan: str = ""
    columns: ModelColumns | None = None
    problem: str = ""
    permanent: bool = False


def run(sock: socket.socket, memory_bytes: int | None) -> None:
    """Answer the calls of the gateway; the main function of a worker process.

    Args:
        sock: The worker's end of a pair of sockets.
        memory_bytes: How much memory the process may allocate, with its libraries; None for no limit. A predict call that needs more
            fails with a MemoryError, and the process goes on.
    """
    initialize_worker()
    if memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    serve_calls(sock, lambda function, argument: json.dumps(_FUNCTIONS[function](argument)).encode())


def _predict(batch: Sequence[Rows | PickledRows]) -> list[tuple[Any, ...]]:
    return [astuple(outcome) for outcome in predict(batch)]


def _load(source: ModelSource) -> dict[str, Any]:
    try:
        predictor = load(source)
        return asdict(LoadResult(predictor.plan, predictor.columns))
    except ModelLoadError as error:
        return asdict(LoadResult(problem=str(error), permanent=True))
    except TransientError as error:
        return asdict(LoadResult(problem=str(error)))


def _explain(rows: Rows | PickledRows) -> tuple[Any, ...]:
    from taxiway.serving.workers.explain import explain

    assert _predictor is not None
    return astuple(explain(_explainer, _predictor.columns, rows))


@cache
def _explainer() -> "Callable[[Any], Explanations]":
    from taxiway.models.explanations import explainer_of

    os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)  # predictions take precedence
    return explainer_of(_model)


_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {"load": _load, "predict": _predict, "explain": _explain}


def initialize_worker() -> None:
    """Initialize a process of the gateway.

    It ignores SIGINT and SIGTERM, exits when the gateway exits, limits the threads of libraries, and logs as the gateway does.
    """
    # Ctrl-C, or a service manager's SIGTERM to the process group, must not end workers before the gateway has drained them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.freeze()  # a collection need not look at what was imported before the fork
    threading.Thread(target=_exit_with_gateway, daemon=True).start()
    for noisy_logger in ("mlflow.models.utils", "mlflow.pyfunc"):
        logging.getLogger(noisy_logger).setLevel(logging.ERROR)  # they log a warning for every request with an extra column
    limit_threads()
    log_to_stderr(as_json=os.environ.get(LOG_FORMAT_ENV) == "json", level=logging.WARNING)


def limit_threads() -> None:
    """Limit the numeric libraries to one thread, unless the environment sets a number; call it before they are loaded."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        # By default they use every core even for one row, and wait in busy loops: two workers on two cores are then ten times
        # slower than one.
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def load(source: ModelSource) -> "Predictor":
    """Load the model of this process, warm it up on its input example, and return its predict function.

    Raises:
        ModelLoadError: The loader refused the model, or needs a file that does not exist; or the model has no signature.
        TransientError: The files cannot be read, or have changed since they were downloaded; or there is not enough memory.
    """
    global _predictor, _model
    module, _, function = source.loader.partition(":")
    from taxiway.models.predictor import compiled_predictor, place_of

    try:
        source.copy.verify()
    except OSError as error:
        raise TransientError(f"{type(error).__name__}: {error}") from None
    try:
        trusted_folder = {} if source.code is None else {"code": source.code}
        model = getattr(import_module(module), function)(source.copy.folder, **trusted_folder)
        example = getattr(model, "input_example", None)
        predictor = compiled_predictor(model, example_rows(model))
    except TaxiwayError as error:
        raise (error if isinstance(error, TransientError) else ModelLoadError(str(error))) from None
    except Exception as error:
        kind = TransientError if isinstance(error, OSError | MemoryError) and not _is_missing_file(error) else ModelLoadError
        raise kind(f"{type(error).__name__}: {error}") from None
    if example is not None:
        try:
            model.predict(example)  # the first call is much slower than later ones
        except Exception as error:
            # Its text may have values of training rows.
            log.warning(
                "prediction on the input example of %s version %d failed: %s", source.model, source.version, place_of(error)
            )
    _predictor, _model = predictor, model
    return predictor


def _is_missing_file(error: Exception) -> bool:
    """Whether a loader needs a file that does not exist. Without a name, it is no file of a loader, but for example a full disk."""
    return isinstance(error, FileNotFoundError) and error.filename is not None


def predict(batch: Sequence[Rows | PickledRows]) -> list[Outcome]:
    """Predict with the model that this process has loaded; see `predict_with`.

    Raises:
        RuntimeError: No model has been loaded.
    """
    if _predictor is None:
        raise RuntimeError("this process has not loaded a model; call load() before predict()")
    return predict_with(_predictor, batch)


def predict_with(predictor: "Predictor", batch: Sequence[Rows | PickledRows]) -> list[Outcome]:
    """Predict for a batch of requests.

    Requests with the same columns are predicted in one call. If the call fails, its requests are retried one by one, so that an
    invalid row fails only its own request. The answer to a request does not depend on the others.

    Args:
        predictor: The predict function of the model.
        batch: The rows of each request.

    Returns:
        One outcome for each request, in order.
    """
    outcomes: list[Outcome | None] = [None] * len(batch)
    calls = 0
    order = sorted(range(len(batch)), key=lambda position: batch[position].columns)
    for _, group in groupby(order, key=lambda position: batch[position].columns):
        members = list(group)
        group_outcomes = _predict_call(predictor, [batch[position] for position in members], calls)
        if any(outcome.status != 200 for outcome in group_outcomes) and len(members) > 1:
            group_outcomes = [
                _predict_call(predictor, [batch[position]], calls + index)[0] for index, position in enumerate(members)
            ]
        for position, outcome in zip(members, group_outcomes, strict=True):
            outcomes[position] = outcome
        calls += len(members)
    return [outcome for outcome in outcomes if outcome is not None]


def _predict_call(predictor: "Predictor", requests: Sequence[Rows | PickledRows], call_index: int) -> list[Outcome]:
    began = time.perf_counter()
    try:
        answers = _predict_as_json(predictor, requests)
    except RequestError as error:
        status, text = 400, str(error)
    except DataError as error:
        status, text = 400, f"the rows do not match the inputs of the model: {error}"
    except Exception as error:
        status, text = 500, f"the model failed: {type(error).__name__}: {error}"
    else:
        latency_ms = (time.perf_counter() - began) * 1000
        return [Outcome(200, answer, "", latency_ms, call_index) for answer in answers]
    latency_ms = (time.perf_counter() - began) * 1000
    failed = Outcome(status, "", clipped(text, _MAX_ERROR_CHARS), latency_ms, call_index, admin_only=status == 500)
    return [failed] * len(requests)


def _predict_as_json(predictor: "Predictor", requests: Sequence[Rows | PickledRows]) -> list[str]:
    """The predictions of each request as JSON text. Raises ValueError if the model predicts NaN or text that cannot be encoded as
    UTF-8; its predict function does, if there is not one prediction for each row."""
    predictions, as_json = _jsonable(predictor.predict(select_columns(requests, predictor.columns)))
    answers, start = [], 0
    for request in requests:
        answers.append(as_json(predictions[start : start + request.row_count]))
        start += request.row_count
    return answers


def _jsonable(predictions: Any) -> tuple[list[Any], Callable[[list[Any]], str]]:
    """Predictions as a list, and the function that makes JSON of a part of it. Raises ValueError as `_predict_as_json`."""
    import numpy as np

    if (
        isinstance(predictions, np.ndarray)
        and predictions.dtype == np.float64
        and predictions.ndim
        and np.isfinite(predictions).all()
    ):
        # Formatting floats with NumpyEncoder takes ten times as long.
        return predictions.tolist(), lambda part: to_json(part).decode()
    from mlflow.utils.proto_json_utils import NumpyEncoder, _get_jsonable_obj

    found = _get_jsonable_obj(predictions)
    if not isinstance(found, list):
        raise ValueError(f"it returned a {type(found).__name__}; expected a list of predictions")  # noqa: TRY004 an error of the model like others

    def as_json(part: list[Any]) -> str:
        text = json.dumps(part, cls=NumpyEncoder, allow_nan=False, ensure_ascii=False)
        text.encode()  # a half of a surrogate pair could neither be logged nor returned
        return text

    return found, as_json


def _exit_with_gateway() -> None:
    gateway, forked_by = parent_process(), os.getppid()
    # A process of a pool waits on a pipe that it holds open itself, so it would outlive a killed gateway. It also
    # exits when the fork server exits: without the fork server, the gateway would not notice that the worker has ended.
    while gateway is not None and os.getppid() == forked_by:
        if connection.wait([gateway.sentinel], timeout=_PARENT_POLL_S):
            break
    if gateway is not None:
        os._exit(1)
