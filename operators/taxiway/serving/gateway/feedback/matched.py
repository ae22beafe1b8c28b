"""Matches labels with predictions: which are new, which correct an earlier one, and which cannot be used and why."""

import json
import logging
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.errors import RequestError, TaxiwayError
from taxiway.messages import error_line, listed, quoted
from taxiway.serving.audit_labels import auditor_of
from taxiway.serving.gateway.feedback.given import GivenLabel, number_of_text, read_labels
from taxiway.serving.gateway.feedback.predictions import Prediction, Predictions, same_columns
from taxiway.serving.gateway.rolling.roll import private_columns, roll
from taxiway.serving.gateway.rolling.settings import read_settings

if TYPE_CHECKING:
    from taxiway.serving.gateway.rolling.predicted_rows import PrivateColumns

log = logging.getLogger(__name__)

_MAX_NOT_ROLLED = 500_000  # characters of bodies, whose rows take about a second
_MAX_KINDS_OF_KEYS = 5
_MAX_HASHED = 3
_BOOLEANS = ("false", "true")
_NUMBER = re.compile(r"-?\d")
"""How the JSON of a number begins."""

_UNKNOWN = "no prediction of this model has this {what}, or it is older than the log"


@dataclass(frozen=True)
class NewLabel:
    """A label to store.

    Attributes:
        request_id: The request.
        row: The row of the request.
        predicted_at: When the request was received, in seconds since 1970.
        label: The label as JSON: the text of a class, or what was sent.
    """

    request_id: str
    row: int
    predicted_at: float
    label: str


@dataclass(frozen=True)
class Matched:
    """What was found for the labels of a body.

    Attributes:
        new: The labels to store, among them the corrections.
        corrected: How many replace another label.
        unchanged: How many predictions have the label already.
        refused: Why a label cannot be used, by its index.
    """

    new: Sequence[NewLabel] = ()
    corrected: int = 0
    unchanged: int = 0
    refused: Mapping[int, str] = field(default_factory=dict)


def match_labels(state: Path, model: str, classes: Sequence[str], body: bytes, media_type: str, auditor: str = "") -> Matched:
    """Parse a body and match its labels. This runs in a background process.

    Args:
        state: The state folder of the gateway.
        model: The registered model.
        classes: The classes of the champion; empty if it has none, or they are not known.
        body: The body.
        media_type: Its media type.
        auditor: The person who has made the labels for an audit, which replace no label of anybody else; empty for other labels.

    Raises:
        RequestError: The body cannot be read, or 503 if the request log cannot.
    """
    import duckdb

    given = read_labels(body, media_type)
    try:
        return _matched(state, model, classes, given, auditor)
    except RequestError:
        raise
    except (TaxiwayError, duckdb.Error, sqlite3.Error, OSError) as error:
        log.warning("feedback for %s cannot be matched: %s", model, error_line(error))
        raise RequestError(
            503, "the request log cannot be read, so the labels cannot be matched with predictions; try again later"
        ) from None


def _matched(state: Path, model: str, classes: Sequence[str], given: Sequence[GivenLabel], auditor: str) -> Matched:
    settings = read_settings(state)
    predictions = Predictions(state, settings.folder, model)
    refused: dict[int, str] = {}
    usable: list[tuple[GivenLabel, str]] = []
    for label in given:
        problem, text = (label.problem, "") if label.problem else _label_text(label, classes)
        if problem:
            refused[label.index] = problem
        else:
            usable.append((label, text))
    if any(label.key for label, _ in usable) and predictions.not_rolled_characters() > _MAX_NOT_ROLLED:
        roll(state)  # little is looked up where it is, or each call would leave a small file
    private = private_columns(state, settings, predictions.renames())
    found = _found(predictions, [label for label, _ in usable], private, refused)
    if not classes:
        _refuse_texts(predictions, usable, found, refused)
    last = {
        label.key or (label.request_id, label.row): label.index for label, _ in usable
    }  # of several labels for the same rows
    counting = (
        (row, text, label.index)
        for label, text in usable
        if last[label.key or (label.request_id, label.row)] == label.index
        for row in found.get(label.index, ())
    )
    return _compared(predictions, counting, refused, auditor)


