"""Checks of a team's own: functions that look at the rows of a window."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError
from taxiway.messages import clipped, counted, error_text
from taxiway.spec.python_refs import look_up_function, same_process, short_name

if TYPE_CHECKING:
    import pandas as pd

_KEY = "monitor.checks"
_MAX_CHARACTERS = 500
_MAX_FINDINGS = 20


def check_function(path: str) -> Any:
    """The function of a check.

    Args:
        path: `FILE.py:function` or `package.module:function`.

    Raises:
        ConfigError: The function does not exist, or cannot be called with two arguments.
    """
    allowed = "a function of two arguments, the rows of a window and the evaluation rows"
    return look_up_function(path, _KEY, ("rows", "evaluation"), allowed)


def findings(checks: Sequence[str], path: Path, evaluation: "pd.DataFrame") -> tuple[str, ...]:
    """What the checks find in a window, a sentence each; of each check at most 20.

    Args:
        checks: The paths of the functions.
        path: The rows of the window: the inputs that are compared, and the columns of the gateway as `taxiway log export` writes them.
        evaluation: The inputs of the evaluation rows of the version.

    A check that cannot be run finds this: it must not stop the monitoring of the model.
    """
    return tuple(finding for check in checks for finding in _findings(check, path, evaluation))


def _findings(check: str, path: Path, evaluation: "pd.DataFrame") -> list[str]:
    import pandas as pd

    name = short_name(check)
    try:
        with same_process():
            return _sentences(check_function(check)(pd.read_parquet(path), evaluation.copy()), name)
    except MemoryError:
        raise
    except ConfigError as error:
        return [str(error)]
    except (Exception, SystemExit) as error:  # a team's code may raise anything
        return [f"{name} raised {clipped(error_text(error), _MAX_CHARACTERS)}"]


def _sentences(returned: Any, name: str) -> list[str]:
    if not isinstance(returned, list | tuple) or not all(isinstance(each, str) and each.strip() for each in returned):
        raise ConfigError(
            f"{_KEY}: {name} returned {clipped(repr(returned), _MAX_CHARACTERS)}; allowed: a list of what it found, a sentence each, which is "
            "empty if it found nothing",
            key=_KEY,
        )
    shown = [f"{name}: {clipped(each, _MAX_CHARACTERS)}" for each in returned[:_MAX_FINDINGS]]
    more = len(returned) - len(shown)
    return [*shown, f"{name}: and {counted(more, 'more finding')}"] if more else shown
