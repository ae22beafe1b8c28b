"""The pipeline file and the schema file that `taxiway new` writes."""

import math
from collections.abc import Iterator
from pathlib import Path

from taxiway.cli.new.columns import MAX_CODES
from taxiway.cli.new.conditions import condition_comment
from taxiway.cli.new.draft import Draft
from taxiway.data.formats.convert import ReadOptions
from taxiway.data.schema.draft import with_comments
from taxiway.data.schema.feature import DATE_TYPES, LIST_TYPES
from taxiway.data.schema.file import schema_to_yaml
from taxiway.messages import counted, json_for_yaml, listed

_WIDE = 0.05
_ENDLESS_COMMENTS = 40
_NON_INFERIORITY = "  # Non-inferiority: it may be worse than the champion by 0.01. 0 asks for a better model."


def warnings_of(draft: Draft) -> Iterator[str]:
    """What to know about a draft before its first run."""
    if draft.split.rule is not None:
        where = "the data is one span: " if draft.is_one_span else "in each span, "
        yield where + ". ".join([draft.split.held_out(), draft.split.together, *draft.split.alternatives()])
    label = draft.label
    yield f"{label.name}: {label.reading()}"
    if label.missing:
        yield (
            f"{label.name}: missing in {counted(label.missing, 'row')}, so source.unlabelled is {draft.unlabelled}: "
            f"{unlabelled_text(draft)}"
        )
    for alone in draft.suspects:
        yield f"{alone.column}: {alone.describe()}; {_kept_or_dropped(draft, alone.column)}"
    yield from map(": ".join, draft.unread.items())
    yield from map(": ".join, draft.not_taken.items())
    yield from map(": ".join, draft.remarks.items())
    if draft.min_rows is not None:
        yield few_rows(draft)


def unlabelled_text(draft: Draft) -> str:
    """What the drafted `unlabelled` does, and what it may be instead."""
    if draft.unlabelled == "wait":
        return "a span is decided when all of its labels are known; drop leaves rows without a label out, fail blocks the run"
    return "rows without a label are left out; wait decides a span when all of its labels are known, fail blocks the run"


def few_rows(draft: Draft) -> str:
    """What so few evaluation rows mean."""
    rows = draft.evaluation_rows
    text = f"an evaluation has only about {counted(rows, 'row')}, so gate.min_rows is {draft.min_rows} instead of 300"
    if draft.is_tiny:
        return f"{text}; these are too few to compare models: collect more"
    resolution = draft.label.resolution(rows)
    if resolution:
        text += f", and a roc_auc below about {min(0.5 + resolution, 1):.2f} cannot be distinguished from chance"
    return text


def due_again(draft: Draft) -> str:
    """When the only span of a draft is due again."""
    if draft.is_dated:
        return "If a file is written over, the span is due again, with the time of the change in its version"
    if draft.is_numbered:
        return "A file with a higher {VERSION} makes the span due again"
    return (
        "Its server does not say when files change, so a file that is written over is not due again: put {VERSION} into the name, and "
        "publish corrections with a higher number"
    )


def _kept_or_dropped(draft: Draft, column: str) -> str:
    return "it is in features.drop" if column in draft.drop else "drop it if it is only known after the label"


def pipeline_text(name: str, team: str, draft: Draft, data_root: str, *, has_gateway: bool) -> str:
    """The pipeline file, with low thresholds; `data_root` is what `{data}` stands for."""
    dropped = f"\n  drop: [{', '.join(map(json_for_yaml, draft.drop))}]" if draft.drop else ""
    kind = "Regressor" if draft.label.problem == "regression" else "Classifier"
    gateway = "gateway: taxiway_gateway                      # of the embedded stack\n" if has_gateway else ""
    return f"""# Drafted by `taxiway new` from {draft.origin}.
pipeline: {name}
team: {team}
{_purpose(draft)}
template: continuous_training
schedule: null                                # or new_span, @monthly, a cron expression
source:
{_source(draft, data_root)}
  # {_comment(draft.label.reading())}
  label: {json_for_yaml(draft.label.name)}{_unlabelled_key(draft)}
schema: {name}.schema.yaml
features:{"".join(f"{chr(10)}  # {_comment(text)}" for text in _feature_comments(draft))}
  numeric: auto
  categorical: auto{dropped}
model:
  estimator: sklearn.ensemble.HistGradientBoosting{kind}
gate:
{chr(10).join([_gate_text(draft), *condition_comment(draft)])}
{gateway}"""


def _purpose(draft: Draft) -> str:
    """The section of the model card; what only people know is blank."""
    if draft.label.problem == "regression":
        wrong = ("a prediction that is too high", "a prediction that is too low")
    else:
        wrong = ("acting on a prediction that is wrong", "missing a case that should be acted on")
    lines = (
        ("purpose:", "for people: the model card of the gate report"),
        ('  description: ""', f"what {_comment(draft.label.name)} is predicted for"),
        ('  users: ""', "who uses the predictions"),
        ("  goal: null", f"such as {{metric: {_goal_example(draft)}}}; the gate does not require it"),
        ("  harm:", ""),
        ('    false_positive: ""', f"what {wrong[0]} costs, and whom"),
        ('    false_negative: ""', f"what {wrong[1]} costs, and whom"),
        ("  not_for: []", "uses for which it must not be taken"),
    )
    return "\n".join(f"{key:<45} # {comment}" if comment else key for key, comment in lines)


