"""The labels of windows: the rows that have one, when they are expected, and when some must be bought."""
