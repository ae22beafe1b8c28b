"""What people do on the pages: the tokens of forms, decisions in the ledger, runs and answers in Airflow."""
