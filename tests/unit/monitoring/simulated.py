"""Simulated probabilities and labels."""

import numpy as np


def both(second):
    """The probabilities of two classes, from those of the second."""
    return np.stack([1 - second, second], axis=1)


def drawn(probabilities, rng):
    """A label for each row, drawn with the probabilities of its classes."""
    return (rng.random((len(probabilities), 1)) > np.cumsum(probabilities, axis=1)[:, :-1]).sum(axis=1).astype(float)
