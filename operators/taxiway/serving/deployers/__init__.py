"""Deployers, which start challengers outside of the gateway."""
