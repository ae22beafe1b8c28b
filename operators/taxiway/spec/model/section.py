"""`model`: what is trained, and how."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from taxiway.spec.base import Number, Section
from taxiway.spec.model.command import check_command, shown
from taxiway.spec.model.threshold import ChosenThreshold, Threshold
from taxiway.spec.python_refs import names_function, short_name


class EarlyStopping(Section):
    """Boosting stops when it gets no better on rows that are held out of the training rows.

    Attributes:
        rounds: The number of iterations without an improvement.
        fraction: The fraction of the training rows that are held out.
    """

    rounds: int = Field(default=20, ge=1, strict=True)
    fraction: Number = Field(default=0.1, gt=0, le=0.5)


StopRule = Literal["not_finite", "not_improving", "overfit", "vanishing_gradient", "exploding_gradient"]
"""The rules that can stop a training."""


class Model(Section):
    """The estimator.

    Attributes:
        estimator: The dotted path of a class of scikit-learn, XGBoost, LightGBM or CatBoost.
        build: Instead, a function that takes the parameters as one dict and returns an estimator: `FILE.py:function` with a Python
            file in the folder of the pipeline file, or `package.module:function`.
        train: Instead, a function that trains by itself: it takes the training data, the parameters and, if it has this parameter, the
            estimator of the champion as `previous`, and returns a fitted estimator, an ONNX model, or an object of a class of the
            team's own.
        command: Instead, a program in any language and its arguments: it reads the training data from files and writes an ONNX model.
        params: The parameters of the class, function or program.
        early_stopping: When to stop boosting; None to run all iterations.
        stop_on: The rules that stop the training of XGBoost, LightGBM, CatBoost or a training function if they find a mistake in its history.
        weight: A column with the weight of each row in training, which is not a feature; or a function of the training rows that returns a
            weight for each: `FILE.py:function` with a Python file in the folder of the pipeline file, or `package.module:function`. None
            to weigh all rows alike.
        threshold: The probability at or above which the second of two classes is predicted, or how to choose it; None for 0.5.
        warm_start: `champion` to train the estimator further from the champion's; None to train it anew.
    """

    estimator: str | None = None
    build: str | None = None
    train: str | None = None
    command: tuple[str, ...] | None = Field(default=None, min_length=1)
    params: Mapping[str, Any] = Field(default_factory=dict)
    early_stopping: EarlyStopping | None = None
    stop_on: tuple[StopRule, ...] = ()
    weight: str | None = None
    threshold: Threshold = None
    warm_start: Literal["champion"] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Model":
        if [self.estimator, self.build, self.train, self.command].count(None) != 3:
            raise ValueError(
                "allowed: exactly one of estimator (module.Class), build (module:function), train (module:function) and command "
                "([program, arguments])"
            )
        if self.command is not None:
            check_command(self.command)
        return self

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> "Model":
        if self.early_stopping is not None and self._trains_by_itself:
            what = "train function" if self.train is not None else "command"
            raise ValueError(f"early_stopping is for estimators; a {what} gets validation rows and stops by itself")
        if self.warm_start is not None and self._trains_by_itself:
            raise ValueError(
                "warm_start is for estimators; a train function starts from the champion if it has a parameter previous"
            )
        if self.stop_on and self.command is not None:
            raise ValueError("stop_on is for XGBoost, LightGBM, CatBoost and a train function; a command stops by itself")
        gradients = [rule for rule in self.stop_on if rule.endswith("gradient")]
        if gradients and self.train is None:
            raise ValueError(f"stop_on has {gradients[0]}, which needs a train function that reports gradient_norm")
        return self

    @model_validator(mode="after")
    def _warm_start_stands_alone(self) -> "Model":
        keys = {"early_stopping": self.early_stopping, "stop_on": self.stop_on, "threshold": self._is_chosen}
        together = [key for key, given in keys.items() if given]
        if self.warm_start is not None and together:
            raise ValueError(
                f"warm_start cannot be combined with {together[0]}: the champion has learned from most rows of the window, so rows that are "
                "held out of it would judge too well; remove one of them"
            )
        return self

    @property
    def weight_function(self) -> str | None:
        """The function of `weight`; None if it is a column, or not set."""
        return self.weight if self.weight is not None and names_function(self.weight) else None

    @property
    def weight_column(self) -> str | None:
        """The column of `weight`; None if it is a function, or not set."""
        return self.weight if self.weight_function is None else None

    @property
    def _trains_by_itself(self) -> bool:
        """Whether a function or program trains, and not Taxiway."""
        return self.train is not None or self.command is not None

    @property
    def _is_chosen(self) -> bool:
        """Whether the decision threshold is chosen on training rows."""
        return isinstance(self.threshold, ChosenThreshold)

    @property
    def name(self) -> str:
        """What is trained: the path of the class, `FILE.py:function` without its folder, or the program."""
        if self.command is not None:
            return shown(self.command)
        return self.estimator or short_name(str(self.build or self.train))
