"""The texts of the files that `taxiway new` writes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from taxiway.data.formats.convert import ReadOptions
from taxiway.data.schema.draft import with_comments
from taxiway.data.schema.file import schema_to_yaml
from taxiway.data.schema.model import Schema
from taxiway.records import Span
from taxiway.spec.metrics import Problem
from taxiway.spec.pipeline_file import SUFFIX

WINDOW = 3


@dataclass(frozen=True)
class Draft:
    """A pipeline drafted from data.

    Attributes:
        pattern: The pattern of the data's files.
        spans: All spans of the pattern.
        schema: The inferred schema.
        label: The column to predict.
        problem: Whether the label makes it a classification or a regression.
        label_std: The standard deviation of the label; 0 for a classification.
        drop: Columns that the model does not use, and why.
        suspects: Numeric columns that may only be known after the label, with their correlation to it (Pearson's r).
        unread: Columns without statistics, which are not in the schema, and why.
        remarks: What to look at in columns of the schema.
        options: How the files are read.
    """

    pattern: str
    spans: tuple[Span, ...]
    schema: Schema
    label: str
    problem: Problem
    label_std: float
    drop: Mapping[str, str]
    suspects: Mapping[str, float]
    unread: Mapping[str, str]
    remarks: Mapping[str, str]
    options: ReadOptions

    @property
    def window(self) -> int:
        """The number of spans to train on: three, or all but the newest if there are fewer than four."""
        return min(WINDOW, len(self.spans) - 1)

    @property
    def origin(self) -> str:
        """The spans that the draft was made from."""
        return f"{len(self.spans)} spans, {self.spans[0].name} to {self.spans[-1].name}"


def _quoted(text: str) -> str:
    """Quote text for YAML, whose escapes, unlike those of JSON, end at 16 bits."""
    return json.dumps(text, ensure_ascii=False)


def pipeline_text(name: str, team: str, draft: Draft, data_root: str) -> str:
    """The pipeline file, with low thresholds; `data_root` is what `{data}` stands for."""
    dropped = f"\n  drop: [{', '.join(map(_quoted, draft.drop))}]" if draft.drop else ""
    comments = "".join(f"\n  # {column}: {reason}" for column, reason in draft.drop.items())
    comments += "".join(
        f"\n  # {column} is highly correlated with the label (r = {r:.2f}): drop it if it is only known after the label"
        for column, r in draft.suspects.items()
    )
    kind = "Regressor" if draft.problem == "regression" else "Classifier"
    return f"""# Drafted by `taxiway new` from {draft.origin}.
pipeline: {name}
team: {team}
template: continuous_training
schedule: null                                # or new_span, @monthly, a cron expression
source:
  spans: {_quoted(_source_pattern(draft.pattern, data_root))}
{_reading(draft.options)}  window: {draft.window}                                   # train on this many spans, evaluate on the next
  label: {_quoted(draft.label)}
schema: {name}.schema.yaml
features:{comments}
  numeric: auto
  categorical: auto{dropped}
model:
  estimator: sklearn.ensemble.HistGradientBoosting{kind}
gate:
{_gate_text(draft)}
"""


def _reading(options: ReadOptions) -> str:
    """The keys of the source that say how files are read; empty if everything is detected."""
    given = options.csv.model_dump(mode="json", exclude_defaults=True)
    csv = f"  csv: {json.dumps(given, ensure_ascii=False)}\n" if given else ""
    return (f"  format: {options.format}\n" if options.format else "") + csv


def _source_pattern(pattern: str, data_root: str) -> str:
    """The pattern with `{data}` in place of the data root."""
    root = str(Path(data_root).resolve()) if "://" not in data_root else data_root.rstrip("/")
    absolute = pattern if "://" in pattern or "{data}" in pattern else str(Path(pattern).resolve())
    return absolute.replace(f"{root}/", "{data}/", 1) if absolute.startswith(f"{root}/") else absolute


def _gate_text(draft: Draft) -> str:
    if draft.problem == "regression":
        margin = float(f"{0.02 * draft.label_std:.1g}")
        return (
            "  thresholds: {r2: 0}                         # better than predicting the mean; set the minimum that is useful\n"
            "  # It may be worse than the champion by 2% of the label's standard deviation.\n"
            f"  against_champion: {{metric: mae, min_improvement: {-margin:g}}}"
        )
    return (
        "  thresholds: {roc_auc: 0.5}                  # better than chance; set the minimum that is useful\n"
        "  against_champion: {metric: roc_auc, min_improvement: -0.01}"
    )


def schema_text(draft: Draft) -> str:
    """The schema file, with comments about what people have to review."""
    return (
        f"# Drafted by `taxiway new` from {draft.origin}. It describes this data, not what is correct. Review it:\n"
        "# add ranges and units; set a domain to open if new values are normal; a drift limit is twice the largest distance in this\n"
        "# data, and only warns until its severity is error.\n"
    ) + with_comments(schema_to_yaml(draft.schema), {column: [remark] for column, remark in draft.remarks.items()})


def readme_text(name: str, team: str, draft: Draft, folder: Path) -> str:
    """The README of the pipeline: the data, how to run it, and what to review."""
    rows = "\n".join(f"| {span.label} | {span.rows:,} |" for span in draft.spans)
    key = (
        f"`{draft.schema.key[0]}` is unique for every row and is used as the key"
        if draft.schema.key
        else "No single column is unique for every row, so the schema has no key"
    )
    kind = "a regression" if draft.problem == "regression" else "a binary classification"
    suspects = "".join(
        f"\n* `{column}` is highly correlated with the label (r = {r:.2f}). Drop it if it is only known after the label."
        for column, r in draft.suspects.items()
    )
    unread = (
        f" Not in the schema: {', '.join(f'`{column}` ({why})' for column, why in draft.unread.items())}."
        if draft.unread
        else ""
    )
    left_out = (
        f" Not used by the model: {', '.join(f'`{column}` ({why})' for column, why in draft.drop.items())}."
        if draft.drop
        else ""
    )
    return f"""# {team}.{name}

Drafted by `taxiway new`. The model predicts `{draft.label}` ({kind}). It is trained on {draft.window} \
{"span" if draft.window == 1 else "spans"} and evaluated on the next.

| span | rows |
|---|---|
{rows}

{key}.{left_out}{unread}

## Run it

```bash
taxiway lint {folder}
taxiway up --dags {folder.parent}          # prints the address of Airflow, and how to log in
```

In Airflow, trigger the DAG `{team}.{name}`. It decides the oldest span that has {draft.window} \
{"span" if draft.window == 1 else "spans"} before it.

## Then review
{suspects}
* `{name}.schema.yaml`: ranges, units, domains, and which drift should stop a run. It was inferred from this data, which
  therefore passes by construction.
* `{name}{SUFFIX}`: `gate.thresholds`, the minimum score at which the model is useful; `min_improvement` against the champion;
  slices that must not get worse; columns that are only known after the label, which must be dropped.
* Add a schedule, and a gateway with a shadow if the model is served.
"""
