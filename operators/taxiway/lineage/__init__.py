"""The memory: what happened, in MLflow: runs, datasets by digest, models; and loading a model without trusting it blindly."""
