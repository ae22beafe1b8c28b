"""The rows of a window that are unlike the evaluation rows."""
