"""Transformers of scikit-learn for kinds of columns. Saved models name their modules."""
