"""A transform of the team's own: words by their hashes, the entries of a list, and the parts of dates."""

from typing import Any


def build_features(columns: Any) -> Any:
    """Return an unfitted transformer; `columns` has the names of the columns as numeric, categorical, text, dates and lists."""
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

    from taxiway.features.transformers.dates import DateParts
    from taxiway.features.transformers.text import TextVectors

    words = HashingVectorizer(n_features=64, alternate_sign=False)
    entries = CountVectorizer(token_pattern="[^;]+", binary=True)  # a list as one text, such as "vegan;quick"
    return ColumnTransformer(
        [
            ("numbers", "passthrough", list(columns.numeric)),
            ("dates", DateParts(), list(columns.dates)),
            ("title", TextVectors(words), ["title"]),
            ("tags", TextVectors(entries), ["tags"]),
        ]
    )
