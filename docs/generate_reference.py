"""Writes docs/reference/pipeline-file.md from the models of `taxiway.pipeline`; a test checks that it is up to date.

What obeys a key cannot be read from the models, so it stands here; a key without such a sentence is an error.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from taxiway.pipeline import AgainstChampion, Features, Gate, Model, Pipeline, Shadow, Slices, Source

REFERENCE = Path(__file__).parent / "reference" / "pipeline-file.md"

SECTIONS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("", Pipeline),
    ("source", Source),
    ("features", Features),
    ("model", Model),
    ("gate", Gate),
    ("gate.against_champion", AgainstChampion),
    ("gate.slices", Slices),
    ("shadow", Shadow),
)

OBEYED_BY = {
    "pipeline": "the loader: the DAG is called `team.pipeline`, and so is the registered model",
    "team": "the loader: owner and tag of the DAG, first half of its name; the MLflow experiment is `team/pipeline`",
    "template": "the loader: which template makes the DAG",
    "schedule": "Airflow: a cron expression or preset such as `@monthly`; `new_span` wakes the DAG when a new span is due; "
    "`null`: started by hand. A scheduled DAG is paused when Airflow first sees it",
    "source": "`ingest`; see below",
    "schema": "`validate_data`, `transform`: the name of the schema file beside this file",
    "suite": "`validate_data`: the name of a Great Expectations suite beside this file (extra `gx`)",
    "bad_data": "`validate_data`: where the data did not pass, `stop` the run, or `go_on` and train, to see what comes of it; "
    "`validate_model` fails the model in any case",
    "features": "`transform`; see below",
    "model": "`train`; see below",
    "gate": "`validate_model`; see below",
    "gateway": "`shadow`, `push`, `close_run`: the Airflow connection of the model gateway. Without it nothing is shadowed, and "
    "`push` does not wait for the new version to be served",
    "shadow": "`shadow`; see below. `null` or `off`: nothing is shadowed. It needs `gateway`",
    "source.spans": "`ingest`: a pattern of Parquet files on any fsspec URL. `{YYYY}`, `{MM}`, `{DD}` or `{SPAN}` name the span; "
    "of several with `{VERSION}` the highest is read; `{data}` is `[taxiway] data`",
    "source.window": "`ingest`: how many spans are trained on, before the one that is evaluated on",
    "source.label": "`transform`, `train`, `validate_model`: the column to predict; it has two values",
    "features.numeric": "`transform`: numeric columns; `auto`: the schema's integers and numbers, without label and key",
    "features.categorical": "`transform`: categorical columns; `auto`: the schema's strings and booleans, without label and key",
    "features.drop": "`transform`: columns that the model does not take",
    "model.estimator": "`train`: the dotted path of a scikit-learn class; this or `build`",
    "model.build": "`train`: `module:function`, called with the parameters as one dict, returns an estimator; this or `estimator`",
    "model.params": "`train`: parameters of the estimator; a run's `model_params` go over them",
    "gate.min_rows": "`validate_model`: fewer evaluation rows than this decide nothing, so the verdict is UNDECIDED",
    "gate.floors": "`validate_model`: a metric's least value, or its largest where lower is better (`brier`, `log_loss`)",
    "gate.against_champion": "`validate_model`; see below",
    "gate.slices": "`validate_model`; see below. `null`: no slices are compared",
    "gate.reliability": "`validate_model`, `shadow`: the confidence of every interval that decides; slices share it",
    "gate.against_champion.metric": "`validate_model`: the metric that is compared, on all rows and in slices",
    "gate.against_champion.min_gain": "`validate_model`: the least gain over the champion; below zero is an allowed loss. A gain "
    "is a rise, or a fall where lower is better",
    "gate.slices.by": "`validate_model`: columns; every value of each is a slice",
    "gate.slices.max_drop": "`validate_model`: how much a slice may lose against the champion",
    "gate.slices.min_rows": "`validate_model`: smaller slices decide nothing",
    "shadow.deployer": "`shadow`, `close_run`: where the challenger runs: `process`, in the gateway's own, or `docker`, in a container "
    "that the Airflow worker starts; the installation says in which image and network",
    "shadow.min_requests": "`shadow`: how many requests both sides must have answered",
    "shadow.max_wait": "`shadow`: when to stop waiting for them: `90s`, `30m`, `12h`, `1d`",
    "shadow.min_agreement": "`shadow`: the least share of rows with the same label",
    "shadow.max_error_rate": "`shadow`: the largest share of failed requests among those that the champion answered",
    "shadow.max_p99_ratio": "`shadow`: the 99th percentile of the challenger's predict calls, in multiples of the champion's",
}

HEAD = """\
# The pipeline file

