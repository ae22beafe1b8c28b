"""The page on which people label the rows of an audit. Its rows are inputs of requests, so it is for those who decide about the pipeline."""

from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Request, Response

from taxiway.hooks import config as settings
from taxiway_ui import airflow_db
from taxiway_ui.actions import MAY_DECIDE, PIPELINE, LabelsDep
from taxiway_ui.audits.task import audit_task, send_audit
from taxiway_ui.people.forms import forms_for
from taxiway_ui.responses import html
from taxiway_ui.reviews.loaded import LoadedPipeline, load

router = APIRouter()


@router.get("/pipelines/{dag_id}/audit", dependencies=[MAY_DECIDE, PIPELINE])
def audit(request: Request, dag_id: str, session: SessionDep, user: GetUserDep, after: str = "") -> Response:
    """The rows that are to be labelled, those after a place of the sample."""
    task = audit_task(dag_id, settings.open_store(), _loaded(dag_id, session), after)
    return html(request, "audit.html", 200, view=task, forms=forms_for(user, dag_id, session))


@router.post("/pipelines/{dag_id}/audit", dependencies=[MAY_DECIDE, PIPELINE])
def label(request: Request, form: LabelsDep, user: GetUserDep, session: SessionDep) -> Response:
    """Send the labels that the user has given, and show the next rows."""
    sent = send_audit(form.dag, form.fields, user.get_name())
    task = audit_task(form.dag, settings.open_store(), _loaded(form.dag, session), form.fields.get("after", ""), sent)
    return html(request, "audit.html", 200, view=task, forms=forms_for(user, form.dag, session))


def _loaded(dag: str, session: SessionDep) -> LoadedPipeline | str:
    return load(dag, airflow_db.dag_files(session, [dag]).get(dag))
