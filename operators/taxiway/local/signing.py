"""Signs the ledger of a stack that is older than its keys, or the gateway would not serve its champions any more."""

from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys
from taxiway.ledger.verify import sign, unsigned_entries
from taxiway.local.stack import Stack
from taxiway.tracking.client import mlflow_errors, quiet_mlflow


def sign_older_promotions(stack: Stack) -> int:
    """Sign the promotions of before the stack had keys, once; returns their number.

    Raises:
        TransientError: MLflow does not answer.
    """
    quiet_mlflow()
    from mlflow import MlflowClient

    with mlflow_errors(stack.url("mlflow")):
        ledger = Ledger(MlflowClient(stack.url("mlflow")), LedgerKeys.parse(stack.secrets.ledger_keys))
        older = unsigned_entries(ledger)
        sign(ledger, older)
    stack.home.unsigned_file.unlink()
    return len(older)
