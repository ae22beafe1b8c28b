"""Reads all answers from the request log of a gateway."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

from taxiway.serving.answer_check import LoggedAnswer
from taxiway.serving.gateway.state import request_log_sql as sql
from taxiway.serving.gateway.state.request_log import FILE


def logged_answers(folder: Path, model: str, role: Literal["champion", "challenger"]) -> dict[int, list[LoggedAnswer]]:
    """Read all answers of champions, or of challengers, from the log of a gateway.

    Args:
        folder: The state folder of the gateway.
        model: The registered model.
        role: Whose answers.

    Returns:
        The answers by version, oldest first.
    """
    found: dict[int, list[LoggedAnswer]] = {}
    with closing(sqlite3.connect(f"{(folder / FILE).absolute().as_uri()}?mode=ro", uri=True)) as connection:
        for version, request_id, body, answer in connection.execute(sql.ANSWERS[role], (model,)):
            found.setdefault(version, []).append(LoggedAnswer(request_id, body, json.loads(answer)))
    return found
