"""What the tests of `taxiway new` share: tables, and drafts of them."""

from pathlib import Path

import numpy as np
import pandas as pd
from click.testing import CliRunner

from taxiway.cli import main
from taxiway.demo.bikes import lay_out_rentals
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.pipeline import Pipeline


def rentals(folder: Path, months: int) -> Path:
    """The folder with the first so many months of rentals; each that a pipeline is drafted from takes its time."""
    lay_out_rentals(folder / "rentals")
    for later in sorted((folder / "rentals").glob("*.parquet"))[months:]:
        later.unlink()
    return folder


def new(dags: Path, data: Path, *arguments: str) -> tuple[int, str]:
    shown = CliRunner().invoke(main, ["new", *arguments, "--dags", str(dags), "--data", str(data)])
    return shown.exit_code, shown.output


def drafted(dags: Path, data: Path, source: str, label: str) -> Pipeline:
    code, shown = new(dags, data, "drafted", "--from", source, "--label", label, "--team", "ours")
    assert code == 0, shown
    return read_pipeline(dags / "ours" / "drafted.pipeline.yaml")


def unlike(rows: int, seed: int = 0) -> pd.DataFrame:
    """Rows of a table with an id, a code, a number and a label that the number is about."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    late = np.where(x + rng.normal(size=rows) > 0, "yes", "no")
    return pd.DataFrame({"id": np.arange(rows) + 1000 * seed, "code": rng.integers(1, 5, rows), "x": x, "late": late})


def months(folder: Path, *texts: str, ending: str = "csv") -> str:
    folder.mkdir(parents=True)
    for at, text in enumerate(texts, start=1):
        (folder / f"2024-{at:02d}.{ending}").write_text(text)
    return f"{folder}/{{YYYY}}-{{MM}}.{ending}"


def orders(*zips: str) -> str:
    rows = [f"{at},{zips[at % len(zips)]},{'true' if at % 3 else 'false'}" for at in range(12)]
    return "\n".join(["id,zip,late", *rows]) + "\n"
