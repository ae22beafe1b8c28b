"""The transform that Taxiway builds: from the raw columns to the numbers that an estimator takes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import LIST_OF
from taxiway.features.columns import MAX_CATEGORIES, FeatureColumns
from taxiway.stats.seed import SEED

if TYPE_CHECKING:
    import pandas as pd

MIN_CATEGORY_ROWS = 20
TRANSFORM_TYPES = frozenset(
    {
        "numpy.dtype",
        "taxiway.features.transformers.dates.DateParts",
        "taxiway.features.transformers.if_any.IfAny",
        "taxiway.features.transformers.lists.ListNumbers",
        "taxiway.features.transformers.lists.ListValues",
        "taxiway.features.transformers.text.TextVectors",
    }
)
"""The types of a fitted transform beyond those that skops trusts."""
LIST_VALUES, LIST_NUMBERS = "lists", "list_numbers"
"""The names of the parts of the transform that read lists."""
_NO_TYPES: Mapping[str, str] = {}


def many_valued(frame: "pd.DataFrame", categorical: tuple[str, ...], classes: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of categories that are encoded by the mean label: those with more than 255 frequent values.

    With more than two classes there are none, because each would need a mean of its own.

    Args:
        frame: The training rows, from `raw_frame`.
        categorical: The columns of categories.
        classes: The classes; empty for a regression.
    """
    if len(classes) > 2:
        return ()
    return tuple(name for name in categorical if (frame[name].value_counts() >= MIN_CATEGORY_ROWS).sum() > MAX_CATEGORIES)


def build_transform(
    columns: FeatureColumns,
    *,
    accepts_missing: bool,
    types: Mapping[str, str] = _NO_TYPES,
    many_valued: tuple[str, ...] = (),
    classes: tuple[str, ...] = (),
    sparse: bool = False,
    max_categories: int = MAX_CATEGORIES,
) -> Any:
    """The unfitted transform of raw columns to features.

    If the estimator accepts missing values, numbers are passed through, categories become ordinal numbers, and dates their parts.
    Otherwise numbers are imputed and scaled, and categories and the parts of dates are one-hot encoded. Categories with fewer than 20
    rows are grouped into one. Columns of very many categories become the mean label of their category, shrunk to that of all rows
    and computed on other rows (Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes", 2001). Free text
    becomes up to 30 numbers; see `TextVectors`. Lists become whether they have a frequent value, or their numbers; see `ListValues` and
    `ListNumbers`.

    Args:
        columns: The raw columns.
        accepts_missing: Whether the estimator accepts missing values.
        types: The types of the columns, of which those of lists are looked at.
        many_valued: The categorical columns to encode by the mean label.
        classes: The classes; empty for a regression.
        sparse: Whether one-hot encoded categories may be a sparse matrix.
        max_categories: The most columns that a one-hot encoded column becomes.
    """
    from sklearn.compose import ColumnTransformer

    few = [name for name in columns.categorical if name not in many_valued]
    numbers, categories, dates, texts, means = _parts(accepts_missing, classes, sparse=sparse, max_categories=max_categories)
    parts = [("numeric", numbers, list(columns.numeric)), ("categorical", categories, few)]
    # Only what there is: the names of the steps are stored with the model.
    parts += [("many_valued", means, list(many_valued))] if many_valued else []
    parts += [("dates", dates, list(columns.dates))] if columns.dates else []
    parts += [("text", texts, list(columns.text))] if columns.text else []
    parts += _list_parts(columns.lists, types, accepts_missing=accepts_missing)
    return ColumnTransformer(parts, verbose_feature_names_out=True)


