"""The pattern of the files that `--from` names: a folder, one file, several files, or a pattern."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.storage_errors import file_system, storage_errors
from taxiway.data.formats.convert import ENDINGS, known_format
from taxiway.errors import ConfigError
from taxiway.messages import counted
from taxiway.spec.base import Format
from taxiway.spec.source.span_pattern import SpanPattern, is_hidden

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# How paths name spans, in this order: each is tried at its first place in the first path.
_FORMS = (
    "{YYYY}/{MM}/{YYYY}-{MM}-{DD}",
    "{YYYY}/{YYYY}-{MM}-{DD}",
    "{YYYY}/{YYYY}-{MM}",
    "{YYYY}-{MM}-{DD}T{HH}",
    "{YYYY}-{MM}-{DD}_{HH}",
    "{YYYY}-{MM}-{DD}-{HH}",
    "{YYYY}/{MM}/{DD}/{HH}",
    "year={YYYY}/month={MM}/day={DD}/hour={HH}",
    "{YYYY}-{MM}-{DD}/{HH}",
    "{YYYY}-{MM}-{DD}",
    "{YYYY}_{MM}_{DD}",
    "{YYYY}.{MM}.{DD}",
    "{YYYY}/{MM}/{DD}",
    "year={YYYY}/month={MM}/day={DD}",
    "{YYYY}-Q{Q}",
    "{YYYY}_Q{Q}",
    "{YYYY}Q{Q}",
    "{YYYY}-q{Q}",
    "{YYYY}q{Q}",
    "{YYYY}-W{WW}",
    "{YYYY}_W{WW}",
    "{YYYY}W{WW}",
    "{YYYY}-{MM}",
    "{YYYY}_{MM}",
    "{YYYY}.{MM}",
    "{YYYY}/{MM}",
    "year={YYYY}/month={MM}",
    "{YYYY}{MM}{DD}{HH}",
    "{YYYY}{MM}{DD}",
    "{YYYY}{MM}",
    "{YYYY}",
    "{SPAN}",
)
_DEPTH = 5
_SHOWN = 5
_PART = re.compile(r"part[-_.]?[0-9]")


def span_pattern(data: str, given: Format | None = None) -> str:
    """The pattern of the files that `--from` names.

    Args:
        data: A folder, a file, a glob or a pattern, also on any URL that fsspec reads.
        given: The format, if the names of the files do not show it.

    Returns:
        The pattern, as in a pipeline file; without a placeholder for one span.

    Raises:
        ConfigError: There are no such files, or their names do not show which span they are.
    """
    if "{" in data:
        return data
    fs, root = file_system(data)
    with storage_errors(f"--from {data}"):
        if fs.isfile(root):
            found = root
        elif fs.isdir(root):
            found = _of_folder(fs, root, data, given)
        else:
            found = _of_glob(fs, root, data)
    return found if "://" not in data else str(fs.unstrip_protocol(found))


def _of_folder(fs: "AbstractFileSystem", root: str, data: str, given: Format | None) -> str:
    paths = [path for path in sorted(fs.find(root, maxdepth=_DEPTH)) if not is_hidden(path.removeprefix(root))]
    kinds = {path: given or known_format(path) for path in paths}
    tables = [path for path in paths if kinds[path] is not None]
    if not tables:
        there = f"with the files {_some(paths, root)}" if paths else "without files"
        raise ConfigError(
            f"--from {data} is a folder {there}; allowed: a folder with files of {', '.join(ENDINGS)}, for text formats also with .gz; "
            "or say the format, as in --format csv"
        )
    endings = sorted({_ending(path) for path in tables})
    if len(endings) > 1:
        raise ConfigError(
            f"--from {data} is a folder with files of {', '.join(endings)}; give a pattern for those of the data, such as "
            f"{data.rstrip('/')}/*{_ending(tables[0])}"
        )
    return _of_files(tables, root.rstrip("/"), data)


def _of_glob(fs: "AbstractFileSystem", root: str, data: str) -> str:
    folder = re.split(r"[*?\[]", root, maxsplit=1)[0].rpartition("/")[0]
    found = sorted(path for path in fs.glob(root) if fs.isfile(path))
    # A pattern such as _*.csv names hidden files on purpose.
    paths = [path for path in found if not is_hidden(path.removeprefix(folder))] or found
    if not paths:
        raise ConfigError(
            f"--from {data} does not exist; allowed: a file, a folder of files, or a pattern such as sales/{{YYYY}}-{{MM}}.csv"
        )
    return _of_files(paths, folder, data)


def _of_files(paths: Sequence[str], folder: str, data: str) -> str:
    """The pattern that matches all of some files below a folder."""
    if len(paths) == 1:
        return paths[0]
    for pattern in _candidates(paths, folder):
        if _fits(pattern, paths):
            return pattern
    raise ConfigError(
        f"--from {data} has {counted(len(paths), 'file')} whose names do not show their spans: "
        f"{', '.join(path.removeprefix(f'{folder}/') for path in paths[:_SHOWN])}{' ...' if len(paths) > _SHOWN else ''}; allowed: names with a "
        "period or number in one place, such as 2026-01.csv, 2026-01-31.csv, 2026-Q1.csv, 2026-W05.csv or 7.csv; one folder for each "
        "period; part-0.csv, part-1.csv for one table; or a pattern such as sales/{YYYY}-{MM}.csv"
    )


def _candidates(paths: Sequence[str], folder: str) -> Iterator[str]:
    """Patterns that match the first path."""
    first = paths[0].removeprefix(f"{folder}/")
    below, _, name = first.rpartition("/")
    are_parts = all(_PART.match(path.rpartition("/")[2]) for path in paths)
    texts = [first] * (not are_parts) + [f"{below}/*{_ending(name)}"] * bool(below)
    for form in _FORMS:
        yield from (f"{folder}/{made}" for text in texts if (made := _written_as(form, text)) is not None)
    if are_parts and not below:
        yield f"{folder}/*{_ending(name)}"


def _written_as(form: str, text: str) -> str | None:
    """The text with the last place that can be the span in the form of a pattern; None if there is none."""
    expression = SpanPattern.parse(form).expression.pattern
    places = list(re.finditer(rf"(?<![0-9]){expression}(?![0-9])", text))
    return f"{text[: places[-1].start()]}{form}{text[places[-1].end() :]}" if places else None


def _fits(pattern: str, paths: Sequence[str]) -> bool:
    """Whether the pattern reads a span of each path, and of at least two of them another."""
    with suppress(ValueError):
        parsed = SpanPattern.parse(pattern)
        spans = [parsed.read(path) for path in paths]
        names = [span.name for span in spans if span is not None]
        several = len(set(names)) > 1 and (parsed.has_parts or len(set(names)) == len(names))
        return len(names) == len(paths) and (several or parsed.is_one_span)
    return False


def _ending(path: str) -> str:
    """`.csv.gz` of a path."""
    suffixes = Path(path).suffixes
    return "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])


def _some(paths: Sequence[str], root: str) -> str:
    return ", ".join(path.removeprefix(root).lstrip("/") for path in paths[:_SHOWN])
