"""Write the files of a drafted pipeline."""

from collections.abc import Callable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from taxiway.cli.lint import STUB, lint
from taxiway.cli.new.draft import draft_pipeline
from taxiway.cli.new.locate import span_pattern
from taxiway.cli.new.page import readme_text
from taxiway.cli.new.texts import pipeline_text, schema_text, warnings_of
from taxiway.data.formats.convert import ReadOptions
from taxiway.data.formats.open_data import AS_DETECTED
from taxiway.data.sources.reader import Note, ignore
from taxiway.errors import ConfigError
from taxiway.local.stack import find_running
from taxiway.local.stack_dir import DEFAULT_STACK_HOME
from taxiway.spec.base import Name
from taxiway.spec.pipeline_file import SUFFIX, TEAM_FILE, read_team


def new_pipeline(
    name: str,
    team: str,
    data: str,
    label: str,
    *,
    dags: Path,
    data_root: str,
    split_by: str | None = None,
    options: ReadOptions = AS_DETECTED,
    note: Note = ignore,
    progress: Callable[[str], None] = ignore,
) -> tuple[list[Path], list[str]]:
    """Write the files of a new pipeline into `dags/team`.

    Args:
        name: The pipeline's name.
        team: The team's name.
        data: A folder, a file, a glob or a span pattern.
        label: The column to predict.
        dags: The folder of DAG files.
        data_root: What `{data}` stands for; a path below it is written with `{data}`.
        split_by: The column by which the rows of each span are split; None to evaluate on the newest span if there are several.
        options: How the files are read.
        note: Called with each note on what is doubtful about the data or the draft.
        progress: Called with what is done now.

    Returns:
        The files, and the mistakes that `taxiway lint` finds in them.

    Raises:
        ConfigError: A file exists already, or the data cannot be read as spans.
        DataError: The label cannot be predicted.
    """
    for word, noun in ((name, "pipeline"), (team, "team")):
        _check_name(word, noun)
    folder = dags / team
    known = read_team(folder)
    if known is not None and known.team != team:
        raise ConfigError(
            f'{folder / TEAM_FILE} belongs to the team "{known.team}"; give another folder, or --team {known.team}'
        )
    texts = {f"{name}{SUFFIX}": "", f"{name}.schema.yaml": "", f"{name}.py": STUB, f"{name}.md": ""}
    existing = [file for file in texts if (folder / file).exists()]
    if existing:
        raise ConfigError(
            f"{folder} already has {', '.join(existing)}, and nothing is overwritten; give the pipeline another name"
        )
    pattern = span_pattern(data.replace("{data}", data_root.rstrip("/")), options.format)
    draft = draft_pipeline(pattern, label, split_by=split_by, options=options, note=note, progress=progress)
    for warning in warnings_of(draft):
        note(warning)
    stack = find_running(DEFAULT_STACK_HOME)
    gateway = stack.url("gateway") if stack is not None else None
    texts[f"{name}{SUFFIX}"] = pipeline_text(name, team, draft, data_root, has_gateway=gateway is not None)
    texts[f"{name}.schema.yaml"] = schema_text(draft)
    texts[f"{name}.md"] = readme_text(name, team, draft, dags, data_root, gateway)
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return [folder / file for file in texts], lint([folder / f"{name}{SUFFIX}"])


def _check_name(word: str, noun: str) -> None:
    try:
        TypeAdapter(Name).validate_python(word)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f'the name of the {noun} is "{word}"; {reason}') from None
