"""The parts of `model` that have rules of their own: a command, and a decision threshold."""
