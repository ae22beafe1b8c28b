"""Names of the columns in the files of a request log that writers and readers share."""

INPUT = "input."
"""The columns of the inputs begin with it; they are JSON text."""
OTHER_INPUTS = "other_inputs"
"""The column of the inputs that the model does not take: their JSON text by name."""