def _parts(accepts_missing: bool, classes: tuple[str, ...], *, sparse: bool, max_categories: int) -> tuple[Any, ...]:
    """The transformers of numbers, categories, dates, texts, and categories by the mean label."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

    from taxiway.features.transformers.dates import DateParts
    from taxiway.features.transformers.if_any import IfAny
    from taxiway.features.transformers.text import TextVectors

    means = TargetEncoder(target_type="binary" if classes else "continuous", random_state=SEED)
    if accepts_missing:
        ordinal = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=-1,
            encoded_missing_value=-2,
            min_frequency=MIN_CATEGORY_ROWS,
        )
        return "passthrough", ordinal, DateParts(), TextVectors(), means
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    categories = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=MIN_CATEGORY_ROWS,
        max_categories=max_categories,
        sparse_output=sparse,
    )
    from sklearn.base import clone

    return (
        numbers,
        categories,
        make_pipeline(DateParts(), IfAny(clone(categories))),
        make_pipeline(TextVectors(), IfAny(StandardScaler())),
        make_pipeline(means, StandardScaler()),
    )


def _list_parts(lists: tuple[str, ...], types: Mapping[str, str], *, accepts_missing: bool) -> list[tuple[str, Any, list[str]]]:
    """The transformers of lists of values and of lists of numbers, with their columns; only of those there are."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from taxiway.features.transformers.if_any import IfAny
    from taxiway.features.transformers.lists import ListNumbers, ListValues

    numbers = [name for name in lists if types.get(name) == f"{LIST_OF}number"]
    values = [name for name in lists if name not in numbers]
    made = [(LIST_VALUES, ListValues(), values), (LIST_NUMBERS, ListNumbers(), numbers)]
    if not accepts_missing:
        scaled = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
        made = [(kind, make_pipeline(step, IfAny(scaled)), names) for kind, step, names in made]
    return [part for part in made if part[-1]]


def list_notes(transform: Any) -> tuple[str, ...]:
    """What a fitted transform of `build_transform` makes of lists, one sentence for each column."""
    from taxiway.features.transformers.lists import describe_lists

    parts = {name: (getattr(part, "steps", [("", part)])[0][1], columns) for name, part, columns in transform.transformers_}
    return tuple(note for kind in (LIST_VALUES, LIST_NUMBERS) if kind in parts for note in describe_lists(*parts[kind]))


def same_codes(first: Any, second: Any) -> bool:
    """Whether two fitted transforms of `build_transform` write each category as the same number, and have no free text that is reduced.

    Ordinal numbers depend on the categories that the training rows have, and a decomposition of texts on all of them. Other features
    of the same names differ only by their scale. Nothing is known of a transform of a team's own.

    Args:
        first: A fitted transform.
        second: Another one, with the same features.
    """
    ours, theirs = _steps(first), _steps(second)
    if ours is None or theirs is None or ours.keys() != theirs.keys():
        return False
    text = theirs.get("text")
    if any(reduction is not None for reduction in (text[0].reductions_ if text else ())):
        return False
    codes = [steps["categorical"][0] for steps in (ours, theirs) if "categorical" in steps]
    return not codes or _categories(codes[0]) == _categories(codes[1])


def _steps(transform: Any) -> dict[str, list[Any]] | None:
    """The steps of a transform of `build_transform` by kind; None of another one."""
    from sklearn.compose import ColumnTransformer

    if type(transform) is not ColumnTransformer:
        return None
    steps = {
        name: [step for _, step in getattr(part, "steps", [("", part)])]
        for name, part, columns in transform.transformers_
        if columns
    }
    known = {name: [type(step).__name__ for step in found] for name, found in steps.items()}
    return steps if all(kinds in _KNOWN.get(name, ()) for name, kinds in known.items()) else None


_KNOWN: Mapping[str, Sequence[list[str]]] = {
    "numeric": (["FunctionTransformer"], ["SimpleImputer", "StandardScaler"]),
    "categorical": (["OrdinalEncoder"], ["OneHotEncoder"]),
    "many_valued": (["TargetEncoder"], ["TargetEncoder", "StandardScaler"]),
    "dates": (["DateParts"], ["DateParts", "IfAny"]),
    "text": (["TextVectors"], ["TextVectors", "IfAny"]),
    LIST_VALUES: (["ListValues"], ["ListValues", "IfAny"]),
    LIST_NUMBERS: (["ListNumbers"], ["ListNumbers", "IfAny"]),
}
"""The classes of the steps of each part that `build_transform` makes."""


def _categories(encoder: Any) -> list[list[Any]]:
    rare = getattr(encoder, "infrequent_categories_", None) or [None] * len(encoder.categories_)
    listed = [[*map(str, values)] for values in encoder.categories_]
    return [[values, [*map(str, few if few is not None else [])]] for values, few in zip(listed, rare, strict=True)]
