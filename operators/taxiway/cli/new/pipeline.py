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
from taxiway.spec.files.pipeline_file import SUFFIX, TEAM_FILE, read_team
from taxiway.spec.metrics import Problem


def new_pipeline(
    name: str,
    team: str,
    data: str,
    label: str,
    *,
    dags: Path,
    data_root: str,
    split_by: str | None = None,
    problem: Problem | None = None,
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
        problem: Classification or regression; None to find out from the label.
        options: How the files are read.
        note: Called with each note on what is doubtful about the data or the draft.
        progress: Called with what is done now.

    Returns:
        The files, and the mistakes that `taxiway lint` finds in them.

    Raises:
        ConfigError: A file exists already, or the data cannot be read as spans.
        DataError: The label cannot be predicted.
    """
    folder = dags / team
    _check_place(name, team, folder)
    pattern = span_pattern(data.replace("{data}", data_root.rstrip("/")), options.format)
    draft = draft_pipeline(pattern, label, split_by=split_by, problem=problem, options=options, note=note, progress=progress)
    for warning in warnings_of(draft):
        note(warning)
    stack = find_running(DEFAULT_STACK_HOME)
    gateway = stack.url("gateway") if stack is not None else None
    texts = (
        pipeline_text(name, team, draft, data_root, has_gateway=gateway is not None),
        schema_text(draft),
        STUB,
        readme_text(name, team, draft, dags, data_root, gateway),
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = _files(name, folder)
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    return files, lint(files[:1])


def _files(name: str, folder: Path) -> list[Path]:
    """The pipeline file, the schema, the stub and the page."""
    return [folder / f"{name}{ending}" for ending in (SUFFIX, ".schema.yaml", ".py", ".md")]


def _check_place(name: str, team: str, folder: Path) -> None:
    """Raise ConfigError if a name is not allowed, the folder is another team's, or a file exists already."""
    for word, noun in ((name, "pipeline"), (team, "team")):
        _check_name(word, noun)
    known = read_team(folder)
    if known is not None and known.team != team:
        raise ConfigError(
            f'{folder / TEAM_FILE} belongs to the team "{known.team}"; give another folder, or --team {known.team}'
        )
    existing = [file.name for file in _files(name, folder) if file.exists()]
    if existing:
        raise ConfigError(
            f"{folder} already has {', '.join(existing)}, and nothing is overwritten; give the pipeline another name"
        )


def _check_name(word: str, noun: str) -> None:
    try:
        TypeAdapter(Name).validate_python(word)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f'the name of the {noun} is "{word}"; {reason}') from None
