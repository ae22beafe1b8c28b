"""The words of `taxiway new`: the files of a drafted pipeline, from what was seen in the data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from taxiway.data.schema.file import schema_to_yaml
from taxiway.data.schema.model import Schema
from taxiway.records import Span
from taxiway.spec.metrics import Problem
from taxiway.spec.pipeline_file import SUFFIX

WINDOW = 3


@dataclass(frozen=True)
class Seen:
    """What the data say: all spans, the drafted schema, which problem the label is, and which columns are better left out.

    `suspects` are numeric columns that go with the label so closely (Pearson's correlation) that they may be known only after it.
    `unread` are columns without statistics, which the schema leaves out, and why.
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

    @property
    def window(self) -> int:
        """How many spans to train on: three, or all but the newest where there are fewer."""
        return min(WINDOW, len(self.spans) - 1)


def _quoted(text: str) -> str:
    """Text in quotes as YAML reads it: unlike JSON's, its escapes end at 16 bits."""
    return json.dumps(text, ensure_ascii=False)


def pipeline_text(name: str, team: str, seen: Seen, data_root: str) -> str:
    """The pipeline file: what was seen, and gates that ask for little."""
    root = str(Path(data_root).resolve()) if "://" not in data_root else data_root.rstrip("/")
    pattern = seen.pattern if "://" in seen.pattern or "{data}" in seen.pattern else str(Path(seen.pattern).resolve())
    spans = pattern.replace(f"{root}/", "{data}/", 1) if pattern.startswith(f"{root}/") else pattern
    dropped = f"\n  drop: [{', '.join(map(_quoted, seen.drop))}]" if seen.drop else ""
    why = "".join(f"\n  # {column}: {reason}" for column, reason in seen.drop.items())
    regression = seen.problem == "regression"
    gain = float(f"{0.02 * seen.label_std:.1g}")
    why += "".join(
        f"\n  # {column} goes with the label by {found:+.2f}: where it is known only after the label, drop it"
        for column, found in seen.suspects.items()
    )
    gate = (
        f"  thresholds: {{r2: 0}}                             # better than the mean: set what is of use\n"
        f"  # It may be worse than the champion by a fiftieth of the label's deviation.\n"
        f"  against_champion: {{metric: mae, min_improvement: {-gain:g}}}"
        if regression
        else "  thresholds: {roc_auc: 0.5}                      # better than chance: set what is of use\n"
        "  against_champion: {metric: roc_auc, min_improvement: -0.01}"
    )
    kind = "Regressor" if regression else "Classifier"
    return f"""# Drafted by `taxiway new` from {len(seen.spans)} spans, {seen.spans[0].name} to {seen.spans[-1].name}.
pipeline: {name}
team: {team}
template: continuous_training
schedule: null                                # or new_span, @monthly, a cron expression
source:
  spans: {_quoted(spans)}
  window: {seen.window}                                   # train on so many spans, evaluate on the next
  label: {_quoted(seen.label)}
schema: {name}.schema.yaml
features:{why}
  numeric: auto
  categorical: auto{dropped}
model:
  estimator: sklearn.ensemble.HistGradientBoosting{kind}
gate:
{gate}
"""


def schema_text(seen: Seen) -> str:
    """The schema file, with what people have to do about it."""
    return (
        f"# Drafted by `taxiway new` from {len(seen.spans)} spans, {seen.spans[0].name} to {seen.spans[-1].name}: what was seen, "
        "not what is right. Go through it:\n"
        "# ranges and units are what people know; a domain should be open where new values are normal; a limit of drift is twice the\n"
        "# largest distance that was seen, and only warns until its severity is error.\n"
    ) + schema_to_yaml(seen.schema)


def readme_text(name: str, team: str, seen: Seen, folder: Path) -> str:
    """The page about the pipeline: what was seen, how to run it, what to decide."""
    rows = "\n".join(f"| {span.label} | {span.rows:,} |" for span in seen.spans)
    key = (
        f"`{seen.schema.key[0]}` tells all rows apart and is taken as key"
        if seen.schema.key
        else "No single column tells all rows apart"
    )
    learned = "estimates the number" if seen.problem == "regression" else "tells the two values of"
    suspects = "".join(
        f"\n* `{column}` goes with `{seen.label}` by {found:+.2f}: is it known before the label is? If not, drop it."
        for column, found in seen.suspects.items()
    )
    unread = (
        f" Not in the schema: {', '.join(f'`{column}` ({why})' for column, why in seen.unread.items())}." if seen.unread else ""
    )
    left_out = f" Left out: {', '.join(f'`{column}` ({why})' for column, why in seen.drop.items())}." if seen.drop else ""
    return f"""# {team}.{name}

Drafted by `taxiway new`. The model {learned} `{seen.label}`, trains on {seen.window} spans and is decided on the next.

| span | rows |
|---|---|
{rows}

{key}.{left_out}{unread}

## Run it

```bash
taxiway lint {folder}
taxiway up --dags {folder.parent}          # prints where Airflow is, and how to log in
```

In Airflow, start the DAG `{team}.{name}`. It takes the oldest span that has {seen.window} before it.

## Then decide
{suspects}
* `{name}.schema.yaml`: ranges, units, domains, and which drift should stop a run. It was made of these very data, so they pass.
* `{name}{SUFFIX}`: `gate.thresholds`, from which on the model is of use; what it may lose against the champion; slices that
  must not get worse; columns that are only known after the label, which must be dropped.
* A schedule, and a gateway with a shadow, where the model is served.
"""
