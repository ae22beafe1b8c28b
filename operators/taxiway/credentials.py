"""Keep the users, passwords and signatures of URLs out of messages and logs."""

import logging
import re

# The last @ before the path ends the credentials, because people forget to quote one in a password. A password after a colon may
# even have /, ? and #, as SQLAlchemy and keys of object stores allow, if a host follows the @.
_CREDENTIALS = re.compile(r"""(?<=://)([^\s/?#@:]*:(?!\d+[/?#])[^\s@]*@(?=[\w\[.-]+(?:[:/?#,;.'")\s]|$))|[^\s/?#'"]*@)""")

# The parameters of signed URLs of object stores and of connection strings, and those by which services are commonly given a key.
_SECRET_PARAMETER = re.compile(
    r"""([?&;#][^=&;#?\s'"]*(?:sig|signature|token|secret|pass|passwd|password|pwd|credential|key|auth|code|jwt|odbc_connect)=)"""
    r"""[^&;#\s'"]+""",
    re.IGNORECASE,
)


def without_credentials(text: str) -> str:
    """A text, such as a URL or an error that quotes one, without the secrets of each URL in it.

    The user and the password are removed; the value of a parameter such as `sig`, `X-Amz-Signature` or `token` becomes `***`.
    """
    return _SECRET_PARAMETER.sub(r"\1***", _CREDENTIALS.sub("", text))


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_credentials(super().format(record))


def log_to_stderr() -> None:
    """Log to stderr from level INFO on, without the credentials of URLs in messages and tracebacks."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
