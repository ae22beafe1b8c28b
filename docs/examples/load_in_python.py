"""Predict for the rows of a file with the champion."""

import mlflow
import pandas as pd

model = mlflow.pyfunc.load_model("models:/subscriptions.cancellations@champion")
rows = pd.read_parquet("2026-06.parquet")
predictions = model.predict(rows)
pd.concat([rows["customer_id"], predictions], axis=1).to_csv("predictions.csv", index=False)
