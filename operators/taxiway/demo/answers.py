"""The demonstration's log of requests, checked against the models: every logged answer is computed again."""

from dataclasses import dataclass
from functools import partial

from taxiway.local.stack import Stack
from taxiway.registry.models import load_trusted
from taxiway.serving.answer_check import AnswerCheck, check_answers
from taxiway.serving.gateway.request_log import logged_answers
from taxiway.tracking.client import quiet_mlflow


@dataclass(frozen=True)
class CheckedLog:
    """How many answers of champions and of challengers are in the log, and how many equal the model's own."""

    champion: AnswerCheck
    challenger: AnswerCheck

    def __str__(self) -> str:
        return (
            f"{self.champion.answers:,} answers, {self.champion.equal:,} equal to the model; "
            f"{self.challenger.answers:,} of the challenger, {self.challenger.equal:,} equal"
        )

    def problem(self, answered: int) -> str:
        """Why the log is not right, if so many requests were answered, as a message; empty if it is."""
        if self.champion.answers < answered:
            return f"{answered:,} requests were answered, and the log has {self.champion.answers:,} answers"
        for side, check in (("champion", self.champion), ("challenger", self.challenger)):
            if check.equal < check.answers:
                wrong = check.answers - check.equal
                return (
                    f"{wrong:,} of {check.answers:,} logged answers of the {side} are not the model's own; {check.difference}"
                )
        return ""


def check_log(stack: Stack, model: str) -> CheckedLog:
    """Check every answer in the log of the stack's gateway, whichever version gave it."""
    quiet_mlflow()
    load = partial(load_trusted, stack.url("mlflow"), model)
    return CheckedLog(
        champion=check_answers(logged_answers(stack.home.gateway, model, "champion"), load),
        challenger=check_answers(logged_answers(stack.home.gateway, model, "challenger"), load),
    )
