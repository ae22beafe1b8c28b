"""The kinds of values that the keys of a pipeline file take, and what is said of one that is not allowed."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic_core import InitErrorDetails, PydanticCustomError

from taxiway.errors import allowed_values

Format = Literal["csv", "jsonl", "parquet"]
CONTINUOUS_TRAINING = "continuous_training"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
_SCHEDULES = ("new_span", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_DURATION = re.compile(r"(?P<amount>\d+)(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: Any) -> timedelta:
    """`90s`, `30m`, `12h`, `1d`; a timedelta is passed on."""
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(str(text))
    if not match:
        raise ValueError(f"{text!r} is not a duration; allowed: a whole number and s, m, h or d, as in 90s, 30m, 12h, 1d")
    return timedelta(**{_UNITS[match["unit"]]: int(match["amount"])})


def _duration_text(value: timedelta) -> str:
    return f"{int(value.total_seconds())}s"


def off_is_none(value: Any) -> Any:
    """YAML reads a bare `off` as false: both mean that the stage is switched off."""
    return None if value is False or value == "off" else value


def _name(value: Any) -> Any:
    """Lower case letters, digits and underscores, a letter first, at most 80: it becomes a part of ids and file names."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError("allowed: up to 80 lower case letters, digits and underscores, a letter first")


def _columns(value: Any) -> Any:
    """`auto`, or a list of column names."""
    if value == "auto" or (isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)):
        return value
    raise ValueError("allowed: auto, or a list of column names")


def _schedule(value: Any) -> Any:
    """Never (None), `new_span`, one of cron's presets, or a cron expression of five fields."""
    if value is None or value in _SCHEDULES or (isinstance(value, str) and len(value.split()) == 5):
        return value
    raise ValueError(allowed_values(str(value), (*_SCHEDULES, "a cron expression of five fields")))


def _template(value: Any) -> Any:
    """Our own template by its name, or a Python file beside the pipeline file."""
    if isinstance(value, str) and (value == CONTINUOUS_TRAINING or value.endswith(".py")):
        return value
    raise ValueError(
        allowed_values(str(value), (CONTINUOUS_TRAINING, "a Python file beside this file, such as with_report.py"))
    )


def number(value: Any) -> Any:
    """A number, and not what YAML makes of `on`, `off`, `yes` and `no`."""
    if isinstance(value, bool):
        raise ValueError("YAML reads it as a truth value (as on, off, yes, no); allowed: a number")  # noqa: TRY004 pydantic's
    return value


def mistake(said: str, got: Any, *key: str) -> InitErrorDetails:
    """What pydantic reports of a ValueError, at a key of the model that a validator is about."""
    return InitErrorDetails(type=PydanticCustomError("value_error", "{said}", {"said": said}), loc=key, input=got)


Columns = Annotated[Literal["auto"] | tuple[str, ...], BeforeValidator(_columns)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(_duration_text, when_used="json")]
Schedule = Annotated[str | None, BeforeValidator(_schedule)]
Template = Annotated[str, BeforeValidator(_template)]
Name = Annotated[str, BeforeValidator(_name)]
Number = Annotated[float, BeforeValidator(number)]
Fraction = Annotated[Number, Field(ge=0, le=1)]


class Section(BaseModel):
    """The base of all parts of a pipeline: frozen, and closed against keys that nothing obeys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
