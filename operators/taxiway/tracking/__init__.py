"""MLflow runs: tag names, clients, paged searches, and the run of a pipeline. Models are in `taxiway.registry`."""
