"""The history of a pipeline: its time line, and the gate's metric over its spans as a chart and a table."""
