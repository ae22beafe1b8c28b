"""What the gateway keeps in its state folder: the request log, what it serves, and copies of model versions."""
