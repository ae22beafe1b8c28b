"""The workers of the gateway, which load a model version and predict: processes of the gateway, or servers elsewhere."""
