"""The raw columns that a loaded model takes, from its signature, and its predict function for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from taxiway.errors import SignatureError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ModelColumns:
    """The raw columns that a model takes, in the order of its signature.

    Attributes:
        numeric: The columns of numbers.
        categorical: The columns of categories, as text.
        types: The types of columns at the source, in the words of a schema; without those that had several. Empty for models that
            were registered by older versions of Taxiway.
        optional: The columns in which a value may be missing.
        renamed: The present name of columns that the source has renamed, by their former name, which requests may still have.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    types: Mapping[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)

    def present_names(self, sent: Sequence[str]) -> tuple[str, ...]:
        """Some names of columns, in which a former name is replaced by the present one if that is not among them."""
        given = set(sent)
        return tuple(new if (new := self.renamed.get(name, name)) not in given else name for name in sent)

    @property
    def names(self) -> tuple[str, ...]:
        """The numeric columns, then the categorical ones."""
        return self.numeric + self.categorical


def signature_columns(model: Any) -> ModelColumns:
    """The columns of a pyfunc model.

    Raises:
        SignatureError: It is not a `RowModel`, and there is no signature with named columns, or it has a type other than double and
            string. Types would then be inferred from the values, and one row could change the types of another.
    """
    known = getattr(raw_model(model), "columns", None)
    if isinstance(known, ModelColumns):
        return known
    metadata = getattr(model, "metadata", None)
    inputs = metadata.get_input_schema() if metadata else None
    if inputs is None or inputs.is_tensor_spec() or not inputs.has_input_names():
        raise SignatureError(
            "the model has no signature with named columns; log it with a signature of double and string columns"
        )
    kinds = {name: str(getattr(column.type, "name", column.type)) for name, column in inputs.input_dict().items()}
    for name, kind in kinds.items():
        if kind not in ("double", "string"):
            raise SignatureError(
                f"the type of {name} in the model's signature is {kind}; allowed: double for numbers, string for categories",
                key=name,
                got=kind,
                allowed=("double", "string"),
            )
    numeric = tuple(name for name, kind in kinds.items() if kind == "double")
    return ModelColumns(numeric, tuple(name for name in kinds if name not in numeric))


def decision_threshold(model: Any) -> float | None:
    """The probability at or above which a pyfunc model predicts the second of two classes; None for 0.5."""
    found: float | None = getattr(raw_model(model), "threshold", None)
    return found


def predict_function(model: Any) -> "Callable[[pd.DataFrame], Any]":
    """The function that takes frames of `raw_frame`: it returns probabilities of the classes, or numbers for a regression.

    It does not check types again, as MLflow's `predict` does.
    """
    raw = raw_model(model)
    found: Callable[[pd.DataFrame], Any] = (
        raw.predict_frame if isinstance(getattr(raw, "columns", None), ModelColumns) else model.predict
    )
    return found


def raw_model(model: Any) -> Any:
    """The model inside a pyfunc model; None if MLflow does not give it."""
    try:
        return model.get_raw_model()
    except (AttributeError, NotImplementedError):
        return None


def example_rows(model: Any) -> "pd.DataFrame | None":
    """The input example of a pyfunc model as a table, with None for missing values; None if it has no example of rows.

    MLflow returns it as it was saved: as a table, or as a list of records.
    """
    import pandas as pd

    example = getattr(model, "input_example", None)
    if not isinstance(example, pd.DataFrame | list | dict):
        return None
    try:
        rows = pd.DataFrame(example).astype("object")
    except (TypeError, ValueError):
        return None
    return rows.where(rows.notna(), None)
