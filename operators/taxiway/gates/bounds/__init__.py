"""The bounds by which the comparisons of conditions are planned and decided."""
