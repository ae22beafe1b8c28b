"""Writes docs/reference/ from the models of `taxiway.spec.pipeline`, `taxiway.spec.team` and `taxiway.data`; a test checks that it is up to date.

What obeys a key cannot be read from the models, so it stands here; a key without such a message is an error.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from taxiway.data.schema.constraints import Counts, Drift, FeatureSkew, Range, Rule
from taxiway.data.schema.model import Feature, Schema
from taxiway.data.schema.watch import MetricMonitor
from taxiway.records import Waiver
from taxiway.spec.gate import AgainstChampion, Gate, Slices
from taxiway.spec.join import Join
from taxiway.spec.pipeline import Features, Model, Pipeline
from taxiway.spec.selection import FixedWindow, Sample, Split
from taxiway.spec.shadow import Shadow
from taxiway.spec.source import KINDS, SourceKeys
from taxiway.spec.sweep import Between, Sweep
from taxiway.spec.team import Notification, Team, TeamGate, TeamShadow

REFERENCE = Path(__file__).parent / "reference"
Sections = tuple[tuple[str, type[BaseModel]], ...]

PIPELINE_SECTIONS: Sections = (
    ("", Pipeline),
    ("source", SourceKeys),
    *(("source", kind) for kind in KINDS),
    ("source.window", FixedWindow),
    ("source.join.NAME", Join),
    ("source.sample", Sample),
    ("source.split", Split),
    ("features", Features),
    ("model", Model),
    ("sweep", Sweep),
    ("gate", Gate),
    ("gate.against_champion", AgainstChampion),
    ("gate.slices", Slices),
    ("shadow", Shadow),
)

TEAM_SECTIONS: Sections = (
    ("", Team),
    ("notification", Notification),
    ("gate", TeamGate),
    ("shadow", TeamShadow),
)

SCHEMA_SECTIONS: Sections = (
    ("", Schema),
    ("rows_ratio", Range),
    ("features.NAME", Feature),
    ("features.NAME.range", Range),
    ("features.NAME.valency", Counts),
    ("features.NAME.distinct", Counts),
    ("features.NAME.drift", Drift),
    ("features.NAME.skew", Drift),
    ("rules.NAME", Rule),
    ("metric_checks", MetricMonitor),
    ("feature_skew", FeatureSkew),
    ("waivers", Waiver),
)

# What a key takes in the file, and its default, where the record holds it in another form.
WRITTEN = {
    "key": ("name or list of names", "empty"),
    "environments": ("list of names", "`[TRAINING, SERVING]`"),
    "features": ("mapping of column to keys below", "must be given"),
    "rules": ("mapping of name to keys below", "empty"),
    "features.NAME.presence": ("`required`, `optional` or `{min_fraction: F}`", "`required`"),
    "features.NAME.domain": ("`open` or list of values", "`open`"),
    "rules.NAME.sql": ("text", "must be given"),
}

PIPELINE_OBEYED_BY = {
    "pipeline": "the loader: the DAG is called `team.pipeline`, and so is the registered model",
    "team": "the loader: owner and tag of the DAG, first half of its name; the MLflow experiment is `team/pipeline`",
    "template": "the loader: `continuous_training`, or a Python file beside this one with a function `template(pipeline, team)` "
    "that gives the DAG",
    "schedule": "Airflow: a cron expression or preset such as `@monthly`; `new_span` wakes the DAG when a new span is due; "
    "`null`: started by hand. A scheduled DAG is paused when Airflow first sees it",
    "source": "`ingest`; see below",
    "schema": "`validate_data`, `transform`: the name of the schema file beside this file",
    "suite": "`validate_data`: the name of a Great Expectations suite beside this file (extra `gx`)",
    "on_invalid_data": "`validate_data`: where the data did not pass, `stop` the run, or `continue` and train, to see what comes of it; "
    "`validate_model` fails the model in any case",
    "features": "`transform`; see below",
    "model": "`train`; see below",
    "sweep": "`plan_sweep`, `trials`, `train`; see below. `null`: no parameters are searched",
    "gate": "`validate_model`; see below",
    "gateway": "`shadow`, `push`, `close_run`: the Airflow connection of the model gateway. Without it nothing is shadowed, and "
    "`push` does not wait for the new version to be served",
    "shadow": "`shadow`; see below. `null` or `off`: nothing is shadowed. It needs `gateway`",
    "source.spans": "`ingest`: a pattern of files on any fsspec URL: Parquet, CSV or JSON lines. `{YYYY}`, `{MM}`, `{DD}` or "
    "`{SPAN}` name the span; of several with `{VERSION}` the highest is read; `{data}` is `[taxiway] data`",
    "source.format": "`ingest`: what the files are, where their names do not end in `.parquet`, `.csv`, `.tsv`, `.jsonl`, `.ndjson` or "
    "`.json`",
    "source.sql": "`ingest`: a query of one period's rows, with `{begin}` and `{end}`, which are bound as times",
    "source.connection": "`ingest`: the Airflow connection that `sql` is asked through",
    "source.version": "`ingest`: a query of one whole number for `{begin}` and `{end}`: another number than before, and the period is "
    "decided again. None: a period is decided once",
    "source.function": "`ingest`: `FILE.py:function` beside this file, or `package.module:function`, called with `begin` and `end`, "
    "returns a DataFrame, a pyarrow Table, or an iterator of such",
    "source.every": "`ingest`, the watcher of `new_span`: how long the period of each span is",
    "source.first": "`ingest`, the watcher of `new_span`: the first period, by its name: `2013`, `2013-04`, `2013-W14`, `2013-04-01` or "
    "`2013-04-01T05`",
    "source.delay": "`ingest`, the watcher of `new_span`: how long after its end the rows of a period are there",
    "source.window": "`ingest`: how many spans are trained on, before the one that is evaluated on (with a split by a column: how many "
    "are read); or `{from: SPAN, to: SPAN}`, the same spans in every run, of which the newest after them is evaluated on",
    "source.exclude": "`ingest`: names of spans that are never read, such as `[2013-04]`; its log says so",
    "source.join": "`ingest`: other tables, by names that the file gives them, whose columns are put beside the rows; see below",
    "source.sample": "`ingest`; see below. None: all rows are read",
    "source.split": "`ingest`: `newest`: the newest span is evaluated on, whole; or by the values of a column, see below",
    "source.window.from": "`ingest`: the first span of a window that stays",
    "source.window.to": "`ingest`: the last one",
    "source.join.NAME.spans": "`ingest`: a pattern as that of `source.spans`, with the same placeholders, or with those that name the periods "
    "of `sql` or `function`; a span is joined to the one of its name, and is not read before that is there. This or `file`",
    "source.join.NAME.file": "`ingest`: one table that is joined to every span; this or `spans`",
    "source.join.NAME.format": "`ingest`: what the files are, where their names do not tell, as `source.format`",
    "source.join.NAME.on": "`ingest`: columns of the spans, each with the column of the table that it equals",
    "source.join.NAME.as_of": "`ingest`: one column of the spans with one of the table, both dates, times or whole numbers: of the rows of a key, "
    "the newest at or before the row's own is the partner; of several at once, the last in the file",
    "source.join.NAME.within": "`ingest`: how much older than the row its partner may be: `90s`, `30m`, `12h`, `1d`; for `as_of` only",
    "source.join.NAME.recode": "`ingest`: how values of the columns in `on` are written anew before they are compared: `{FROM: TO}`, or steps, one "
    "after another: `text`, `strip`, `upper`, `lower`, `{pad: DIGITS}` (zeros in front), `{remove_prefix: TEXT}`, `{values: {FROM: TO}}`",
    "source.join.NAME.recode_right": "`ingest`: the same for the table's columns",
    "source.join.NAME.columns": "`ingest`: the table's columns that are taken; a name that the rows have already is an error",
    "source.join.NAME.prefix": "`ingest`: put before the names of these columns",
    "source.join.NAME.min_match_rate": "`validate_data`: the least share of each span's rows that find a partner; fewer are an anomaly `join_match`, "
    "which blocks",
    "source.sample.fraction": "`ingest`: how much is read: of 0.1 about every tenth value of `by`",
    "source.sample.by": "`ingest`: the column whose values are drawn; a value that was drawn once is drawn in every span and run, and in every "
    "pipeline that samples by the same values",
    "source.sample.stratify": "`ingest`: a column, such as the label, each of whose values keeps at least its fraction of a span's rows, "
    "and at least one",
    "source.split.by": "`ingest`: the column whose values are held out; all rows of a value are on one side, in every span and run",
    "source.split.evaluation": "`ingest`: the share of values that is held out",
    "source.label": "`transform`, `train`, `validate_model`: the column to predict: of two values, or a number where the gate's metrics "
    "are of numbers",
    "features.numeric": "`transform`: numeric columns; `auto`: the schema's integers and numbers, without label and key",
    "features.categorical": "`transform`: categorical columns; `auto`: the schema's strings and booleans, without label and key",
    "features.drop": "`transform`: columns that the model does not take",
    "model.estimator": "`train`: the dotted path of a scikit-learn class; this or `build`",
    "model.build": "`train`: `FILE.py:function` beside this file, or `package.module:function`, called with the parameters as one "
    "dict, returns an estimator; this or `estimator`",
    "model.params": "`train`: parameters of the estimator; a run's `model_params` go over them",
    "sweep.search": "`plan_sweep`: every combination, or some that are drawn",
    "sweep.trials": "`plan_sweep`: how many are drawn; for `random` only",
    "sweep.trials_per_task": "`trials`: how many one mapped task runs, one after another",
    "sweep.metric": "`trials`, `train`: by which the best is chosen; none: that of `gate.against_champion`",
    "sweep.space": "`plan_sweep`: for each parameter a list of values, or for `random` also `{low: L, high: H}`, with `log: true` where "
    "magnitudes matter; whole numbers are drawn where both ends are",
    "gate.min_rows": "`validate_model`: fewer evaluation rows than this decide nothing, so the verdict is UNDECIDED",
    "gate.thresholds": "`validate_model`: a metric's least value, or its largest where lower is better (`brier`, `log_loss`, "
    "`mae`, `rmse`); an unlike pair of metrics, of classes (`accuracy`, `average_precision`, `brier`, `log_loss`, `roc_auc`) and of "
    "numbers (`mae`, `r2`, `rmse`), is refused",
    "gate.against_champion": "`validate_model`; see below",
    "gate.slices": "`validate_model`; see below. `null`: no slices are compared",
    "gate.confidence": "`validate_model`, `shadow`: the confidence of every interval that decides; slices share it",
    "gate.against_champion.metric": "`validate_model`: the metric that is compared, on all rows and in slices",
    "gate.against_champion.min_improvement": "`validate_model`: the least gain over the champion; below zero is an allowed loss. A gain "
    "is a rise, or a fall where lower is better",
    "gate.slices.by": "`validate_model`: columns; every value of each is a slice",
    "gate.slices.max_drop": "`validate_model`: how much of the metric a slice may lose against the champion, in the metric's unit",
    "gate.slices.min_rows": "`validate_model`: smaller slices decide nothing",
    "shadow.deployer": "`shadow`, `close_run`: where the challenger runs: `process`, in the gateway's own, or `docker`, in a container "
    "that the Airflow worker starts; the installation says in which image and network",
    "shadow.min_requests": "`shadow`: how many requests both sides must have answered",
    "shadow.max_wait": "`shadow`: when to stop waiting for them: `90s`, `30m`, `12h`, `1d`",
    "shadow.min_agreement": "`shadow`: the least share of rows with the same label, or with numbers `agree_within` of each other",
    "shadow.agree_within": "`shadow`: how far apart two numbers may be and still agree, in the label's unit; must be given where the "
    "model estimates a number, and only there",
    "shadow.max_error_rate": "`shadow`: the largest share of failed requests among those that the champion answered",
    "shadow.max_p99_ratio": "`shadow`: the 99th percentile of the challenger's predict calls, in multiples of the champion's",
}

TEAM_OBEYED_BY = {
    "team": "the loader: the `team` of every pipeline file beside it",
    "owner": "Airflow: shown as the owner of the DAGs; none: the team's name",
    "pool": "Airflow: the pool of all tasks; make it in Airflow, a task of an unknown pool waits for ever",
    "notification": "`close_run`; see below",
    "gate": "the loader, `taxiway lint`: a looser pipeline does not load; see below",
    "shadow": "the loader, `taxiway lint`; see below. None: pipelines may do without a shadow",
    "notification.notifier": "`close_run`: an Airflow notifier by its dotted path, such as "
    "`airflow.providers.smtp.notifications.smtp.SmtpNotifier`",
    "notification.params": "`close_run`: its parameters; those that are templates may use `taxiway`",
    "notification.events": "`close_run`: of which ends to tell",
    "gate.thresholds": "at least these metrics, with thresholds at least this high, or low for `brier`, `log_loss`, `mae`, `rmse`",
    "gate.min_improvement": "`against_champion.metric` is one of these, and its `min_improvement` not below",
    "gate.max_drop": "there are `slices`, and their `max_drop` is not above",
    "gate.slices": "`gate.slices.by` has all of these columns",
    "gate.max_slice_min_rows": "`gate.slices.min_rows` is not above",
    "gate.min_rows": "`gate.min_rows` is not below",
    "gate.confidence": "`gate.confidence` is not below",
    "shadow.min_requests": "`shadow.min_requests` is not below",
    "shadow.min_agreement": "`shadow.min_agreement` is not below",
    "shadow.max_error_rate": "`shadow.max_error_rate` is not above",
    "shadow.max_p99_ratio": "`shadow.max_p99_ratio` is not above",
    "shadow.max_agree_within": "`shadow.agree_within` is not above",
}

_VALIDATES = "`validate_data`, `taxiway validate`"
SCHEMA_OBEYED_BY = {
    "label": "`taxiway lint`, every task: it is the pipeline's `source.label`; every row of training data needs a value, and not "
    "always the same. None: nothing is learned from these data",
    "key": f"{_VALIDATES}: no two rows have the same values in these columns, across the spans of a snapshot",
    "environments": f"{_VALIDATES}: the kinds of data that there are; `taxiway validate --environment`. Tasks check `TRAINING`",
    "min_rows": f"{_VALIDATES}: fewer rows in a span are an anomaly",
    "max_rows": f"{_VALIDATES}: more rows in a span are an anomaly",
    "rows_ratio": f"{_VALIDATES}: the rows of the newest span by the mean of those before it",
    "features": f"{_VALIDATES}: what each column should be; `transform`: which columns a model may take",
    "rules": f"{_VALIDATES}: conditions over several columns",
    "metric_checks": f"{_VALIDATES}: metrics that are watched from span to span",
    "feature_skew": "`taxiway validate --serving`: training and serving rows of the same `key` are compared value by value; needs `key`",
    "waivers": f"{_VALIDATES}: anomalies that do not block until a day",
    "rows_ratio.min": "the smallest ratio",
    "rows_ratio.max": "the largest ratio",
    "features.NAME.type": f"{_VALIDATES}: what the file holds; whole numbers in a column of floats are integers; `transform`: integers "
    "and numbers are numeric features, strings and booleans categorical ones",
    "features.NAME.description": "`taxiway schema show`, `taxiway lint` notes where it is blank: what the column means",
    "features.NAME.unit": "the same, and messages about ranges: the unit of a number",
    "features.NAME.missing_means": "the same, and messages about missing values: what it means that there is none",
    "features.NAME.collected": "the same: how the values come about",
    "features.NAME.stage": f"{_VALIDATES}: `planned`, `alpha` and `deprecated` features only warn, `planned` and `deprecated` ones may be "
    "missing; a model that uses a `planned` or `alpha` feature fails. `transform`: `auto` leaves these out. "
    "`taxiway schema promote` moves it",
    "features.NAME.owner": "messages about the stage, `taxiway schema show`: who answers for the column",
    "features.NAME.since": "the same: since when the feature is in its stage; written by `taxiway schema promote`",
    "features.NAME.presence": f"{_VALIDATES}: the least share of rows with a value; NaN is none. `optional`: the column may be missing",
    "features.NAME.valency": f"{_VALIDATES}: how many items a list has",
    "features.NAME.unique": f"{_VALIDATES}: no two rows share a value, counted exactly",
    "features.NAME.distinct": f"{_VALIDATES}: how many distinct values there are in a span",
    "features.NAME.domain": f"{_VALIDATES}: the only values that may be; for strings and integers",
    "features.NAME.min_in_domain": f"{_VALIDATES}: the least share of rows with a value whose value is in the domain",
    "features.NAME.pattern": f"{_VALIDATES}: a regular expression of DuckDB that all of each text matches",
    "features.NAME.semantic": f"{_VALIDATES}: what each text is, by a pattern of ours",
    "features.NAME.range": f"{_VALIDATES}: the numbers that may be",
    "features.NAME.drift": f"{_VALIDATES} (with `--previous`): how far the newest span may be from the training spans",
    "features.NAME.skew": "`taxiway validate --serving`: how far serving data may be from training data",
    "features.NAME.environments": f"{_VALIDATES}: where the column is expected; none: everywhere. `transform`: a model takes what is "
    "expected in `SERVING`",
    "features.NAME.severity": f"{_VALIDATES}: of every anomaly in the column but drift and skew, where the stage does not lower it",
    "features.NAME.range.min": "the smallest number",
    "features.NAME.range.max": "the largest number",
    "features.NAME.valency.min": "the fewest items",
    "features.NAME.valency.max": "the most items",
    "features.NAME.distinct.min": "the fewest values",
    "features.NAME.distinct.max": "the most values",
    "features.NAME.drift.limit": "a larger distance, that chance does not explain, is an anomaly",
    "features.NAME.drift.severity": "of that anomaly, where the stage does not lower it",
    "features.NAME.drift.distance": "by which it is measured; none: `l_infinity` for strings and booleans, `jensen_shannon` for numbers",
    "features.NAME.skew.limit": "as in `drift`",
    "features.NAME.skew.severity": "as in `drift`",
    "features.NAME.skew.distance": "as in `drift`",
    "rules.NAME.sql": "a condition in DuckDB's SQL with the names of the columns",
    "rules.NAME.description": "said with the anomaly: what the condition means",
    "rules.NAME.min_fraction": "the least share of the rows that fulfil it; those for which it is null do not count",
    "rules.NAME.severity": "of the anomaly",
    "metric_checks.metric": "what is watched: `rows`, or a statistic of `column`",
    "metric_checks.column": "the column; none for `rows`",
    "metric_checks.strategy": "how it is judged",
    "metric_checks.min": "`bounds`: the smallest value",
    "metric_checks.max": "`bounds`: the largest value",
    "metric_checks.max_decrease": "`change`: the largest fall from the span before",
    "metric_checks.max_increase": "`change`: the largest rise from the span before",
    "metric_checks.min_ratio": "`ratio`: the smallest quotient by the span before",
    "metric_checks.max_ratio": "`ratio`: the largest quotient by the span before",
    "metric_checks.deviations": "`normal`: how many standard deviations from the mean of the spans before",
    "metric_checks.min_spans": "`normal`: with fewer spans before, nothing is judged",
    "metric_checks.severity": "of the anomaly",
    "feature_skew.max_fraction": "the largest share of rows of the same key in which a column may differ",
    "feature_skew.digits": "decimal places to which numbers are rounded first; none: compared as they are",
    "feature_skew.severity": "of the anomaly",
    "waivers.kind": "the kind of the anomaly, as the report names it: `range`, `drift`, `gx:` and the type of an expectation",
    "waivers.column": "its column, or its rule; empty for what is about the table",
    "waivers.owner": "who answers for letting it pass",
    "waivers.reason": "why it may pass",
    "waivers.until": "the last day on which it may",
}

PIPELINE_HEAD = """\
# The pipeline file

