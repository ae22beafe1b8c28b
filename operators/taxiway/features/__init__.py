"""The transform: one scikit-learn object that is fitted in training and used unchanged in serving."""

from taxiway.features.encoding import raw_frame
from taxiway.features.transform import transform

__all__ = ["raw_frame", "transform"]
