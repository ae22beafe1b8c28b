"""The ledger: promotions and people's decisions in MLflow, append-only, in one signed chain of hashes."""
