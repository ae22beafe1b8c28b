"""The transform: one scikit-learn object that is fitted in training and used unchanged in serving."""

from taxiway.features.encoding import raw_frame
from taxiway.features.transform import TransformSpec, transform

__all__ = ["TransformSpec", "raw_frame", "transform"]
