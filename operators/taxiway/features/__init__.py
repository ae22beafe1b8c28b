"""The transform: one scikit-learn object that is fitted in training and asked again, as it is, in serving."""

from taxiway.features.transform import raw_frame, transform

__all__ = ["raw_frame", "transform"]