def _goal_example(draft: Draft) -> str:
    if draft.label.problem == "regression":
        return "r2, target: 0.8"
    return f"{'balanced_accuracy' if len(draft.label.values) > 2 else 'roc_auc'}, target: 0.8"


def _source(draft: Draft, data_root: str) -> str:
    lines = []
    if draft.is_one_span:
        lines.append(f"  # One span. {due_again(draft)}.")
    lines.append(f"  spans: {json_for_yaml(source_pattern(draft.pattern, data_root))}")
    lines += _reading(draft.options)
    if draft.split.rule is None:
        lines.append(
            f"  window: {draft.window}                                   # train on this many spans, evaluate on the next"
        )
    else:
        lines.append(
            f"  window: {draft.window}                                   # {'the only span' if draft.is_one_span else 'read this many spans'}"
        )
        lines += [f"  # {_comment(remark)}." for remark in _split_remarks(draft)]
        lines.append(f"  split: {draft.split.yaml()}")
    return "\n".join(lines)


def _split_remarks(draft: Draft) -> Iterator[str]:
    """Why the rows are split in this way, and what to split by instead."""
    if draft.split.is_random:
        yield f"N{draft.split.held_out()[1:]}"
    yield draft.split.together
    yield from draft.split.alternatives()


def _unlabelled_key(draft: Draft) -> str:
    """The key for missing labels, if there are any."""
    if draft.unlabelled is None:
        return ""
    missing = counted(draft.label.missing, "row")
    return f"\n  # The label is missing in {missing}: {unlabelled_text(draft)}.\n  unlabelled: {draft.unlabelled}"


def _feature_comments(draft: Draft) -> Iterator[str]:
    for column, reason in draft.drop.items():
        yield f"{column}: {reason}"
    for alone in draft.suspects:
        if alone.column not in draft.drop:
            yield f"{alone.describe()}: drop it if it is only known after the label"
    for column in draft.texts:
        yield f"{column}: free text, from which the model gets up to 30 numbers"
    for feature in draft.schema.features:
        if feature.type in DATE_TYPES and feature.name not in draft.drop:
            yield f"{feature.name}: a {feature.type}, from which the model gets parts such as the weekday and the hour"
        if feature.type in LIST_TYPES and feature.name not in {*draft.drop, *draft.not_taken}:
            yield f"{feature.name}: lists, of which the model gets whether frequent values are in them, or their numbers"
    for column, reason in [*draft.not_taken.items()][:_ENDLESS_COMMENTS]:
        yield f"{column} is {reason}"


def _comment(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _reading(options: ReadOptions) -> list[str]:
    """The keys of the source that say how files are read; empty if everything is detected."""
    given = options.csv.model_dump(mode="json", exclude_defaults=True)
    lines = [f"  format: {options.format}"] if options.format else []
    return [*lines, f"  csv: {json_for_yaml(given)}"] if given else lines


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
            "  # Non-inferiority: it may be worse than the champion by 2% of the label's standard deviation. 0 asks for a better model.",
            f"  against_champion: {{metric: mae, min_improvement: {-margin:g}}}",
        ]
        return "\n".join(lines)
    if len(draft.label.values) > 2:
        chance = (math.floor(100 / len(draft.label.values)) + 1) / 100
        lines += [
            "  # The mean recall of the classes: better than chance; set the minimum that is useful.",
            f"  thresholds: {{balanced_accuracy: {chance:g}}}",
            _NON_INFERIORITY,
            "  against_champion: {metric: balanced_accuracy, min_improvement: -0.01}",
        ]
        return "\n".join(lines)
    lines.append("  thresholds: {roc_auc: 0.51}                 # better than chance; set the minimum that is useful")
    resolution = draft.label.resolution(draft.evaluation_rows)
    if math.isfinite(resolution) and resolution > _WIDE:
        lines.append(
            "  # With so few evaluation rows, a difference of 0.01 is within noise: expect UNDECIDED, or allow a larger one."
        )
    return "\n".join([*lines, _NON_INFERIORITY, "  against_champion: {metric: roc_auc, min_improvement: -0.01}"])


def schema_text(draft: Draft) -> str:
    """The schema file, with comments about what people have to review."""
    comments = {column: [remark] for column, remark in draft.remarks.items()}
    codes = [f.name for f in draft.schema.features if f.domain is not None and f.type == "integer"]
    closed = (
        f"# Whole numbers with at most {MAX_CODES} values have them as a domain, as codes do ({listed(codes)}): give quantities a range instead.\n"
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
