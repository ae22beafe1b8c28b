"""The OpenAPI document of the gateway, with the columns of each model that a caller may use."""
