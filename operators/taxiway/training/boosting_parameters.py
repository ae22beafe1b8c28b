"""Which parameters of XGBoost, LightGBM and CatBoost are harmless: they reach C++, where some name files to read and to write."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

from taxiway.messages import quoted
from taxiway.training.libraries import BOOSTING

_WORD = re.compile(r"[\w.:@,+-]*", re.ASCII)
"""Texts that cannot be more than one value: LightGBM joins its parameters into one text, separated by blanks."""
_LIGHTGBM_OTHERS = frozenset(
    [
        "alpha",
        "bagging_fraction",
        "bagging_freq",
        "bagging_seed",
        "cat_l2",
        "cat_smooth",
        "deterministic",
        "extra_trees",
        "feature_fraction",
        "feature_fraction_bynode",
        "feature_fraction_seed",
        "force_col_wise",
        "force_row_wise",
        "is_unbalance",
        "lambda_l1",
        "lambda_l2",
        "linear_lambda",
        "linear_tree",
        "max_bin",
        "max_cat_threshold",
        "max_delta_step",
        "max_drop",
        "metric",
        "min_data_in_leaf",
        "min_data_per_group",
        "min_gain_to_split",
        "min_sum_hessian_in_leaf",
        "monotone_constraints",
        "num_class",
        "num_threads",
        "other_rate",
        "path_smooth",
        "quantile_alpha",
        "scale_pos_weight",
        "seed",
        "skip_drop",
        "top_rate",
        "tweedie_variance_power",
        "uniform_drop",
        "verbose",
        "verbosity",
        "xgboost_dart_mode",
    ]
)
_XGBOOST_OTHERS = frozenset(
    [
        "huber_slope",
        "normalize_type",
        "one_drop",
        "quantile_alpha",
        "rate_drop",
        "sample_type",
        "seed",
        "skip_drop",
        "tweedie_variance_power",
    ]
)
"""Parameters beyond those that their classes name. They touch no file."""
_CATBOOST_TEXT = re.compile(r"[\w.:;@,=~/+-]*", re.ASCII)
"""Texts of CatBoost, such as `Quantile:alpha=0.9` and `Borders:Prior=0/1`, which it takes apart from each other."""
_CATBOOST_FILES = frozenset(
    [
        "callback",
        "input_borders",
        "metadata",
        "name",
        "output_borders",
        "save_snapshot",
        "snapshot_file",
        "snapshot_interval",
        "train_dir",
    ]
)
"""Parameters of CatBoost that name files, or call code."""
_OF_COLUMNS = frozenset(
    [
        "cat_features",
        "embedding_features",
        "feature_weights",
        "first_feature_use_penalties",
        "ignored_features",
        "interaction_constraints",
        "monotone_constraints",
        "per_object_feature_penalties",
        "text_features",
    ]
)
"""Parameters of CatBoost and XGBoost with names of columns, which may be any printable text."""


def is_boosting(kind: type) -> bool:
    """Whether a class is an estimator of XGBoost, LightGBM or CatBoost."""
    return kind.__module__.partition(".")[0] in BOOSTING and hasattr(kind, "get_params")


def parameter_names(kind: type) -> set[str]:
    """The parameters that an estimator may be given: those that its class names, with some others for XGBoost and LightGBM, and for CatBoost
    without those that name files."""
    if not is_boosting(kind):
        return set(inspect.signature(kind).parameters)
    if _is_catboost(kind):
        return set(inspect.signature(kind).parameters) - _CATBOOST_FILES
    named = {parameter for base in kind.__mro__ for parameter in _signature(base)} - {"self", "kwargs"}
    return named | (_LIGHTGBM_OTHERS if kind.__module__.startswith("lightgbm") else _XGBOOST_OTHERS)


def problems_of_boosting(part: Any) -> Iterator[str]:
    """The parameters of an estimator of a boosting library that are not known to be harmless, each as a sentence."""
    name, known = type(part).__name__, parameter_names(type(part))
    is_lightgbm = type(part).__module__.startswith("lightgbm")
    if _is_catboost(type(part)):
        values = unknown = vars(part).get("_init_params") or {}
        text, signs = _CATBOOST_TEXT, ". : ; @ , = ~ / + - _"
    else:
        unknown = {**(getattr(part, "kwargs", None) or {}), **(getattr(part, "_other_params", None) or {})}
        values = {**{parameter: getattr(part, parameter, None) for parameter in sorted(known)}, **unknown}
        text, signs = _WORD, ". : @ , + - _"
    for parameter in sorted(unknown.keys() - known):
        yield f"{name}.{parameter} is not one of its parameters; allowed: {', '.join(sorted(known))}"
    for parameter, value in values.items():
        leaves = [*_scalars_of(value)]
        strange = [leaf for leaf in leaves if not isinstance(leaf, str | bool | Real)]
        if strange:
            yield f"{name}.{parameter} has a {type(strange[0]).__name__}; allowed: numbers, texts and booleans"
        texts = [leaf for leaf in (*leaves, *_keys(value)) if isinstance(leaf, str) and not text.fullmatch(leaf)]
        if parameter in _OF_COLUMNS and not is_lightgbm:
            texts = [leaf for leaf in texts if not leaf.isprintable()]
        if texts:
            yield f"{name}.{parameter} has the text {quoted(texts[0])}; allowed: letters, digits and {signs} without blanks"
    if _is_catboost(type(part)) and values.get("allow_writing_files", False) is not False:
        yield f"{name}.allow_writing_files is {values['allow_writing_files']}; allowed: false"


def _is_catboost(kind: type) -> bool:
    return kind.__module__.startswith("catboost")


def _scalars_of(value: Any) -> Iterator[Any]:
    """The leaves, and the values of arrays of numbers, booleans or texts."""
    import numpy as np

    for leaf in leaves_of(value):
        if isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind in "biufU":
            yield from leaf.ravel().tolist()
        else:
            yield leaf


def _keys(value: Any) -> Iterator[Any]:
    return iter(value) if isinstance(value, Mapping) else iter(())


def _signature(kind: type) -> Iterable[str]:
    return inspect.signature(vars(kind)["__init__"]).parameters if "__init__" in vars(kind) and kind is not object else ()


def leaves_of(value: Any) -> Iterator[Any]:
    """The values in nested lists, arrays of objects and mappings, but None."""
    import numpy as np

    if isinstance(value, Mapping):
        value = list(value.values())
    elif isinstance(value, np.ndarray) and value.dtype == object:
        value = value.ravel().tolist()
    if isinstance(value, list | tuple):
        for member in value:
            yield from leaves_of(member)
    elif value is not None:
        yield value
