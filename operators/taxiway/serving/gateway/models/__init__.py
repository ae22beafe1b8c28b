"""The served models: the champion and the challenger of each, and the versions that they load."""
