"""Types of values in pipeline files, with messages for values that are not allowed."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer
from pydantic_core import InitErrorDetails, PydanticCustomError

from taxiway.errors import allowed_values
from taxiway.records.base import FrozenModel

Format = Literal["csv", "jsonl", "parquet"]
CONTINUOUS_TRAINING = "continuous_training"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
RETRAIN = "retrain"
NEW_SPAN = "new_span"
_PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
_DURATION = re.compile(r"(?P<amount>\d+)(?P<unit>[smhd])")
_MAX_DIGITS = 6
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: Any) -> timedelta:
    """Parse `90s`, `30m`, `12h` or `1d`; a timedelta is returned unchanged.

    Raises:
        ValueError: The text is not a duration.
    """
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(str(text))
    if match and len(match["amount"]) > _MAX_DIGITS:
        raise ValueError(f"{text} is too long; allowed: at most {_MAX_DIGITS} digits, such as 365d")
    if not match:
        raise ValueError(f"{text!r} is not a duration; allowed: a whole number with s, m, h or d, such as 90s, 30m, 12h, 1d")
    return timedelta(**{_UNITS[match["unit"]]: int(match["amount"])})


def duration_text(value: timedelta) -> str:
    """A duration as a pipeline file has it, in the largest unit: `7d`, `36h`, `0s`."""
    seconds = int(value.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def off_is_none(value: Any) -> Any:
    """None for `off`, and for false, as which YAML reads a bare `off`."""
    return None if value is False or value == "off" else value


def key_as_word(content: Any, key: str, read_as: object) -> Any:
    """The content of a section in which YAML did not read a bare key as a word, but as `read_as`, such as `on` as true."""
    if isinstance(content, dict) and read_as in content and key not in content:
        return {(key if name is read_as else name): value for name, value in content.items()}
    return content


def _name(value: Any) -> Any:
    """Check a name, which becomes part of ids and file names."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ValueError("allowed: up to 80 lower-case letters, digits and underscores, beginning with a letter")


def _columns(value: Any) -> Any:
    """Check `auto`, or a list of column names."""
    if value == "auto" or (isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)):
        return value
    raise ValueError("allowed: auto, or a list of column names")


def _schedule(value: Any) -> Any:
    """Check what starts runs: None, or one or several of `new_span`, `retrain`, `{asset: NAME}` and a time.

    Returns:
        A tuple of them; empty for None.
    """
    given = () if value is None else tuple(value) if isinstance(value, list | tuple) else (value,)
    starts = tuple(_start(each) for each in given)
    times = [each for each in starts if isinstance(each, str) and each not in (NEW_SPAN, RETRAIN)]
    if len(times) > 1:
        raise ValueError(
            f"{' and '.join(times)} are two times; allowed: one cron preset or expression, which may have several values"
        )
    if len({str(each) for each in starts}) < len(starts):
        raise ValueError("something is given twice; allowed: each once")
    return starts


def _start(value: Any) -> Any:
    if isinstance(value, AssetSchedule):
        return value
    if isinstance(value, Mapping):
        name = value.get("asset")
        if len(value) != 1 or not isinstance(name, str) or not name:
            raise ValueError(f"{dict(value)} is not an asset; allowed: {{asset: NAME}}")
        return AssetSchedule(asset=name)
    return _allowed_schedule(value, (NEW_SPAN, RETRAIN, *_PRESETS))


def clock_schedule(value: Any) -> Any:
    """Check a schedule by the clock: None, a cron preset, or a cron expression of five fields."""
    return _allowed_schedule(value, _PRESETS)


def _allowed_schedule(value: Any, words: tuple[str, ...]) -> Any:
    """Check a schedule: None, one of some words, or a cron expression of five fields."""
    if value is None or value in words:
        return value
    if isinstance(value, str) and _is_cron(value):
        if not _ever_comes(value):
            raise ValueError("no year has such a day; allowed: a day and a month that has it")
        return value
    raise ValueError(allowed_values(str(value), (*words, "a cron expression of five fields")))


def _is_cron(text: str) -> bool:
    """Whether a text is a cron expression of five fields, by the library that Airflow reads it with."""
    from croniter import croniter

    return len(text.split()) == 5 and croniter.is_valid(text)


def _ever_comes(cron: str) -> bool:
    """Whether a valid cron expression has a time: `0 0 31 2 *` has none."""
    from croniter import CroniterBadDateError, croniter

    try:
        croniter(cron).get_next()
    except CroniterBadDateError:
        return False
    return True


def _template(value: Any) -> Any:
    """Check a template: `continuous_training`, or a Python file in the folder of the pipeline file."""
    if isinstance(value, str) and (value == CONTINUOUS_TRAINING or value.endswith(".py")):
        return value
    raise ValueError(
        allowed_values(str(value), (CONTINUOUS_TRAINING, "a Python file in the same folder, such as with_report.py"))
    )


def number(value: Any) -> Any:
    """Reject booleans, as which YAML reads `on`, `off`, `yes` and `no`."""
    if isinstance(value, bool):
        raise ValueError("YAML reads it as a boolean (like on, off, yes, no); allowed: a number")  # noqa: TRY004 pydantic's
    return value


def mistake(message: str, got: Any, *key: str) -> InitErrorDetails:
    """The details that pydantic reports for a ValueError.

    Args:
        message: The message.
        got: The value that is not allowed.
        key: The path of the key, relative to the model; empty for the whole model.
    """
    return InitErrorDetails(type=PydanticCustomError("value_error", "{message}", {"message": message}), loc=key, input=got)


Columns = Annotated[Literal["auto"] | tuple[str, ...], BeforeValidator(_columns)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(duration_text, when_used="json")]
Template = Annotated[str, BeforeValidator(_template)]
Name = Annotated[str, BeforeValidator(_name)]
Number = Annotated[float, BeforeValidator(number)]
Fraction = Annotated[Number, Field(ge=0, le=1)]


class Section(FrozenModel):
    """The base of all sections of a pipeline file."""


class AssetSchedule(Section):
    """A run for each event of an asset.

    Attributes:
        asset: The name of the asset, such as that of a scoring's predictions, or of the champion of another pipeline.
    """

    asset: str


Schedule = Annotated[tuple[AssetSchedule | str, ...], BeforeValidator(_schedule)]


def time_of(schedule: Schedule) -> str | None:
    """The cron preset or expression of a schedule; None if it has none."""
    return next((each for each in schedule if isinstance(each, str) and each not in (NEW_SPAN, RETRAIN)), None)
