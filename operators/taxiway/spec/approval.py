"""The `approval` section: whether a person has to approve a version before it is pushed."""

from typing import Any, Literal

from pydantic import Field

from taxiway.errors import allowed_values
from taxiway.spec.base import Duration, Section

APPROVE, REJECT = "Approve", "Reject"
"""What may be answered to the question in Airflow."""


class Approval(Section):
    """The approval of a version that has passed its gates.

    Attributes:
        approvers: The Airflow users who may answer; empty for everybody who may edit the DAG.
        timeout: How long to wait for an answer; None without a limit.
        on_timeout: What silence means when the timeout is over.
    """

    approvers: tuple[str, ...] = ()
    timeout: Duration | None = Field(default=None)
    on_timeout: Literal["reject", "approve"] = "reject"


def read_approval(value: Any) -> Any:
    """Read `required` as a section with its defaults, and `none` and `off` as no section.

    Raises:
        ValueError: It is another text.
    """
    if value is False or value in ("none", "off"):
        return None
    if isinstance(value, str) and value != "required":
        raise ValueError(allowed_values(value, ("required", "none", "off")))
    return {} if value == "required" else value
