"""The forms that a page shows to a user, and the message after one was submitted."""

from dataclasses import dataclass

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.models.dag import DagModel
from sqlalchemy.orm import Session

from taxiway_ui.people.tokens import make_token

DONE = {
    "run": "The run is queued. If the DAG is paused, it starts when you unpause it.",
    "again": "The run is queued, and decides the span again. If the DAG is paused, it starts when you unpause it.",
    "approve": "Your approval is in the ledger, and the run continues.",
    "reject": "Your rejection is in the ledger, and the run continues.",
    "answered": "Somebody else had answered before; that answer stands, and the run continues.",
    "waive": "The waiver is in the ledger. Run the span again, so that it is decided with it.",
    "acknowledge": "Your acknowledgement is in the ledger. An alert of another window, kind or version is shown again.",
    "force": "The version is the champion now; the gateway follows within seconds.",
    "rollback": "The version is the champion again; the gateway follows within seconds.",
    "retire": "The model has no champion any more; the gateway follows within seconds.",
}
"""What the page says after an action, by the name of the action."""


@dataclass(frozen=True)
class Forms:
    """The forms that a user may send about a pipeline.

    Attributes:
        token: The token that each form has.
        may_decide: Whether the user may decide about models and data.
        may_run: Whether the user may start runs.
        user: The id of the user.
    """

    token: str
    may_decide: bool
    may_run: bool
    user: str

    @property
    def any(self) -> bool:
        """Whether there is a form."""
        return self.may_decide or self.may_run


def forms_for(user: BaseUser, dag: str, session: Session) -> Forms:
    """The forms about a pipeline for a user."""
    details = DagDetails(id=dag, team_name=DagModel.get_team_name(dag, session=session))
    manager, user_id = get_auth_manager(), str(user.get_id())
    return Forms(
        make_token(user_id, dag),
        may_decide=bool(manager.is_authorized_dag(method="PUT", details=details, user=user)),
        may_run=bool(manager.is_authorized_dag(method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user)),
        user=user_id,
    )
