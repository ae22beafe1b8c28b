"""Explains predictions in a process of its own, which alone imports the libraries for it."""

import time
from collections.abc import Callable
from typing import Any

from taxiway.errors import ConfigError, DataError, RequestError
from taxiway.features.signature import ModelColumns
from taxiway.messages import error_line
from taxiway.models.explanations import Explanations
from taxiway.serving.protocol import PickledRows, Rows
from taxiway.serving.workers.base import Outcome
from taxiway.serving.workers.cells import select_columns


def explain(
    make_explainer: Callable[[], Callable[[Any], Explanations]], columns: ModelColumns, rows: Rows | PickledRows
) -> Outcome:
    """Explain the predictions of a model for the rows of a request.

    Args:
        make_explainer: Returns the function that explains predictions of the model, or raises ConfigError.
        columns: The columns of the model.
        rows: The rows.

    Returns:
        The outcome, with the JSON of `Explanations` instead of predictions; 422 if the model cannot be explained.
    """
    began = time.perf_counter()

    def outcome(status: int, answer: str = "", error: str = "") -> Outcome:
        return Outcome(status, answer, error, (time.perf_counter() - began) * 1e3, 0, admin_only=status == 500)

    try:
        found = make_explainer()(select_columns([rows], columns))
        return outcome(200, found.as_json())
    except RequestError as error:
        return outcome(400, error=error.message)
    except DataError as error:
        return outcome(400, error=f"the rows do not match the inputs of the model: {error}")
    except ConfigError as error:
        return outcome(422, error=str(error))
    except Exception as error:  # of any library
        return outcome(500, error=f"the predictions cannot be explained: {error_line(error)}")
