"""Training by a function of the team's own: a softmax regression by gradient descent, returned as an ONNX model.

Any library that exports ONNX is used in the same way: for PyTorch, return the bytes that `torch.onnx.export` writes.
"""

from typing import Any


def train(data: Any, params: dict[str, Any]) -> Any:
    """Learn until the validation loss has not become smaller for 20 steps."""
    import numpy as np

    hot = np.eye(len(data.classes))
    weights = np.zeros((data.matrix.shape[1], len(data.classes)))
    best, best_loss, best_step, step = weights, np.inf, 0, 0
    while step - best_step < 20:
        step += 1
        gradient = data.matrix.T @ (softmax(data.matrix @ weights) - hot[data.labels]) / len(data.labels)
        weights = weights - params["learning_rate"] * gradient
        given = softmax(data.validation_matrix @ weights)[np.arange(len(data.validation_labels)), data.validation_labels]
        loss = -np.log(given).mean()
        if loss < best_loss - 1e-6:
            best, best_loss, best_step = weights, loss, step
        if data.report(step, validation_loss=loss, gradient_norm=np.linalg.norm(gradient)):
            break  # a rule of model.stop_on found a mistake
    data.keep(best_step)
    return as_onnx(best)


def softmax(scores: Any) -> Any:
    """The probabilities of the classes (n, classes)."""
    import numpy as np

    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def as_onnx(weights: Any) -> Any:
    """The model as ONNX: a product of matrices, then a softmax."""
    from onnx import TensorProto, helper, numpy_helper

    features, classes = weights.shape
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["rows", "weights"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"]),
        ],
        "softmax_regression",
        [helper.make_tensor_value_info("rows", TensorProto.DOUBLE, [None, features])],
        [helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, [None, classes])],
        [numpy_helper.from_array(weights, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
