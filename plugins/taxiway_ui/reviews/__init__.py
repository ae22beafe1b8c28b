"""Re-opened verdicts: the pipeline files that the API server can read, and reviews in the background of the pages."""