Written by `docs/generate_reference.py` from the models in `operators/taxiway/spec/pipeline.py`; do not edit it by hand.

A pipeline file is called `NAME.pipeline.yaml`, and the stub beside it `NAME.py`. An unknown key is an error, which names the
line, what is allowed and the nearest right word. How a file comes about: [the first pipeline](../guides/first-pipeline.md).
Names in `code` in the last column are tasks of the DAG.
"""

TEAM_HEAD = """\
# The team file

Written by `docs/generate_reference.py` from the models in `operators/taxiway/spec/team.py`; do not edit it by hand.

`team.yaml` lies in the folder of a team's pipelines and holds for all of them. It may be absent. How it is used: [templates
for teams](../guides/teams.md).
"""


SCHEMA_HEAD = """\
# The schema file

Written by `docs/generate_reference.py` from the models in `operators/taxiway/data/`; do not edit it by hand.

`NAME.schema.yaml` lies beside the pipeline file that names it. An unknown key is an error, which names the line, what is
allowed and the nearest right word. How people work with it: [schemas](../guides/schemas.md). `NAME` in a key stands for the
name of a column or a rule.
"""


def pages() -> dict[Path, str]:
    """The pages of the reference by their paths."""
    return {
        REFERENCE / "pipeline-file.md": _page(PIPELINE_HEAD, PIPELINE_SECTIONS, PIPELINE_OBEYED_BY),
        REFERENCE / "team-file.md": _page(TEAM_HEAD, TEAM_SECTIONS, TEAM_OBEYED_BY),
        REFERENCE / "schema-file.md": _page(SCHEMA_HEAD, SCHEMA_SECTIONS, SCHEMA_OBEYED_BY, WRITTEN),
    }


def _page(head: str, sections: Sections, obeyed_by: Mapping[str, str], written: Mapping[str, tuple[str, str]] = {}) -> str:
    parts = [head]
    for path, model in sections:
        table = "\n".join(_table(path, model, obeyed_by, written))
        parts.append(f"## {_heading(path, model)}\n\n{_about(model)}\n\n{table}\n")
    unknown = set(obeyed_by) - {f"{path}.{key}".lstrip(".") for path, model in sections for key, _ in _fields(model)}
    if unknown:
        raise SystemExit(f"no such key in {head.splitlines()[0]}: {', '.join(sorted(unknown))}; take it out of {__file__}")
    return "\n".join(parts)


def _heading(path: str, model: type[BaseModel]) -> str:
    if issubclass(model, SourceKeys) and model is not SourceKeys:
        return f"`{path}` with `{model.key}`"
    return f"`{path}`" if path else "The file"


def _about(model: type[BaseModel]) -> str:
    text = " ".join((model.__doc__ or "").split())
    return textwrap.fill(
        re.sub(r"(?<![`\w])(\{[A-Za-z]+\})", r"`\1`", text), 126, break_long_words=False, break_on_hyphens=False
    )


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if name == "name" and model in (Feature, Rule):
            continue  # the key above
        if issubclass(model, SourceKeys) and model is not SourceKeys and name in SourceKeys.model_fields:
            continue  # in the section of the keys that all sources have
        yield field.alias or name, field


def _table(
    path: str, model: type[BaseModel], obeyed_by: Mapping[str, str], written: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    yield "| key | type | default | obeyed by |"
    yield "|---|---|---|---|"
    for key, field in _fields(model):
        whole = f"{path}.{key}".lstrip(".")
        if whole not in obeyed_by:
            raise SystemExit(f"{whole} is a new key: say in {__file__} who obeys it")
        kind, default = written.get(whole) or (_type(field), _default(field))
        yield f"| `{key}` | {kind} | {default} | {obeyed_by[whole]} |"


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
    plain = {
        str: "text",
        int: "whole number",
        float: "number",
        timedelta: "duration",
        Any: "any value",
        bool: "`true` or `false`",
        date: "day",
    }
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel | StrEnum):
        return "keys below" if issubclass(annotation, BaseModel) else _name(Literal[tuple(annotation)])
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin is Annotated:
        return _name(args[0])
    if Between in (annotation, *get_args(annotation)):
        return "list of values or `{low, high, log}`"
    if origin in (Union, UnionType):
        return " or ".join(_name(arg) for arg in args if arg is not NoneType)
    if origin is tuple:
        return _list(args[0])
    if origin is not None and issubclass(origin, Mapping):
        return f"mapping of {'metric' if get_origin(args[0]) is Literal else 'name'} to {_name(args[1])}"
    raise SystemExit(f"no words for the type {annotation}; add them to {__file__}")


def _list(entry: Any) -> str:
    if get_origin(entry) is Literal or (isinstance(entry, type) and issubclass(entry, BaseModel)):
        return f"list of {_name(entry)}"
    if Mapping in map(get_origin, get_args(entry)):
        return "mapping of values, or list of steps"
    return "list of values" if entry is Any else "list of names"


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
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in ("", (), {}):
        return "empty"
    return f"`{value}`"


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text)
