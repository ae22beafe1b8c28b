"""The web application of the pages. It requires a login to Airflow, and shows only DAGs that the user may read; people act by the
routes of `actions`.

Routes are plain functions, so they run in threads and do not block the API server's event loop.
"""

from pathlib import Path

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_configuration, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse

from taxiway.credentials import without_credentials
from taxiway.errors import TaxiwayError, TransientError
from taxiway_ui import actions, views
from taxiway_ui.audits import routes as audit_routes
from taxiway_ui.doctor import diagnosis
from taxiway_ui.monitoring.metrics import scrape
from taxiway_ui.overview.overview import overview
from taxiway_ui.overview.rows import Order, RowFilter
from taxiway_ui.people.forms import DONE, forms_for
from taxiway_ui.people.tokens import ForgedFormError
from taxiway_ui.people.upload import InvalidFormError
from taxiway_ui.render import FOLDER
from taxiway_ui.responses import html
from taxiway_ui.reviews.files import files_of


def _printable(request: Request) -> None:
    """Reject an address with control characters, which no name has: PostgreSQL does not accept NUL in a query."""
    if not request.scope["path"].isprintable():
        raise HTTPException(404)


app = FastAPI(dependencies=[Depends(_printable), Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None)

_DIGITS = 6
_STATUS = {ForgedFormError: 403, InvalidFormError: 422, TransientError: 503}
"""The HTTP status of an action that is refused, by the type of the error; 409 for the others."""
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_STATIC = {path.name: path for path in (FOLDER / "static").iterdir() if path.suffix in _TYPES}


@app.get("/")
def pipelines(
    request: Request, session: SessionDep, user: GetUserDep, q: str = "", state: str = "", order: str = "", page: str = "1"
) -> Response:
    """The page with all pipelines that the user may read; `q`, `state` and `page` choose which are shown, and `order` what is first."""
    readable = get_auth_manager().get_authorized_dag_ids(user=user, method="GET", session=session)
    number = int(page) if page.isascii() and page.isdecimal() and len(page) < _DIGITS else 1
    known = Order(order) if order in tuple(Order) else Order.HEALTH
    found = overview(session, readable, RowFilter(q.strip(), state, known, max(1, number)))
    doctor = get_auth_manager().is_authorized_configuration(method="PUT", user=user)
    return html(request, "pipelines.html", _status(found.incomplete), view=found, doctor=doctor)


@app.get("/pipelines/{dag_id}", dependencies=[Depends(requires_access_dag("GET"))])
def pipeline(request: Request, dag_id: str, session: SessionDep, user: GetUserDep, done: str = "") -> Response:
    """The page of one pipeline: its promotions and decisions, and what the user may do."""
    found = views.history(session, dag_id)
    if found is None:
        return html(request, "absent.html", 404, message=f"{dag_id} is not a Taxiway pipeline.")
    forms = forms_for(user, dag_id, session)
    return html(request, "pipeline.html", _status(found.incomplete), view=found, forms=forms, done=DONE.get(done))


@app.get("/pipelines/{dag_id}/files", dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.CODE))])
def files(request: Request, dag_id: str, session: SessionDep) -> Response:
    """The page with the pipeline file, the schema and the team file, for users who may read the code of the DAG."""
    found = files_of(session, dag_id)
    if found is None:
        return html(request, "absent.html", 404, message=f"{dag_id} is not a Taxiway pipeline.")
    return html(request, "files.html", 200, view=found)


@app.get("/doctor", dependencies=[Depends(requires_access_configuration("PUT"))])
def doctor(request: Request, session: SessionDep) -> Response:
    """The page with what `taxiway doctor` finds, for users who may change the configuration of Airflow."""
    return html(request, "doctor.html", 200, findings=diagnosis(session))


@app.get("/pipelines/{dag_id}/runs/{run_id:path}", dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))])
def run(request: Request, dag_id: str, run_id: str, session: SessionDep, user: GetUserDep, done: str = "") -> Response:
    """The page of one run: its stages and their records, and what the user may do."""
    found = views.run_page(session, dag_id, run_id)
    if found is None:
        message = f"{dag_id} is not a Taxiway pipeline, or has no run {run_id}."
        return html(request, "absent.html", 404, message=message)
    return html(request, "run.html", 200, view=found, forms=forms_for(user, dag_id, session), done=DONE.get(done))


app.include_router(actions.router)
app.include_router(audit_routes.router)
app.add_route("/metrics", scrape)  # a plain route, without Airflow's login: it asks for a token of its own


@app.exception_handler(TaxiwayError)
def refused(request: Request, error: Exception) -> Response:
    """The page for a form that could not be processed."""
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 409)
    return html(request, "absent.html", status, message=without_credentials(str(error)))


@app.get("/static/{name}")
def static(name: str) -> Response:
    """The style sheet, the script and the icons."""
    path: Path | None = _STATIC.get(name)
    if path is None:
        raise HTTPException(404)
    return FileResponse(path, media_type=_TYPES[path.suffix], headers={"X-Content-Type-Options": "nosniff"})


def _status(incomplete: bool) -> int:
    return 503 if incomplete else 200
