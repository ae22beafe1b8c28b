"""How a verdict was computed: the methods with their sources, the versions of the libraries, the seed and the digests."""

import platform
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from importlib import metadata

from taxiway.gates.wording import ci_label
from taxiway.messages import counted
from taxiway.report.card import Entry
from taxiway.report.content import ReportContent
from taxiway.stats.seed import SEED

_LIBRARIES = ("taxiway", "scikit-learn", "numpy", "scipy", "pandas", "mlflow", "mlflow-skinny")
_SOURCES = {
    "bootstrap": "Standard intervals by the bootstrap: Efron (1979), Annals of Statistics 7:1-26. They are from the estimate minus to the "
    "estimate plus z standard errors; the standard error is that of the replicates.",
    "paired": "Paired: candidate and champion are scored on the same rows of each replicate.",
    "whole groups": "Groups of rows: Davison and Hinkley (1997), Bootstrap Methods and their Application, section 3.8; Cameron, Gelbach and "
    "Miller (2008), Review of Economics and Statistics 90:414-427.",
    "Bonferroni": "Simultaneous intervals of slices (Bonferroni): Dunn (1961), Journal of the American Statistical Association 56:52-64.",
    "exact binomial": "Exact binomial intervals: Clopper and Pearson (1934), Biometrika 26:404-413.",
    "Hoeffding": "Hoeffding (1963), Journal of the American Statistical Association 58:13-30.",
    "Bennett": "Bennett (1962), Journal of the American Statistical Association 57:33-45.",
    "empirical Bernstein": "Empirical Bernstein bound: Maurer and Pontil (2009), Conference on Learning Theory.",
}
_OF_CONDITIONS = (
    "Conditions share the error by Holm's procedure: Holm (1979), Scandinavian Journal of Statistics 6:65-70. They hold for all models of "
    "the budget: Renggli et al. (2019), Continuous integration of machine learning models with ease.ml/ci, SysML."
)
_NOISE = (
    "Same within noise: the interval of the difference includes zero. The difference that could have been shown is the half-width of the "
    "interval; a true difference of that size is found in about half of all samples."
)


def methods(content: ReportContent) -> list[str]:
    """The methods of all intervals, with their sources."""
    used = "; ".join(reason.method for reason in content.verdict.reasons if reason.method)
    if not used:
        return []
    found = [text for word, text in _SOURCES.items() if word in used]
    return [*found, *([_OF_CONDITIONS] if content.pipeline.gate.conditions else []), _NOISE]


def settings(content: ReportContent) -> Iterator[Entry]:
    """The numbers and libraries on which the result depends."""
    evaluation = content.evaluation
    independent = "each row on its own" if evaluation.groups is None else _groups_text(content)
    yield Entry("Intervals", (f"{ci_label(evaluation.confidence)}; {independent}",))
    yield Entry("Seed", (str(SEED),))
    yield Entry("Versions", (", ".join([f"Python {platform.python_version()}", *_versions()]),))


def digests(content: ReportContent) -> Iterator[Entry]:
    """The digests of the records, by which everything in the report can be found again."""
    verdict, candidate = content.verdict, content.candidate
    found = {
        "Verdict": verdict.digest,
        "Evaluation": verdict.evaluation,
        "Data report": verdict.report,
        "Snapshot": verdict.snapshot,
        "Features": candidate.features,
        "Schema": candidate.schema_version,
        "Candidate": candidate.digest,
        "Files of the model": verdict.files,
    }
    yield from (Entry(name, (digest,)) for name, digest in found.items() if digest)


def _groups_text(content: ReportContent) -> str:
    groups = content.evaluation.groups
    assert groups is not None
    return f"{counted(groups.groups, 'group')} of rows by {groups.column}"


@cache
def _versions() -> tuple[str, ...]:
    """The versions of the libraries, which are those that this process has imported."""
    found = []
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return tuple(found)
