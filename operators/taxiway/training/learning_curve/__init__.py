"""Models of parts of the training rows, by which a learning curve is measured."""
