"""The pipeline file and the schema file that `taxiway new` writes."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

from taxiway.cli.new.columns import MOST_CODES
from taxiway.cli.new.draft import EVALUATION, Draft
from taxiway.data.formats.convert import ReadOptions
from taxiway.data.schema.draft import with_comments
from taxiway.data.schema.file import schema_to_yaml
from taxiway.messages import counted, listed

_WIDE = 0.05
_ENDLESS_COMMENTS = 40


def warnings_of(draft: Draft) -> Iterator[str]:
    """What to know about a draft before its first run."""
    if draft.is_one_span:
        yield f"the data is one span, so its rows are split by {draft.split_by}: {EVALUATION:.0%} of its values are held out for evaluation"
    elif draft.split_by:
        yield f"the rows of each span are split by {draft.split_by}: {EVALUATION:.0%} of its values are held out for evaluation"
    label = draft.label
    yield f"{label.name}: {label.reading()}"
    if label.missing:
        yield (
            f"{label.name}: missing in {counted(label.missing, 'row')}, and a run needs a label in every row that it reads; leave these rows out at "
            "the source"
        )
    for alone in draft.suspects:
        yield f"{alone.column}: {alone.describe()}; {_kept_or_dropped(draft, alone.column)}"
    yield from map(": ".join, draft.unread.items())
    yield from map(": ".join, draft.not_taken.items())
    yield from map(": ".join, draft.remarks.items())
    if draft.min_rows is not None:
        yield few_rows(draft)


def few_rows(draft: Draft) -> str:
    """What so few evaluation rows mean."""
    rows = draft.evaluation_rows
    text = f"an evaluation has only about {counted(rows, 'row')}, so gate.min_rows is {draft.min_rows} instead of 300"
    if draft.is_tiny:
        return f"{text}; so few rows decide hardly anything: collect more"
    resolution = draft.label.resolution(rows)
    if draft.label.problem == "classification":
        text += f", and a roc_auc must be above about {min(0.5 + resolution, 1):.2f} to be surely better than chance"
    return text


def _kept_or_dropped(draft: Draft, column: str) -> str:
    return "it is in features.drop" if column in draft.drop else "drop it if it is only known after the label"


def pipeline_text(name: str, team: str, draft: Draft, data_root: str, *, has_gateway: bool) -> str:
    """The pipeline file, with low thresholds; `data_root` is what `{data}` stands for."""
    dropped = f"\n  drop: [{', '.join(map(_quoted, draft.drop))}]" if draft.drop else ""
    kind = "Regressor" if draft.label.problem == "regression" else "Classifier"
    gateway = "gateway: taxiway_gateway                      # of the embedded stack\n" if has_gateway else ""
    return f"""# Drafted by `taxiway new` from {draft.origin}.
pipeline: {name}
team: {team}
template: continuous_training
schedule: null                                # or new_span, @monthly, a cron expression
source:
{_source(draft, data_root)}
  # {_comment(draft.label.reading())}
  label: {_quoted(draft.label.name)}
schema: {name}.schema.yaml
features:{"".join(f"{chr(10)}  # {_comment(text)}" for text in _feature_comments(draft))}
  numeric: auto
  categorical: auto{dropped}
model:
  estimator: sklearn.ensemble.HistGradientBoosting{kind}
gate:
{_gate_text(draft)}
{gateway}"""


def _source(draft: Draft, data_root: str) -> str:
    lines = []
    if draft.is_dated:
        lines.append(
            "  # One span. If a file is written over, the span is due again, as a version that is named by the time of the change."
        )
    lines.append(f"  spans: {_quoted(source_pattern(draft.pattern, data_root))}")
    lines += _reading(draft.options)
    if draft.split_by is None:
        lines.append(
            f"  window: {draft.window}                                   # train on this many spans, evaluate on the next"
        )
    else:
        lines.append(
            f"  window: {draft.window}                                   # {'the only span' if draft.is_one_span else 'read this many spans'}"
        )
        lines.append("  # All rows of a value are either trained on or evaluated on.")
        lines.append(f"  split: {{by: {_quoted(draft.split_by)}, evaluation: {EVALUATION:g}}}")
    return "\n".join(lines)


def _feature_comments(draft: Draft) -> Iterator[str]:
    for column, reason in draft.drop.items():
        yield f"{column}: {reason}"
    for alone in draft.suspects:
        if alone.column not in draft.drop:
            yield f"{alone.describe()}: drop it if it is only known after the label"
    for column, reason in [*draft.not_taken.items()][:_ENDLESS_COMMENTS]:
        yield f"{column} is {reason}"


def _quoted(text: str) -> str:
    """Quote text for YAML, whose escapes, unlike those of JSON, end at 16 bits."""
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _reading(options: ReadOptions) -> list[str]:
    """The keys of the source that say how files are read; empty if everything is detected."""
    given = options.csv.model_dump(mode="json", exclude_defaults=True)
    lines = [f"  format: {options.format}"] if options.format else []
    return [*lines, f"  csv: {json.dumps(given, ensure_ascii=False)}"] if given else lines


def source_pattern(pattern: str, data_root: str) -> str:
    """The pattern with `{data}` in place of the data root."""
    root = str(Path(data_root).resolve()) if "://" not in data_root else data_root.rstrip("/")
    absolute = pattern if "://" in pattern or "{data}" in pattern else str(Path(pattern).resolve())
    return absolute.replace(f"{root}/", "{data}/", 1) if absolute.startswith(f"{root}/") else absolute


def _gate_text(draft: Draft) -> str:
    lines = [] if draft.min_rows is None else [f"  # {few_rows(draft)}.", f"  min_rows: {draft.min_rows}"]
    if draft.label.problem == "regression":
        margin = float(f"{0.02 * draft.label.std:.1g}")
        lines += [
            "  thresholds: {r2: 0}                         # better than predicting the mean; set the minimum that is useful",
            "  # It may be worse than the champion by 2% of the label's standard deviation.",
            f"  against_champion: {{metric: mae, min_improvement: {-margin:g}}}",
        ]
        return "\n".join(lines)
    lines.append("  thresholds: {roc_auc: 0.5}                  # better than chance; set the minimum that is useful")
    resolution = draft.label.resolution(draft.evaluation_rows)
    if math.isfinite(resolution) and resolution > _WIDE:
        lines.append(
            "  # With so few evaluation rows a difference of 0.01 can hardly be told: expect UNDECIDED, or allow more."
        )
    return "\n".join([*lines, "  against_champion: {metric: roc_auc, min_improvement: -0.01}"])


def schema_text(draft: Draft) -> str:
    """The schema file, with comments about what people have to review."""
    comments = {column: [remark] for column, remark in draft.remarks.items()}
    codes = [f.name for f in draft.schema.features if f.domain is not None and f.type == "integer"]
    closed = (
        f"# Whole numbers with at most {MOST_CODES} values have them as a domain, as codes do ({listed(codes)}): give quantities a range instead.\n"
        if codes
        else ""
    )
    drift = (
        "# a drift limit is twice the largest distance in this data, and only warns until its severity is error.\n"
        if len(draft.spans) > 1
        else "# there are no drift limits, because nothing can be compared with the only span.\n"
    )
    return (
        f"# Drafted by `taxiway new` from {draft.origin}. It describes this data, not what is correct. Review it:\n"
        "# add ranges and units; set a domain to open if new values are normal;\n"
        f"{drift}{_comment(closed.rstrip())}{chr(10) * bool(closed)}"
    ) + with_comments(schema_to_yaml(draft.schema), comments)
