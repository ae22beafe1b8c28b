"""The demonstration: its scenarios, example data and report."""
