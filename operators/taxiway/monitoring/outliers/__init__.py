"""Outlier scores of rows: how easily a row is isolated from the evaluation rows, and by which of its inputs."""