def _refuse_texts(
    predictions: Predictions,
    usable: Sequence[tuple[GivenLabel, str]],
    found: dict[int, list[tuple[str, int, float]]],
    refused: dict[int, str],
) -> None:
    """Refuse the labels that are not numbers, of requests that were answered with numbers."""
    texts = {label.index: label for label, text in usable if label.index in found and not _NUMBER.match(text)}
    requests = {request_id: at for index in texts for request_id, _, at in found[index]}
    of_numbers = predictions.of_numbers(requests) if requests else set()
    for index, label in texts.items():
        if any(request_id in of_numbers for request_id, _, _ in found[index]):
            refused[index] = f"its label is {quoted(label.label)}, and the model predicts numbers"
            del found[index]


def _found(
    predictions: Predictions, given: Sequence[GivenLabel], private: "PrivateColumns", refused: dict[int, str]
) -> dict[int, list[tuple[str, int, float]]]:
    """The predicted rows of each label by its index; why there are none is added to `refused`."""
    found: dict[int, list[tuple[str, int, float]]] = {}
    known = predictions.by_id(label.request_id for label in given if not label.key)
    for label in given:
        if not label.key:
            row, problem = _row(label, known.get(label.request_id))
            if problem:
                refused[label.index] = problem
            else:
                found[label.index] = [(label.request_id, row, known[label.request_id].at)]
    for at, (columns, labels) in enumerate(same_columns(label for label in given if label.key).items()):
        problem = _key_problem(at, columns, private)
        of_key = {label.key: label for label in labels}  # a label of each key; the same rows have all of them
        rows = {} if problem else predictions.by_key(list(of_key.values()), private)
        for label in labels:
            if of_key[label.key].index in rows:
                found[label.index] = rows[of_key[label.key].index]
            else:
                refused[label.index] = problem or _UNKNOWN.format(what="key")
    return found


def _key_problem(before: int, columns: Sequence[str], private: "PrivateColumns") -> str:
    """Why keys of these columns are not looked up, after those of `before` other columns; empty if they are."""
    if omitted := [name for name in columns if name in private.omitted]:
        return f"the log does not have {listed(omitted)}: the gateway leaves it out (--omit-column)"
    if sum(name in private.hashed for name in columns) > _MAX_HASHED:
        return f"its key has more than {_MAX_HASHED} columns that the log hashes"
    if before >= _MAX_KINDS_OF_KEYS:
        return f"the feedback has keys of more than {_MAX_KINDS_OF_KEYS} sets of columns; send them in parts"
    return ""


def _row(label: GivenLabel, prediction: Prediction | None) -> tuple[int, str]:
    """The row that a label is for, and why there is none."""
    if prediction is None:
        return 0, _UNKNOWN.format(what="request_id")
    if not prediction.rows:
        return 0, "the request was answered with an error, so it has no prediction"
    if label.row is None and prediction.rows > 1:
        return 0, f"the request has {prediction.rows:,} rows; give the row, from 0"
    row = label.row or 0
    return (
        row,
        f"the request has {prediction.rows:,} rows, counted from 0, and no row {row:,}" if row >= prediction.rows else "",
    )


def _label_text(label: GivenLabel, classes: Sequence[str]) -> tuple[str, str]:
    """Why a label cannot be used, empty if it can, and its JSON."""
    from taxiway.features.encoding import category_text

    if not classes:
        return "", json.dumps(number_of_text(label.label) if label.from_text else label.label, ensure_ascii=False)
    text = category_text(label.label)
    if text not in classes:  # a boolean is `true` in JSON, and `TRUE` or `True` in other files
        text = next((name for name in classes if name.casefold() == text.casefold() in _BOOLEANS), "")
    if not text:
        return f"its label is {quoted(label.label)}, and the classes are {listed(classes)}", ""
    return "", json.dumps(text, ensure_ascii=False)


def _compared(
    predictions: Predictions,
    labelled: Iterable[tuple[tuple[str, int, float], str, int]],
    refused: dict[int, str],
    auditor: str,
) -> Matched:
    """Leave out the labels that the predictions have already; of several for a prediction, the last one counts."""
    wanted = {(request_id, row): (at, text, index) for (request_id, row, at), text, index in labelled}
    known = predictions.labels(request_id for request_id, _ in wanted)
    new, unchanged, corrected = [], 0, 0
    for place, (at, text, index) in wanted.items():
        label, caller = known.get(place, ("", ""))
        if label == text:
            unchanged += 1
        elif label and auditor and auditor_of(caller) != auditor:
            by = auditor_of(caller) or caller
            refused[index] = f"its label is {text}, and {by} has labelled the row as {label}, which stands; agree on one"
        else:
            new.append(NewLabel(*place, at, text))
            corrected += bool(label)
    return Matched(new, corrected, unchanged, refused)
