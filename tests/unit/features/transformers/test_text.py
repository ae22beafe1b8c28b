"""Free text becomes numbers that depend on the row alone, and is recognized where it stands among categories."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from helping import examples
from taxiway.features.transformers.text import TextVectors, is_free_text

FEW = ["good bread", "bad bread", "good cake", "bad cake", "cake", "bread"] * 10
WORDS = [f"word{at}" for at in range(60)]
MANY = [" ".join(np.random.default_rng(at).choice(WORDS, 6)) for at in range(400)]


def frame(texts: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame({"review": pd.Series(texts, dtype="object")})


def test_few_terms_are_features_with_the_weights_of_tf_idf() -> None:
    fitted = TextVectors().fit(frame(FEW))
    oracle = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(FEW)
    assert [*fitted.get_feature_names_out(["review"])] == [f"review={term}" for term in oracle.get_feature_names_out()]
    assert np.array_equal(
        fitted.transform(frame(["bad bread", None, "unknown"])), oracle.transform(["bad bread", "", "unknown"]).toarray()
    )


def test_many_terms_become_thirty_numbers() -> None:
    fitted = TextVectors().fit(frame(MANY))
    found = fitted.transform(frame(MANY))
    weights = TfidfVectorizer(ngram_range=(1, 2), min_df=3, sublinear_tf=True).fit_transform(MANY)
    kept = TruncatedSVD(30, random_state=20130101).fit(weights).explained_variance_ratio_.sum()
    assert found.shape == (400, 30)
    assert np.isclose(found.var(axis=0).sum() / weights.toarray().var(axis=0).sum(), kept)
    assert [*fitted.get_feature_names_out(["review"])][:2] == ["review.1", "review.2"]


@examples(40)
@given(st.lists(st.none() | st.text(max_size=20) | st.sampled_from(MANY), min_size=1, max_size=8))
def test_a_text_has_the_same_numbers_alone_and_beside_others(texts: list[str | None]) -> None:
    fitted = FITTED
    together = fitted.transform(frame(texts))
    assert np.isfinite(together).all()
    assert all(np.array_equal(fitted.transform(frame([text]))[0], row) for text, row in zip(texts, together, strict=True))


def test_texts_without_words_have_no_features() -> None:
    fitted = TextVectors().fit(frame(["!", None, "?", ""]))
    assert fitted.transform(frame(["!", "words"])).shape == (2, 0)
    assert len(fitted.get_feature_names_out(["review"])) == 0


def test_free_text_is_many_values_of_several_words() -> None:
    assert is_free_text(pd.Series(MANY), 255)
    assert not is_free_text(pd.Series([f"AA-{at}" for at in range(400)]), 255)  # codes
    assert not is_free_text(pd.Series(["never been married"] * 200 + ["married at some time"] * 200), 255)  # categories
    assert not is_free_text(pd.Series([None, None], dtype="object"), 255)


FITTED = TextVectors().fit(frame(MANY))