Written by `docs/generate_reference.py` from the models in `operators/taxiway/pipeline.py`; do not edit it by hand.

A pipeline file is called `NAME.pipeline.yaml`, and the stub beside it `NAME.py`. An unknown key is an error, which names the
line, what is allowed and the nearest right word. How a file comes about: [the first pipeline](../guides/first-pipeline.md).
Names in `code` in the last column are tasks of the DAG.
"""


def reference() -> str:
    """The whole page."""
    parts = [HEAD]
    for path, model in SECTIONS:
        parts.append(f"## {f'`{path}`' if path else 'The file'}\n\n{_about(model)}\n\n" + "\n".join(_table(path, model)) + "\n")
    unknown = set(OBEYED_BY) - {f"{path}.{key}".lstrip(".") for path, model in SECTIONS for key, _ in _fields(model)}
    if unknown:
        raise SystemExit(f"no such key in the pipeline file: {', '.join(sorted(unknown))}; take it out of OBEYED_BY")
    return "\n".join(parts)


def _about(model: type[BaseModel]) -> str:
    text = " ".join((model.__doc__ or "").split())
    return textwrap.fill(
        re.sub(r"(?<![`\w])(\{[A-Za-z]+\})", r"`\1`", text), 126, break_long_words=False, break_on_hyphens=False
    )


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, field


def _table(path: str, model: type[BaseModel]) -> Iterator[str]:
    yield "| key | type | default | obeyed by |"
    yield "|---|---|---|---|"
    for key, field in _fields(model):
        whole = f"{path}.{key}".lstrip(".")
        if whole not in OBEYED_BY:
            raise SystemExit(f"{whole} is a new key: say in OBEYED_BY of {__file__} who obeys it")
        yield f"| `{key}` | {_type(field)} | {_default(field)} | {OBEYED_BY[whole]} |"


def _type(field: FieldInfo) -> str:
    limits = [word for entry in field.metadata for word in _limit(entry)]
    return ", ".join([_name(field.annotation), *limits])


def _limit(entry: Any) -> Iterator[str]:
    words = {"ge": "at least", "le": "at most", "gt": "above", "lt": "below", "min_length": "entries: at least"}
    for name, word in words.items():
        if getattr(entry, name, None) is not None:
            yield f"{word} {getattr(entry, name):g}"
    if getattr(entry, "pattern", None):
        yield f"`{entry.pattern}`"


def _name(annotation: Any) -> str:
    plain = {str: "text", int: "whole number", float: "number", timedelta: "duration", Any: "any value"}
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "keys below"
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin is Annotated:
        return _name(args[0])
    if origin in (Union, UnionType):
        return " or ".join(_name(arg) for arg in args if arg is not NoneType)
    if origin is tuple:
        return "list of names"
    if origin is not None and issubclass(origin, Mapping):
        return f"mapping of {'metric' if get_origin(args[0]) is Literal else 'name'} to {_name(args[1])}"
    raise SystemExit(f"no words for the type {annotation}; add them to {__file__}")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "the defaults below"
    if isinstance(value, timedelta):
        return f"`{value.days}d`"
    if value is None or value is PydanticUndefined:
        return "none"
    if value == () or value == {}:
        return "empty"
    return f"`{value}`"


if __name__ == "__main__":
    REFERENCE.write_text(reference())
