"""Training on raw columns by a function of the team's own: a pipeline of scikit-learn, which is served on raw columns too."""

from typing import Any


def train(data: Any, params: dict[str, Any]) -> Any:
    """Choose the size of the trees by a cross-validation in which those who travel on one ticket stay together."""
    import numpy as np
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    texts = [name for name in data.frame if data.frame[name].dtype == object]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, min_frequency=10)
    model = make_pipeline(
        make_column_transformer((encoder, texts), remainder="passthrough"),
        HistGradientBoostingClassifier(random_state=data.seed),
    )
    sizes = {"histgradientboostingclassifier__max_leaf_nodes": params["leaves"]}
    search = GridSearchCV(model, sizes, cv=GroupKFold(5), scoring="neg_log_loss")
    return search.fit(data.frame, data.labels, groups=data.rows["Ticket"]).best_estimator_
