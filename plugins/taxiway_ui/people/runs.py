"""Runs that a person starts, and answers to the questions of runs, by Airflow's own functions."""

import hashlib
import json

from airflow.api.common.trigger_dag import trigger_dag
from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
from airflow.exceptions import DagNotFound, DagRunAlreadyExists, ParamValidationError
from airflow.utils.types import DagRunTriggeredByType
from fastapi import HTTPException
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from taxiway.errors import TerminalError
from taxiway_ui.airflow_db import Question
from taxiway_ui.people.tokens import FormToken


def start_run(session: Session, dag: str, token: FormToken, user: str, conf: dict[str, str]) -> str:
    """Start a run, once for each form: if the form is sent again, this finds the run of the first time.

    Args:
        session: The session.
        dag: The id of the DAG.
        token: The token of the form.
        user: The name of the user.
        conf: The parameters of the run.

    Returns:
        The id of the run.

    Raises:
        TerminalError: Airflow does not accept the run.
    """
    run = run_id(token, conf)
    try:
        trigger_dag(
            dag,
            run_id=run,
            conf=conf,
            triggered_by=DagRunTriggeredByType.UI,
            triggering_user_name=user,
            session=session,
        )
        session.flush()
    except DagRunAlreadyExists:  # the first click has started it
        pass
    except IntegrityError:  # the other click was faster
        session.rollback()
    except (DagNotFound, ParamValidationError, ValueError) as error:
        raise TerminalError(f"Airflow does not start a run of {dag}: {error}") from error
    return run


def run_id(token: FormToken, conf: dict[str, str]) -> str:
    """The id of the run that a form starts."""
    content = json.dumps([token.page, conf], sort_keys=True).encode()
    return f"manual__{token.at:%Y-%m-%dT%H:%M:%S}+00:00_{hashlib.blake2b(content, digest_size=6).hexdigest()}"


def may_answer(question: Question, user: BaseUser) -> bool:
    """Whether a user is among those who may answer a question."""
    approvers = set(question.approvers)
    return not approvers or bool(get_auth_manager().is_authorized_hitl_task(assigned_users=approvers, user=user))


def answer_question(session: Session, question: Question, user: BaseUser, choice: str, reason: str) -> None:
    """Answer a question as its page in Airflow does, so that the run continues; nothing happens if it was answered meanwhile.

    Raises:
        HTTPException: Airflow does not accept the answer.
    """
    payload = UpdateHITLDetailPayload(chosen_options=[choice], params_input={"reason": reason})
    try:
        update_hitl_detail(question.dag, question.run, question.task, payload, user, session)
    except HTTPException as error:
        if error.status_code != 409:
            raise
