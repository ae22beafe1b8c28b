"""Models as they are saved: their classes, which name nothing but data, and the files that they consist of."""
