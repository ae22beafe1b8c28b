"""The routes with which people act: each takes a form with a reason, does one thing, and leads back to the page.

Nothing else changes anything. A form is accepted from a user with Airflow's permission to edit the DAG, or to start its runs, if it
has the token of a page that was shown to them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.sdk import conf
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from taxiway.errors import TerminalError
from taxiway.hooks import config as settings
from taxiway.lineage.run_records import RunRecords, run_records
from taxiway.records import DecisionKind, Verdict
from taxiway.spec.approval import APPROVE, REJECT
from taxiway_ui import airflow_db
from taxiway_ui.airflow_db import Question
from taxiway_ui.clients import writable_ledger
from taxiway_ui.people import decisions
from taxiway_ui.people.decisions import Person
from taxiway_ui.people.forms import forms_for
from taxiway_ui.people.labels import import_upload
from taxiway_ui.people.runs import answer_question, may_answer, start_run
from taxiway_ui.people.tokens import FormToken, check_origin, check_token
from taxiway_ui.people.upload import InvalidFormError, Upload, read_upload
from taxiway_ui.responses import html
from taxiway_ui.reviews.loaded import load
from taxiway_ui.reviews.reviews import REVIEWS
from taxiway_ui.serving import tell_gateway

router = APIRouter()

_MAX_BYTES = 32 * 1024
_MAX_CHARACTERS = 2000
_MAX_DIGITS = 9
MAY_RUN = Depends(requires_access_dag("POST", DagAccessEntity.RUN))
MAY_DECIDE = Depends(requires_access_dag("PUT"))
MAY_ANSWER = Depends(requires_access_dag("PUT", DagAccessEntity.HITL_DETAIL))


def _require_pipeline(dag_id: str, session: SessionDep) -> None:
    if dag_id not in airflow_db.pipelines(session, {dag_id}):
        raise HTTPException(404, f"{dag_id} is not a Taxiway pipeline.")


PIPELINE = Depends(_require_pipeline)


@dataclass(frozen=True)
class Form:
    """A form that was sent from a page.

    Attributes:
        dag: The id of the DAG that it is about.
        fields: Its fields.
        reason: Why, in one line; empty for labels.
        token: Its token.
        here: The path of the pages.
    """

    dag: str
    fields: dict[str, str]
    reason: str
    token: FormToken
    here: str

    def field(self, name: str) -> str:
        """A field.

        Raises:
            InvalidFormError: It is missing or empty.
        """
        value = _one_line(self.fields.get(name, ""))
        if not value:
            raise InvalidFormError(f"the field {name} is empty", key=name)
        return value

    def version(self) -> int:
        """The field with a model version.

        Raises:
            InvalidFormError: It is not a version.
        """
        text = self.field("version")
        if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS and int(text) > 0):
            raise InvalidFormError(f'the version is "{text}"; allowed: a whole number from 1 on', key="version", got=text)
        return int(text)

    def day(self, name: str) -> date:
        """A field with a day.

        Raises:
            InvalidFormError: It is not a day.
        """
        text = self.field(name)
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise InvalidFormError(f'{name} is "{text}"; allowed: a day such as 2026-12-31', key=name, got=text) from error

    def back(self, done: str, run: str | None = None) -> RedirectResponse:
        """Lead to the page of a run, or to that of the pipeline, which says what was done."""
        path = f"{self.here}/pipelines/{quote(self.dag, safe='')}"
        if run or (run := self.fields.get("run")):
            path += f"/runs/{quote(run, safe='')}"
        return RedirectResponse(f"{path}?{urlencode({'done': done})}", 303)


async def _submitted(request: Request, dag_id: str, user: GetUserDep) -> Form:
    _check_origin(request)
    return _form(request, dag_id, user, await _fields(request))


async def _labelled(request: Request, dag_id: str, user: GetUserDep) -> Form:
    _check_origin(request)
    return _form(request, dag_id, user, await _fields(request), with_reason=False)


async def _uploaded(request: Request, dag_id: str, user: GetUserDep) -> tuple[Form, Upload]:
    _check_origin(request)
    fields, upload = await read_upload(request)
    return _form(request, dag_id, user, fields, with_reason=False), upload


def _check_origin(request: Request) -> None:
    origins = {request.headers.get("host", ""), urlsplit(conf.get("api", "base_url", fallback="") or "").netloc} - {""}
    check_origin(request.headers.get("origin"), origins)


def _form(request: Request, dag_id: str, user: BaseUser, fields: dict[str, str], *, with_reason: bool = True) -> Form:
    token = check_token(fields.get("token", ""), str(user.get_id()), dag_id)
    reason = _one_line(fields.get("reason", ""))
    if with_reason and not reason:
        raise InvalidFormError("the reason is empty; it is kept for ever, so say why", key="reason")
    if len(reason) > _MAX_CHARACTERS:
        raise InvalidFormError(f"the reason has {len(reason):,} characters; allowed: at most {_MAX_CHARACTERS:,}", key="reason")
    return Form(dag_id, fields, reason, token, str(request.scope.get("root_path", "")))


async def _fields(request: Request) -> dict[str, str]:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_BYTES:
            raise InvalidFormError(f"the form has more than {_MAX_BYTES:,} bytes")
    try:
        return dict(parse_qsl(content.decode("ascii"), errors="strict", max_num_fields=20))
    except ValueError as error:
        raise InvalidFormError("this is not a form as a browser sends it (application/x-www-form-urlencoded)") from error


def _one_line(text: str) -> str:
    """A text without line ends, and without signs that nobody sees and PostgreSQL may not accept."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


