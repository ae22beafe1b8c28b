"""The sections of the pipeline file's page that are not about its keys: the arguments of a command, and the metrics."""

import inspect
from math import isfinite

from taxiway.evaluation.metrics.by_name import FUNCTIONS
from taxiway.spec.metrics import METRIC_FACTS
from taxiway.spec.model.command import FILES

COMMAND_HEAD = """
## Arguments of `model.command`

The program is run without a shell, in an empty temporary folder. An argument that is the path of a file, relative to the folder
of the pipeline file, becomes its absolute path, and these words in braces are replaced, also within an argument; all other text
is passed as it is. One of the first two is required, and the model. In tables, the first column is `label`: the position of the
class from 0, or a number; then `weight`, with `model.weight`; then the transformed features, without missing values.

| argument | what it is |
|---|---|
"""

COMMAND_WORDS = {
    "train.parquet": "the file of the rows to learn from",
    "train.csv": "the same as CSV: UTF-8, a header, commas, texts in double quotes, numbers with all their digits",
    "validation.parquet": "the file of the tenth of the training rows that is held out at random",
    "validation.csv": "the same as CSV",
    "config.json": "a file with the keys `problem` (`classification` or `regression`), `classes`, `columns`, `seed` and `params`",
    "model.onnx": "the file that the program writes",
}

METRICS_HEAD = """
## Metrics

The names in `gate.thresholds`, `gate.against_champion.metric` and `sweep.metric`. `class=NAME` gives the metric of one class
against all others; without it, `f1`, `precision` and `recall` are those of the second of two classes, and `roc_auc` and
`average_precision` are the same, or the mean over the classes if there are more. The second of two classes is predicted from
a probability of 0.5 on, and `threshold=P` gives the metric of another threshold. Intervals are from a paired bootstrap of 400
replicates (standard intervals, Efron 1979), of whole groups with `gate.group_by`, and end at the range. A class that the
model has not learned has the probability 0. A metric that is not a number, as the ROC AUC of one class, gives UNDECIDED.

"""


def command_and_metrics() -> str:
    """Both sections.

    Raises:
        SystemExit: A file of `model.command` is not described.
    """
    return COMMAND_HEAD + _command() + METRICS_HEAD + _metrics()


def _command() -> str:
    if tuple(COMMAND_WORDS) != FILES:
        raise SystemExit(f"the files of model.command are {', '.join(FILES)}: describe them in {__file__}")
    words = {
        **COMMAND_WORDS,
        "params.NAME": "the value of a parameter: a text as it is, any other value in JSON",
        "seed": "a number for random generators, the same in every run",
    }
    return "".join(f"| `{{{name}}}` | {about} |\n" for name, about in words.items())


def _metrics() -> str:
    rows = ["| metric | problem | better | range | what it is |", "|---|---|---|---|---|"]
    for name, facts in METRIC_FACTS.items():
        better = "higher" if facts.direction > 0 else "lower"
        low, high = f"{facts.low:g}", f"{facts.high:g}"
        reach = (
            f"{low} or more"
            if not isfinite(facts.high)
            else f"{high} or less"
            if not isfinite(facts.low)
            else f"{low} to {high}"
        )
        parameters = ", ".join(f"`{name}({parameter}=...)`" for parameter in facts.parameters)
        written = parameters if facts.example else f"`{name}`{f', {parameters}' if parameters else ''}"
        about = (
            " ".join((inspect.getdoc(FUNCTIONS[name]) or "").split("\n\n")[0].split())
            .removesuffix(" See `precision`.")
            .replace("|", r"\|")
        )
        rows.append(f"| {written} | {facts.problem} | {better} | {reach} | {about} |")
    return "\n".join(rows) + "\n"
