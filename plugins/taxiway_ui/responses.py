"""HTML answers: each is a rendered template, with headers that keep foreign content and frames out."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from taxiway_ui.paths import PREFIX
from taxiway_ui.render import page

# Only Taxiway's own files are allowed; Airflow shows the pages in a frame of its own origin.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    # With no-referrer, browsers send forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def html(request: Request, template: str, status: int, **values: Any) -> HTMLResponse:
    """A page as an answer.

    Args:
        request: The request.
        template: The template.
        status: The HTTP status.
        values: What the template shows.
    """
    here = str(request.scope.get("root_path", ""))
    return HTMLResponse(
        page(template, here=here, airflow=here.removesuffix(PREFIX), **values), status_code=status, headers=_HEADERS
    )
