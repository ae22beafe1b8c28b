"""The registry: models and their aliases in MLflow, promotion and rollback, and the append-only ledger of promotions."""
