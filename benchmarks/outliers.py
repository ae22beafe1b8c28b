"""Which rows outlier scores find, and in which windows there are too many, by simulation.

Ten normal inputs and five categories of eight values. First the share of changed rows that are outliers, then the share of windows of
1,000 rows with too many outliers, in which a share of the rows has an extreme number and a new category.

    python benchmarks/outliers.py --versions 40
"""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from measuring import show

from taxiway.monitoring.outliers.detectors import DETECTORS
from taxiway.monitoring.outliers.scores import OutlierScores

SHARES = (0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.03, 0.02)
CHANGES: dict[str, Mapping[str, Any]] = {
    "none": {},
    "a number": {"n0": 1e6},
    "a missing number": {"n0": np.nan},
    "a new category": {"c0": "new"},
    "a number and a category": {"n0": 1e6, "c0": "new"},
    "two numbers and a category": {"n0": 1e6, "n1": -1e6, "c0": "new"},
    "five numbers by two standard deviations": {f"n{at}": 2.0 for at in range(5)},
}
CHANGED = (0.0, 0.01, 0.02, 0.03, 0.05)
REFERENCES = (500, 5_000)
ROWS, WINDOWS = 1_000, 25


def made(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Rows without a change."""
    numbers = {f"n{at}": rng.normal(size=rows) for at in range(10)}
    texts = {f"c{at}": pd.Series(rng.choice(list("abcdefgh"), rows, p=SHARES), dtype="object") for at in range(5)}
    return pd.DataFrame({**numbers, **texts})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--versions", type=int, default=40, help="Samples of evaluation rows, each with 25 windows.")
    versions = parser.parse_args().versions
    rng = np.random.default_rng(0)
    reference, rows = made(10_000, rng), made(5_000, rng)
    scores = [OutlierScores(reference, method) for method in DETECTORS]
    table = [
        (name, *(f"{np.mean(each.scores(rows.assign(**change)) > each.threshold):.1%}" for each in scores))
        for name, change in CHANGES.items()
    ]
    show("Rows that are outliers, 5,000 rows learned from", ("change", *DETECTORS), table)
    windows = [(f"{number:,}", *power(versions, number)) for number in REFERENCES]
    headings = ("evaluation rows", *(f"{share:.0%} changed" for share in CHANGED))
    show(f"Windows with too many outliers (ecod), {versions * WINDOWS:,} each", headings, windows)


def power(versions: int, reference: int) -> Iterator[str]:
    """How many windows have too many outliers, for each share of changed rows."""
    found = dict.fromkeys(CHANGED, 0)
    for version in range(versions):
        rng = np.random.default_rng(version)
        scores = OutlierScores(made(reference, rng), "ecod")
        for _ in range(WINDOWS):
            window = made(ROWS, rng)
            before, after = scores.scores(window), scores.scores(window.assign(n0=1e6, c0="new"))
            for share in CHANGED:
                count = int(share * ROWS)
                found[share] += scores.share(np.concatenate([after[:count], before[count:]])).too_many
    return (f"{count / versions / WINDOWS:.1%}" for count in found.values())


if __name__ == "__main__":
    main()
