"""Tokens of forms: only a page that this Airflow has shown to a user can act in their name, and only for a day."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from airflow.configuration import conf
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from taxiway.errors import TerminalError

VALID_SECONDS = 24 * 3600
_AGAIN = "open the page again, and repeat what you did"


@dataclass(frozen=True)
class FormToken:
    """A valid token.

    Attributes:
        page: The page that it was made for: a random text.
        at: When that page was made.
    """

    page: str
    at: datetime


class ForgedFormError(TerminalError):
    """A form was not sent from a page that was shown to this user."""


def make_token(user: str, dag: str) -> str:
    """Make the token of the forms about a DAG for a user.

    Args:
        user: The id of the user.
        dag: The id of the DAG.
    """
    return str(_serializer().dumps([user, dag, secrets.token_hex(8)]))


def check_token(text: str, user: str, dag: str) -> FormToken:
    """Check the token of a form.

    Args:
        text: The token.
        user: The id of the user who sends the form.
        dag: The id of the DAG that the form is about.

    Raises:
        ForgedFormError: It is not a token, it has expired, or it was made for another user or DAG.
    """
    try:
        (*known, page), at = _serializer().loads(text, max_age=VALID_SECONDS, return_timestamp=True)
    except SignatureExpired as error:
        raise ForgedFormError(f"this form is older than a day; {_AGAIN}") from error
    except BadSignature as error:
        raise ForgedFormError(f"this form was not made by this Airflow; {_AGAIN}") from error
    if known != [user, dag]:
        raise ForgedFormError(f"this form was made for another user or pipeline; {_AGAIN}")
    return FormToken(page, at)


def check_origin(origin: str | None, allowed: set[str]) -> None:
    """Check the header `Origin` of a form, which every browser sends.

    Args:
        origin: The header; None if there is none.
        allowed: Host and port of the addresses at which people reach this Airflow.

    Raises:
        ForgedFormError: The form is of another site, or the header is missing.
    """
    scheme, _, host = (origin or "").partition("://")
    if scheme not in ("http", "https") or host not in allowed:
        raise ForgedFormError(
            f'this form comes from "{origin or "nowhere"}"; allowed: {", ".join(sorted(allowed))}. Set [api] base_url'
        )


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        conf.get_mandatory_value("api", "secret_key"),
        salt="taxiway form",
        signer_kwargs={"key_derivation": "hmac", "digest_method": sha256},
    )
