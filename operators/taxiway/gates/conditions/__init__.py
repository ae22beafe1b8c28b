"""Conditions with tolerances: their decision, and the reasons of the model gate about them."""
