"""README and docs say what is so: files shown are the files, commands and links are there, the reference is up to date."""

import ast
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from taxiway.cli import main
from taxiway.cli.lint import lint
from taxiway.data.schema.file import load_schema
from taxiway.demo.run import REQUESTS
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.stages.runner import STAGES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COLUMNS = 128
# Words that this project does not use; `data` alone and `process` as a verb are left to reviewers.
FORBIDDEN = (
    *("blessing", "blessed", "artifact manager", "helper", "helpers", "util", "utils", "handler", "handlers"),
    *("seamless", "seamlessly", "robust", "powerful", "cutting-edge", "state-of-the-art", "blazing", "effortless", "simply"),
)
_FENCE = re.compile(r"(?:<!-- from: (?P<source>\S+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)


def pages() -> Any:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text())


def blocks(page: Path, *languages: str) -> Iterator[str]:
    return (found["text"] for found in _FENCE.finditer(page.read_text()) if found["language"] in languages)


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pages()
def test_a_file_that_is_shown_is_that_file(page: Path) -> None:
    for found in _FENCE.finditer(page.read_text()):
        if found["source"]:
            assert found["text"] == (ROOT / found["source"]).read_text(), found["source"]


def test_the_readme_shows_the_demonstrations_pipeline_and_stub() -> None:
    shown = {found["source"] for found in _FENCE.finditer((ROOT / "README.md").read_text())}
    assert {"dags/flights/late_arrivals.pipeline.yaml", "dags/flights/late_arrivals.py"} <= shown


def test_the_readme_names_the_stages_the_version_and_what_is_required() -> None:
    readme = (ROOT / "README.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", readme, re.M)))
    assert named == [
        stage for name in (*STAGES, "close_run") for stage in {"tune": ("plan_sweep", "trials")}.get(name, (name,))
    ]
    assert f"taxiway-{project['version']}-py3-none-any.whl" in readme
    assert f"Version {project['version']} supports" in readme
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in readme
    (airflow,) = re.findall(r"apache-airflow>=(\d+\.\d+)", " ".join(project["optional-dependencies"]["airflow"]))
    assert f"one wheel for Airflow {airflow}" in readme
    assert f"{REQUESTS:,} live requests" in readme
    assert f"sent {REQUESTS:,}, answered {REQUESTS:,}" in readme


@pages()
def test_yaml_and_python_are_shown_from_files_only(page: Path) -> None:
    for found in _FENCE.finditer(page.read_text()):
        if found["language"] in ("yaml", "python", "json"):
            assert found["source"], f"say which file this is from: {found['text'][:80]}"
            if found["language"] == "python":
                ast.parse(found["text"])


@pages()
def test_commands_and_options_that_are_named_exist(page: Path) -> None:
    inline = re.findall(r"`(taxiway [^`]+)`", prose(page))
    lines = [line.partition("  #")[0] for block in blocks(page, "bash", "") for line in block.splitlines()]
    for line in [*inline, *(line for line in lines if line.startswith("taxiway "))]:
        words = shlex.split(line.rstrip("\\"))
        command = main.commands.get(words[1])
        assert command is not None, f"there is no `taxiway {words[1]}`; there are {sorted(main.commands)}"
        if isinstance(command, click.Group) and len(words) > 2:
            command = command.commands[words[2]]
        known = {option for param in command.params if isinstance(param, click.Option) for option in param.opts} | {"--help"}
        assert {word for word in words if word.startswith("--")} <= known, line


@pages()
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    named = re.findall(r"`make (\w+)", prose(page)) + [
        target for block in blocks(page, "bash") for target in re.findall(r"^make (\w+)", block, re.M)
    ]
    assert set(named) <= targets


@pages()
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} leads nowhere"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text(), re.M)
            anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in anchors, f"{target}: no such heading; there are {anchors}"


@pages()
def test_words_are_the_fields_own(page: Path) -> None:
    text = prose(page).lower()
    assert [word for word in FORBIDDEN if re.search(rf"(?<![\w-]){word}(?![\w-])", text)] == []
    assert re.findall(r"/(?:work|root|tmp)/|/home/\w+", page.read_text()) == [], "a path of somebody's machine"


@pages()
def test_prose_is_wrapped(page: Path) -> None:
    long = [line for line in prose(page).splitlines() if len(line) > COLUMNS and not line.lstrip().startswith(("|", "!["))]
    assert long == []


def test_every_page_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)\s#]+)[^)]*\)", prose(page))
        waiting += [(page.parent / target).resolve() for target in targets if "://" not in target]
    assert set(PAGES) <= seen


def test_the_reference_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")  # where a script finds the modules beside it
    generator = load(ROOT / "docs" / "generate_reference.py")
    for page, text in generator.pages().items():
        assert page.read_text() == text, "run python docs/generate_reference.py"


def test_the_examples_files_are_read_as_a_task_reads_them() -> None:
    path = ROOT / "docs" / "examples" / "subscriptions" / "cancellations.pipeline.yaml"
    pipeline = read_pipeline(path)
    schema = load_schema(Path(pipeline.schema_file))
    assert pipeline.source.label == schema.label
    assert lint([path]) == []


def test_the_examples_stub_is_every_stub() -> None:
    stubs = {path.read_text() for path in (ROOT / "dags").rglob("*.py") if path.with_suffix(".pipeline.yaml").exists()}
    assert stubs == {(ROOT / "docs" / "examples" / "subscriptions" / "cancellations.py").read_text()}


_PARTS_OF_BENCHMARKS = {"http_load", "isolation_models", "measuring", "serving_contestants", "serving_peers", "serving_stack"}


def test_benchmarks_say_what_they_measure() -> None:
    for path in sorted((ROOT / "benchmarks").glob("*.py")):
        about = ast.get_docstring(ast.parse(path.read_text()))
        assert about, path
        if path.stem not in _PARTS_OF_BENCHMARKS:
            assert f"benchmarks/{path.name}" in (ROOT / "docs" / "performance.md").read_text()
