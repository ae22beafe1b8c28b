"""What the model gate says about rows that only lack a label, and about labels that do not count."""

from collections.abc import Iterator

from taxiway.messages import counted
from taxiway.records import Evaluation, Reason, ReasonCode, Status


def excluded_label_reasons(evaluation: Evaluation) -> Iterator[Reason]:
    """The reason about labelled rows that were left out, which does not change the verdict; none if all labels count."""
    if evaluation.labels_not_counted:
        rows = counted(evaluation.labels_not_counted, "row has a label and is", "rows have labels and are")
        message = (
            f"{rows} left out of the evaluation, because they were not drawn at random: scores on rows that were chosen, such as by what the "
            "models predict, are not those of all rows. They count when all rows of their span have a label"
        )
        yield Reason(status=Status.INFO, code=ReasonCode.LABELS_NOT_COUNTED, message=message)


def labelling_hint(evaluation: Evaluation, more: int | None = None) -> str:
    """That labels would decide what is UNDECIDED, to be added to its message.

    Args:
        evaluation: The evaluation.
        more: How many more rows are needed; None if that is not known.

    Returns:
        A clause that begins with a semicolon; empty if no row lacks a label.
    """
    missing = evaluation.rows_without_label + evaluation.labels_not_counted
    if not missing:
        return ""
    rows = counted(missing, "row of the evaluation spans only lacks", "rows of the evaluation spans only lack")
    label = "a label that counts" if evaluation.labels_not_counted else "a label"
    enough = ""
    if more is not None:
        enough = ", and labels of them would decide it" if more <= missing else ", which is not enough"
    return f"; {rows} {label}{enough}: taxiway label export {evaluation.model}/{evaluation.candidate} -o FILE --rows N"
