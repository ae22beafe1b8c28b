"""Cohen's kappa is that of scikit-learn, and undefined where chance explains everything."""

import math
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.stats.agreement import cohens_kappa

LABELS = st.sampled_from(["red", "green", "blue"])


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=60))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    first, second = zip(*pairs, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn divides 0 by 0 where kappa is undefined
        expected = cohen_kappa_score(first, second)
    found = cohens_kappa(first, second)
    assert (found is None) is math.isnan(expected)
    assert found is None or found == pytest.approx(expected, abs=1e-12)


def test_kappa_of_a_published_example() -> None:
    """Of 50 grant proposals, 20 were accepted and 15 refused by both readers: kappa 0.40 (Wikipedia, after Kilem Gwet 2002)."""
    first = [True] * 20 + [True] * 5 + [False] * 10 + [False] * 15
    second = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    assert cohens_kappa(first, second) == pytest.approx(0.4)
    assert cohens_kappa(second, first) == pytest.approx(0.4)


def test_kappa_is_undefined_without_rows_and_with_one_label() -> None:
    assert cohens_kappa([], []) is None
    assert cohens_kappa([1, 1], [1, 1]) is None
    assert cohens_kappa([1, 1], [0, 0]) == 0
