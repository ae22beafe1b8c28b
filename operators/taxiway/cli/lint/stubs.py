"""Finds the mistakes in the DAG file beside a pipeline file or a scoring file, without importing it."""

from collections.abc import Iterator
from pathlib import Path


def stub_mistakes(file: Path, suffix: str, loader: str, stub_text: str) -> Iterator[str]:
    """Find the mistakes in the DAG file beside a file.

    Args:
        file: The pipeline file or scoring file.
        suffix: The end of its name, in whose place the DAG file has `.py`.
        loader: The function that the DAG file calls.
        stub_text: What the DAG file should be.
    """
    stub, kind = file.with_name(file.name.removesuffix(suffix) + ".py"), loader.removeprefix("load_")
    if not stub.is_file():
        yield (
            f"{file.name}:1: the DAG file {stub.name} beside it is missing, so Airflow does not load the {kind}; create it "
            f"with this content:\n{_indent(stub_text)}"
        )
        return
    text = stub.read_text(encoding="utf-8")
    if f"{loader}(" not in text:
        yield f"{stub.name}:1: it does not load the {kind} file beside it; replace its content with:\n{_indent(stub_text)}"
    if f"{loader}(__file__)" in text and not ("airflow" in text.lower() and "dag" in text.lower()):
        yield (
            f'{stub.name}:1: Airflow skips files without the words "airflow" and "dag"; replace its content with:\n{_indent(stub_text)}'
        )


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
