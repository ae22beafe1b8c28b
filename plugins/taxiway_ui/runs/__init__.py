"""What the page of a run shows beside its records: the marks of its stages, and tags of its MLflow run."""
