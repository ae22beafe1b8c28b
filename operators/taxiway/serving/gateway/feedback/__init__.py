"""The true labels of predictions, which callers send once they are known."""
