"""Which parameters of trusted estimators are harmless.

A type that may be loaded can still be told by its parameters to read files (`CountVectorizer(input="filename")`), to write and unpickle
a cache (`Pipeline(memory="...")`), or to evaluate text as an expression (`GridSearchCV(pre_dispatch="...")`).
"""

import functools
import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from taxiway.messages import quoted

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
    problems = (problem for part in _parts(model) for problem in _problems(part))
    return list(dict.fromkeys(problems))


def _parts(model: Any) -> Iterator[Any]:
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
    if not isinstance(part, BaseEstimator):
        return
    for name, parameter in inspect.signature(kind).parameters.items():
        value = getattr(part, name, None)
        allowed = _allowed(kind, name, parameter.default, value)
        if allowed:
            yield f"{kind.__name__}.{name} is {quoted(value)}; allowed: {allowed}"


def _allowed(kind: type, name: str, default: Any, value: Any) -> str:
    """What is allowed instead of this value; empty if it is harmless."""
    if name in _ONLY:
        harmless = value is None or isinstance(value, str)  # anything else has an == of its own
        return "" if harmless and value == _ONLY[name] else quoted(_ONLY[name])
    if value is default:
        return ""
    if callable(value) and not hasattr(value, "fit") and not isinstance(value, type):
        return "" if _is_harmless(value) else "a universal function of NumPy or SciPy, such as numpy.log1p"
    options = {default, *_options(kind, name)}
    if not isinstance(value, str) or name in _TEXTS or value in options:
        return ""
    return ", ".join(quoted(option) for option in sorted(options, key=str))


def _is_harmless(function: Any) -> bool:
    import numpy as np

    if isinstance(function, functools.partial):
        return _is_harmless(function.func)
    return isinstance(function, np.ufunc) or f"{function.__module__}.{function.__qualname__}" in _CALLABLES


def _options(kind: type, name: str) -> frozenset[str]:
    """The texts that scikit-learn's class declares for a parameter."""
    from sklearn.utils._param_validation import StrOptions

    declared = getattr(kind, "_parameter_constraints", {}).get(name, ())
    if isinstance(declared, str):  # not validated by scikit-learn
        return frozenset()
    return frozenset(option for rule in declared if isinstance(rule, StrOptions) for option in rule.options)
