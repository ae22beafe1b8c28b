"""Which parameters of trusted estimators are harmless.

A type that may be loaded can still be told by its parameters to read files (`CountVectorizer(input="filename")`), to write and unpickle
a cache (`Pipeline(memory="...")`), or to evaluate text as an expression (`GridSearchCV(pre_dispatch="...")`).
"""

import functools
import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from taxiway.messages import quoted
from taxiway.training.boosting_parameters import is_boosting, leaves_of, problems_of_boosting

_ONLY = {"input": "content", "memory": None}
"""The parameters that make an estimator read files or write a cache, with their only harmless value."""

_TEXTS = frozenset(
    {
        "constant",
        "dtype",
        "encoding",
        "fill_value",
        "importance_getter",
        "metric",
        "missing_values",
        "outlier_label",
        "pos_label",
        "refit",
        "scoring",
        "separator",
        "threshold",
        "token_pattern",
        "verbose_feature_names_out",
    }
)
"""Parameters of scikit-learn that may be any text: a value, a name that scikit-learn looks up in its own tables, or a pattern."""

_NAMED = frozenset({"estimators", "steps", "transformer_list", "transformers", "transformers_"})
"""Attributes with pairs of a name and an estimator."""
_MEMBERS = _NAMED | {
    *("best_estimator_", "estimator", "estimator_", "estimators_", "final_estimator", "final_estimator_", "init_"),
    *("named_estimators_", "reductions_", "regressor", "regressor_", "transformer", "transformer_"),
    *("vectorizer", "vectorizers_"),
}
"""Attributes whose methods scikit-learn calls."""
_METHODS = frozenset({"decision_function", "predict", "predict_log_proba", "predict_proba", "transform"})

_CALLABLES = frozenset({"sklearn.utils.validation.check_array"})
"""Functions beside NumPy's and SciPy's universal functions that an estimator may call."""


def unsafe_parameters(model: Any) -> list[str]:
    """The parameters of an estimator, and of all that it consists of, that are not known to be harmless.

    A text must be the parameter's default, one of the values that the class declares, or one of a parameter in which any text is
    harmless. A function must be a universal function of NumPy or SciPy. No method of the model is called.

    Args:
        model: An estimator, fitted or not, such as a Pipeline.

    Returns:
        A sentence for each such parameter, such as `CountVectorizer.input is "filename"; allowed: "content"`.
    """
    problems = (problem for part in objects_in(model) for problem in _problems(part))
    return list(dict.fromkeys(problems))


def objects_in(model: Any) -> Iterator[Any]:
    """The model and every object in it, each once."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        waiting.extend(_inside(part))


def _inside(part: Any) -> Iterable[Any]:
    import numpy as np

    from taxiway.models.own_model import OwnModel

    if isinstance(part, OwnModel):  # the object of the team's class is not saved with it
        return (part.saved,)
    if isinstance(part, type | str | bytes | int | float):
        return ()
    if isinstance(part, Mapping):
        return (*part.keys(), *part.values())
    if isinstance(part, list | tuple | set | frozenset):
        return part
    if isinstance(part, np.ndarray):
        return part.ravel().tolist() if part.dtype == object else ()
    if isinstance(part, functools.partial):
        return (part.func, part.args, part.keywords)
    return vars(part).values() if hasattr(part, "__dict__") and not inspect.isroutine(part) else ()


def _problems(part: Any) -> Iterator[str]:
    from sklearn.base import BaseEstimator

    kind = type(part)
    if is_boosting(kind):
        yield from problems_of_boosting(part)
        return
    if not isinstance(part, BaseEstimator):
        return
    for name, parameter in inspect.signature(kind).parameters.items():
        value = getattr(part, name, None)
        allowed = _allowed_instead(kind, name, parameter.default, value)
        if allowed:
            yield f"{kind.__name__}.{name} is {quoted(value)}; allowed: {allowed}"
    yield from _problems_of_members(part)


def _problems_of_members(part: Any) -> Iterator[str]:
    """Fitted attributes by which a method of any object could be called: what is not an estimator, and names of other methods."""
    from sklearn.base import BaseEstimator

    for name, value in vars(part).items():
        if name in _MEMBERS:
            members = leaves_of(_without_names(value) if name in _NAMED else value)
            strange = [
                member for member in members if not isinstance(member, BaseEstimator | str) and not is_boosting(type(member))
            ]
            if strange:
                yield f"{type(part).__name__}.{name} has a {type(strange[0]).__name__}; allowed: estimators of scikit-learn"
        elif "method" in name and name.endswith("_"):
            unknown = [text for text in leaves_of(value) if isinstance(text, str) and text not in _METHODS]
            if unknown:
                yield f"{type(part).__name__}.{name} is {quoted(unknown[0])}; allowed: {', '.join(sorted(_METHODS))}"


def _without_names(pairs: Any) -> list[Any]:
    """The estimators of (name, estimator) or (name, estimator, columns)."""
    listed = pairs if isinstance(pairs, list | tuple) else [pairs]
    return [pair[1] if isinstance(pair, tuple) and len(pair) > 1 else pair for pair in listed]


def _allowed_instead(kind: type, name: str, default: Any, value: Any) -> str:
    """What is allowed instead of this value; empty if it is harmless."""
    if name in _ONLY:
        harmless = value is None or isinstance(value, str)  # anything else has an == of its own
        return "" if harmless and value == _ONLY[name] else quoted(_ONLY[name]) if _ONLY[name] else "no value"
    if value is default:
        return ""
    if isinstance(value, type):
        return "" if name in _TEXTS or not _takes_functions(kind, name) else "a function of NumPy or SciPy, and no class"
    if callable(value) and not hasattr(value, "fit"):
        return "" if _is_harmless(value) else "a universal function of NumPy or SciPy, such as numpy.log1p"
    if not isinstance(value, str) or name in _TEXTS:
        return ""
    options = {*_options(kind, name), *([default] if isinstance(default, str) else [])}
    if value in options:
        return ""
    return ", ".join(quoted(option) for option in sorted(options, key=str))


def _takes_functions(kind: type, name: str) -> bool:
    """Whether scikit-learn's class calls a value of this parameter."""
    declared = getattr(kind, "_parameter_constraints", {}).get(name, ())
    return not isinstance(declared, str) and callable in declared


def _is_harmless(function: Any) -> bool:
    import numpy as np

    if isinstance(function, functools.partial):
        return _is_harmless(function.func)
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
    return isinstance(function, np.ufunc) or name in _CALLABLES


def _options(kind: type, name: str) -> frozenset[str]:
    """The texts that scikit-learn's class declares for a parameter."""
    from sklearn.utils._param_validation import StrOptions

    declared = getattr(kind, "_parameter_constraints", {}).get(name, ())
    if isinstance(declared, str):  # not validated by scikit-learn
        return frozenset()
    return frozenset(option for rule in declared if isinstance(rule, StrOptions) for option in rule.options)