FormDep = Annotated[Form, Depends(_submitted)]
LabelsDep = Annotated[Form, Depends(_labelled)]
UploadDep = Annotated[tuple[Form, Upload], Depends(_uploaded)]


@contextmanager
def _person(form: Form, user: GetUserDep) -> Iterator[Person]:
    with writable_ledger() as ledger:
        yield Person(ledger, form.dag, user.get_name(), form.reason)


@router.post("/pipelines/{dag_id}/run", dependencies=[MAY_RUN, PIPELINE])
def run(form: FormDep, user: GetUserDep, session: SessionDep) -> RedirectResponse:
    """Start a run, which decides the oldest span without a decision."""
    asked = {"reason": form.reason}
    started = start_run(session, form.dag, form.token, user.get_name(), asked)
    with _person(form, user) as person:  # an error takes the run back, too
        decisions.run_started(person, started)
    return form.back("run", started)


@router.post("/pipelines/{dag_id}/again", dependencies=[MAY_RUN, PIPELINE])
def again(form: FormDep, user: GetUserDep, session: SessionDep) -> RedirectResponse:
    """Start a run that decides a span again."""
    asked = {"span": form.field("span"), "reason": form.reason}
    started = start_run(session, form.dag, form.token, user.get_name(), asked)
    with _person(form, user) as person:
        decisions.run_again(person, settings.open_store(), asked["span"])
    return form.back("again", started)


@router.post("/pipelines/{dag_id}/approve", dependencies=[MAY_DECIDE, MAY_ANSWER, PIPELINE])
def approve(form: FormDep, user: GetUserDep, session: SessionDep) -> RedirectResponse:
    """Approve the version that a run asks about; the run then pushes it."""
    return _answer(form, user, session, DecisionKind.APPROVAL, "approve")


@router.post("/pipelines/{dag_id}/reject", dependencies=[MAY_DECIDE, MAY_ANSWER, PIPELINE])
def reject(form: FormDep, user: GetUserDep, session: SessionDep) -> RedirectResponse:
    """Reject the version that a run asks about."""
    return _answer(form, user, session, DecisionKind.REJECTION, "reject")


@router.post("/pipelines/{dag_id}/waive", dependencies=[MAY_DECIDE, PIPELINE])
def waive(form: FormDep, user: GetUserDep) -> RedirectResponse:
    """Accept an anomaly of a data report until a date."""
    with _person(form, user) as person:
        decisions.waive(person, settings.open_store(), form.field("report"), form.field("anomaly"), form.day("until"))
    REVIEWS.forget(form.dag)
    return form.back("waive")


