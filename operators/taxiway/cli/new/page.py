"""The page about a drafted pipeline: the data, how to run it, and what to review."""

import json
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from taxiway.cli.new.conditions import suggested_condition
from taxiway.cli.new.draft import Draft
from taxiway.cli.new.texts import due_again, few_rows, source_pattern, unlabelled_text
from taxiway.messages import counted
from taxiway.spec.files.pipeline_file import SUFFIX
from taxiway.stages.installation import DEFAULT_DATA

_SHOWN_SPANS = 24


def readme_text(name: str, team: str, draft: Draft, dags: Path, data_root: str, gateway: str | None) -> str:
    """The page; `gateway` is the address of the running embedded stack's gateway, if there is one."""
    key = draft.schema.key
    unique = (
        f"`{key[0]}` is unique for every row and is used as the key"
        if key
        else "No single column is unique for every row, so the schema has no key"
    )
    lists = "".join(
        f"\n\n## {title}\n\n" + "\n".join(f"* `{column}`: {why}." for column, why in columns.items())
        for title, columns in (
            ("Not used by the model", draft.drop),
            ("Not taken by models as they are", draft.not_taken),
            ("Not in the schema", draft.unread),
            ("To look at", draft.remarks),
        )
        if columns
    )
    return f"""# {team}.{name}

Drafted by `taxiway new`. The model predicts `{draft.label.name}`: {draft.label.reading()}. {_evaluation_text(draft)}

{_spans(draft)}

{unique}.{lists}

## Run it

{_run(name, team, draft, dags, data_root)}
{_predict(f"{team}.{name}", draft, gateway)}
## Then review

{_review(name, draft)}
"""


def _evaluation_text(draft: Draft) -> str:
    window = counted(draft.window, "span")
    if draft.split.rule is None:
        return f"It is trained on {window} and evaluated on the next."
    where = "The data is one span" if draft.is_one_span else f"It is trained and evaluated on {window}"
    sentences = [f"{where}: {draft.split.held_out('`')}", draft.split.together]
    if draft.is_one_span:
        sentences += [due_again(draft), _stays(draft)]
    return ". ".join(sentences) + "."


def _stays(draft: Draft) -> str:
    """What becomes of the rows on both sides when rows are added."""
    rule = draft.split.rule
    if rule is not None and rule.stratify is not None:
        return "Most rows stay on their side then; a few may change it, so that each class keeps its share"
    return f"The same {'rows' if draft.split.is_random else 'values'} stay held out"


def _spans(draft: Draft) -> str:
    rows = [f"| {span.label} | {span.rows:,} |" for span in draft.spans]
    if len(rows) > _SHOWN_SPANS:
        half = _SHOWN_SPANS // 2
        rows = [*rows[:half], f"| {len(rows) - _SHOWN_SPANS:,} more | |", *rows[-half:]]
    return "\n".join(["| span | rows |", "|---|---|", *rows])


def _run(name: str, team: str, draft: Draft, dags: Path, data_root: str) -> str:
    below_data = "{data}" in source_pattern(draft.pattern, data_root)
    is_default = Path(data_root) == Path(DEFAULT_DATA)
    data = f" --data {quote(data_root)}" if below_data and not is_default else ""
    target = "the span" if draft.is_one_span else "the oldest span that is due"
    stack = (
        f"taxiway up --dags {quote(str(dags))}          # prints the address of Airflow, and how to log in\n"
        if not data
        else ""
    )
    setting = (
        f" There `{{data}}` is the setting `[taxiway] data`, which must be `{Path(data_root).resolve() if '://' not in data_root else data_root}`; in the "
        f"embedded stack (`taxiway up`) it is `{DEFAULT_DATA}`, so copy the data there."
        if data
        else ""
    )
    return f"""```bash
taxiway lint {quote(str(dags / team))}
taxiway run {quote(str(dags / team / f"{name}{SUFFIX}"))}{data}
{stack}```

`taxiway run` runs the pipeline in this process, without Airflow, on {target}. In an Airflow that reads `{dags}`, trigger the DAG
`{team}.{name}`.{setting}
"""


def _predict(model: str, draft: Draft, gateway: str | None) -> str:
    if gateway is None:
        return ""
    rows = json.dumps({"dataframe_records": [draft.typical]}, ensure_ascii=False).replace("'", "\\u0027")
    return f"""
## Ask for predictions

The gateway of the embedded stack serves the champion once Airflow has promoted one. `taxiway up` prints the caller token.

```bash
curl -H "Authorization: Bearer $TAXIWAY_CALLER_TOKEN" -H "Content-Type: application/json" \\
     -d '{rows}' \\
     {gateway}/models/{model}/invocations
```
"""


def _review(name: str, draft: Draft) -> str:
    return "\n".join(f"* {text}" for text in _to_review(name, draft))


def _to_review(name: str, draft: Draft) -> Iterator[str]:
    if draft.label.missing:
        yield (
            f"`{draft.label.name}` is missing in {counted(draft.label.missing, 'row')}, so `source.unlabelled` is `{draft.unlabelled}`: "
            f"{unlabelled_text(draft)}."
        )
    for alternative in draft.split.alternatives("`"):
        yield f"{alternative}."
    for alone in draft.suspects:
        kept = "It was dropped for that reason" if alone.column in draft.drop else "Drop it if it is only known after the label"
        yield f"{alone.describe()}. {kept}."
    if draft.min_rows is not None:
        yield f"A{few_rows(draft)[1:]}."
    yield (
        f"`{name}.schema.yaml`: ranges, units, domains, and which drift should stop a run. It was inferred from this data, which\n"
        "  therefore passes by construction."
    )
    yield (
        f"`{name}{SUFFIX}`: `gate.thresholds`, the minimum score at which the model is useful; `min_improvement` against the champion;\n"
        "  slices that must not get worse; columns that are only known after the label, which must be dropped."
    )
    yield f"`{name}{SUFFIX}`: `purpose`, which is printed in the model card of each gate report: what the model is for, and what not."
    if suggested_condition(draft) is not None:
        yield (
            f"`{name}{SUFFIX}`: the condition in the comment below `gate`, which these rows support; it holds for all models that are\n"
            "  tried on the same rows, and withholds the scores of those that fail."
        )
    yield "Add a schedule, and a gateway with a shadow if the model is served."
