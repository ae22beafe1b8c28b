"""Checks the request log of the demonstration: the models compute every logged answer again."""

from dataclasses import dataclass
from functools import partial

from taxiway.local.stack import Stack
from taxiway.registry.load import load_trusted
from taxiway.serving.answer_check import AnswerCheck, check_answers
from taxiway.serving.gateway.state.logged_answers import logged_answers
from taxiway.tracking.client import mlflow_errors, quiet_mlflow


@dataclass(frozen=True)
class CheckedLog:
    """The checks of the answers of champions and of challengers."""

    champion: AnswerCheck
    challenger: AnswerCheck

    def __str__(self) -> str:
        return (
            f"{self.champion.equal:,} of {self.champion.answers:,} champion answers and {self.challenger.equal:,} of "
            f"{self.challenger.answers:,} challenger answers equal what the models compute"
        )

    def problem(self, answered: int) -> str:
        """Why the log is wrong, given how many requests were answered; empty if it is correct."""
        if self.champion.answers < answered:
            return f"{answered:,} requests were answered, but the log has {self.champion.answers:,} answers"
        for role, check in (("champion", self.champion), ("challenger", self.challenger)):
            if check.equal < check.answers:
                wrong = check.answers - check.equal
                return (
                    f"{wrong:,} of {check.answers:,} logged answers of the {role} differ from what the model computes; the first: "
                    f"{check.difference}"
                )
        return ""


def check_log(stack: Stack, model: str) -> CheckedLog:
    """Check every answer in the log of the stack's gateway."""
    quiet_mlflow()
    load = partial(load_trusted, stack.url("mlflow"), model)
    with mlflow_errors(stack.url("mlflow")):
        return CheckedLog(
            champion=check_answers(logged_answers(stack.home.gateway, model, "champion"), load),
            challenger=check_answers(logged_answers(stack.home.gateway, model, "challenger"), load),
        )