@router.post("/pipelines/{dag_id}/acknowledge", dependencies=[MAY_DECIDE, PIPELINE])
def acknowledge(form: FormDep, user: GetUserDep) -> RedirectResponse:
    """Acknowledge an alert of monitoring."""
    with _person(form, user) as person:
        decisions.acknowledge(person, settings.open_store(), form.field("alert"))
    return form.back("acknowledge")


@router.post("/pipelines/{dag_id}/labels", dependencies=[MAY_DECIDE, PIPELINE])
def labels(request: Request, sent: UploadDep, user: GetUserDep, session: SessionDep) -> Response:
    """Import the labels that the user has given to rows without one."""
    form, upload = sent
    run = form.field("run")
    seen, store = airflow_db.find_run(session, form.dag, run), settings.open_store()
    records = run_records(store, seen.refs) if seen is not None else RunRecords()
    loaded = load(form.dag, airflow_db.dag_files(session, [form.dag]).get(form.dag))
    with _person(form, user) as person:
        done = import_upload(person, store, loaded, records, upload, run)
    return html(request, "labels.html", 200, view=done, forms=forms_for(user, form.dag, session))


@router.post("/pipelines/{dag_id}/force", dependencies=[MAY_DECIDE, PIPELINE])
def force(form: FormDep, user: GetUserDep, session: SessionDep) -> RedirectResponse:
    """Push a version that did not pass its gates."""
    version = form.version()
    for question in airflow_db.open_questions(session, [form.dag], task=airflow_db.APPROVAL):
        if _verdict(session, form.dag, question.run).version == version:
            _require_approver(question, user)  # else it would be a way around those who may answer
    with _person(form, user) as person:
        decisions.force(person, settings.open_store(), version)
    tell_gateway(form.dag)
    return form.back("force")


@router.post("/pipelines/{dag_id}/rollback", dependencies=[MAY_DECIDE, PIPELINE])
def rollback(form: FormDep, user: GetUserDep) -> RedirectResponse:
    """Make a former champion the champion again."""
    with _person(form, user) as person:
        decisions.roll_back(person, form.version())
    tell_gateway(form.dag)
    return form.back("rollback")


@router.post("/pipelines/{dag_id}/retire", dependencies=[MAY_DECIDE, PIPELINE])
def retire(form: FormDep, user: GetUserDep) -> RedirectResponse:
    """End the champion."""
    with _person(form, user) as person:
        decisions.retire(person)
    tell_gateway(form.dag)
    return form.back("retire")


def _answer(form: Form, user: GetUserDep, session: SessionDep, kind: DecisionKind, action: str) -> RedirectResponse:
    asked = form.field("run")
    verdict = _verdict(session, form.dag, asked)
    question = next(iter(airflow_db.open_questions(session, [form.dag], asked, airflow_db.APPROVAL)), None)
    if question is not None:
        _require_approver(question, user)
    with _person(form, user) as person:
        if question is None:
            decisions.require_answered(person, verdict, kind)
            return form.back(action)
        stands = decisions.record_answer(person, verdict, kind)
    answer_question(session, question, user, APPROVE if kind is DecisionKind.APPROVAL else REJECT, form.reason)
    return form.back(action if stands.kind is kind else "answered")


def _require_approver(question: Question, user: GetUserDep) -> None:
    if not may_answer(question, user):
        raise HTTPException(403, f"{user.get_name()} may not answer this question; allowed: {', '.join(question.approvers)}")


def _verdict(session: SessionDep, dag: str, run: str) -> Verdict:
    seen = airflow_db.find_run(session, dag, run)
    verdict = run_records(settings.open_store(), seen.refs).verdict if seen is not None else None
    if verdict is None or verdict.model != dag:
        raise TerminalError(f"run {run} of {dag} has no verdict, so there is nothing to answer")
    return verdict
