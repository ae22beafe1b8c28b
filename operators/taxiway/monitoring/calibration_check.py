"""Whether the probabilities that an estimate is made of hold, once labels are known: calibration in the large."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from taxiway.monitoring.calibration import calibration_error
from taxiway.records import Interval
from taxiway.records.served import CalibrationCheck

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def check_calibration(
    probabilities: "Floats", labels: "Floats", classes: Sequence[str], reference_rows: int, confidence: float
) -> CalibrationCheck:
    """Compare how often a class was expected with how often it is the label.

    The class is the second of two. Of more, it is the one with the most evidence, and the intervals of all classes are simultaneous
    (Bonferroni). The interval contains the error of the calibration, which is fitted on the reference rows, as far as the probabilities are
    distributed as among these. So if the relation of probabilities and labels has not changed, the expected share is outside with a
    probability of about 1 - `confidence`.

    Args:
        probabilities: The calibrated probabilities of the classes for rows with a label (n, classes); n is at least 1.
        labels: The positions of their classes (n).
        classes: The classes.
        reference_rows: How many rows the probabilities were calibrated on.
        confidence: The confidence level, such as 0.99.
    """
    import numpy as np
    from scipy.stats import norm

    rows, positions = len(labels), [1] if len(classes) == 2 else list(range(len(classes)))
    hits = labels[:, None] == np.array(positions)
    assumed = probabilities[:, positions]
    # The first is the variance if the probabilities hold; it is 0 if all of them are 0 or 1.
    variance = np.maximum((assumed * (1 - assumed)).mean(axis=0), ((hits - assumed) ** 2).mean(axis=0))
    errors = np.sqrt(variance * (1 / rows + 1 / reference_rows))
    differences = hits.mean(axis=0) - assumed.mean(axis=0)
    at = int(np.argmax(np.abs(differences) / np.maximum(errors, 1e-12)))
    margin = float(norm.ppf(1 - (1 - confidence) / len(positions) / 2) * errors[at])
    value = float(hits[:, at].mean())
    return CalibrationCheck(
        label=classes[positions[at]],
        assumed=float(assumed[:, at].mean()),
        observed=Interval(value=value, low=max(0.0, value - margin), high=min(1.0, value + margin), rows=rows),
        error=calibration_error(probabilities, labels),
    )
