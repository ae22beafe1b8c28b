"""Keep the users, passwords and signatures of URLs out of messages and logs, and secrets out of the environment of a team's code."""

import json
import logging
import os
import re
from datetime import UTC, datetime

# The last @ before the path ends the credentials, because people forget to quote one in a password. A password after a colon may
# even have /, ? and #, as SQLAlchemy and keys of object stores allow, if a host follows the @.
_CREDENTIALS = re.compile(r"""(?<=://)([^\s/?#@:]*:(?!\d+[/?#])[^\s@]*@(?=[\w\[.-]+(?:[:/?#,;.'")\s]|$))|[^\s/?#'"]*@)""")

# The parameters of signed URLs of object stores and of connection strings, and those by which services are commonly given a key.
_SECRET_PARAMETER = re.compile(
    r"""([?&;#][^=&;#?\s'"]*(?:sig|signature|token|secret|pass|passwd|password|pwd|credential|key|auth|code|jwt|odbc_connect)=)"""
    r"""[^&;#\s'"]+""",
    re.IGNORECASE,
)

_PASSED = re.compile(r"HOME|LANG|LANGUAGE|LC_\w+|LD_LIBRARY_PATH|LOGNAME|PATH|TZ|USER|CUDA_VISIBLE_DEVICES|\w+_NUM_THREADS")
_PASSED_TO_PYTHON = re.compile(
    r"PYTHON\w+|TMPDIR|VIRTUAL_ENV|XDG_\w+|OMP_\w+|KMP_\w+|MKL_\w+|OPENBLAS_\w+|DO_NOT_TRACK|TAXIWAY_CODE|MLFLOW_DISABLE_TELEMETRY|"
    r"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"
)


def passed_variables() -> dict[str, str]:
    """The variables of the environment that a program of a team gets: those of a list, without credentials."""
    return {name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)}


def forget_variables() -> None:
    """Remove all other variables from the environment of this process, but for the settings of Python and its libraries."""
    for name in list(os.environ):
        if not _PASSED.fullmatch(name) and not _PASSED_TO_PYTHON.fullmatch(name):
            del os.environ[name]


def without_credentials(text: str) -> str:
    """A text, such as a URL or an error that quotes one, without the secrets of each URL in it.

    The user and the password are removed; the value of a parameter such as `sig`, `X-Amz-Signature` or `token` becomes `***`.
    """
    return _SECRET_PARAMETER.sub(r"\1***", _CREDENTIALS.sub("", text))


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_credentials(super().format(record))


class _JsonFormatter(logging.Formatter):
    """One JSON object per line; the fields of `extra={"fields": {...}}` are its keys, too."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        content = {"time": time, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        content |= getattr(record, "fields", {})
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return without_credentials(json.dumps(content, ensure_ascii=False, default=str))


def log_to_stderr(*, as_json: bool = False, level: int = logging.INFO) -> None:
    """Log to stderr, without the credentials of URLs in messages and tracebacks.

    Args:
        as_json: Whether to write JSON objects instead of text.
        level: The lowest level that is logged.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if as_json else _Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
