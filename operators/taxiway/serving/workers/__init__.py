"""Model processes: what loads a version and predicts, in the gateway's children or elsewhere."""
