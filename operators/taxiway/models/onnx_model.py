"""ONNX models as estimators, computed by onnxruntime.

This module imports scikit-learn, because a saved model names its class; import it inside of functions.
"""

from collections.abc import Iterator
from typing import Any

from sklearn.base import BaseEstimator  # noqa: TID253 the base of a class that skops looks up by its name

from taxiway.errors import FitError

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_MAX_BYTES = 1 << 30


class OnnxModel(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An ONNX model with one input of the shape (n, features).

    Its last output are the probabilities of the classes (n, classes), or numbers (n) or (n, 1).

    Args:
        content: The model as bytes; see `content_of`.
    """

    def __init__(self, content: bytes = b"") -> None:
        self.content = content

    def fit(self, *_: Any) -> Any:
        """Not possible: the model was trained before it became ONNX."""
        raise TypeError("an ONNX model cannot be fitted")

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, matrix: Any) -> Any:
        """The probabilities of the classes (n, classes)."""
        return self._run(matrix)

    def predict(self, matrix: Any) -> Any:
        """The numbers of a regression (n)."""
        return self._run(matrix).reshape(-1)

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self.content}

    def _run(self, matrix: Any) -> Any:
        import numpy as np

        session = self._session()
        (given,) = session.get_inputs()
        kind = "float64" if given.type == "tensor(double)" else "float32"
        (answers,) = session.run([session.get_outputs()[-1].name], {given.name: np.ascontiguousarray(matrix, dtype=kind)})
        return np.asarray(answers, dtype=float)

    def _session(self) -> Any:
        """The session, which is not saved with the model."""
        known = self.__dict__.get("_loaded")
        if known is None:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1  # the same answers on any machine
            options.log_severity_level = 3
            known = onnxruntime.InferenceSession(bytes(self.content), options, providers=["CPUExecutionProvider"])
            self.__dict__["_loaded"] = known
        return known


def content_of(made: Any) -> bytes | None:
    """The bytes of an ONNX model that a function has returned; None if it is none.

    Raises:
        FitError: It is broken, reads other files, or has operators that are not of ONNX itself.
    """
    if not isinstance(made, bytes | bytearray) and type(made).__name__ != "ModelProto":
        return None
    content = bytes(made) if isinstance(made, bytes | bytearray) else made.SerializeToString()
    if len(content) > _MAX_BYTES:
        raise FitError(f"the ONNX model has {len(content):,} bytes; allowed: {_MAX_BYTES:,}")
    try:
        import onnx
    except ImportError as error:
        raise FitError("an ONNX model needs the packages onnx and onnxruntime: pip install 'taxiway[onnx]'") from error
    try:
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model)
    except Exception as error:  # of protobuf, or of the checker
        raise FitError(f"the ONNX model is not valid: {str(error)[:500]}") from error
    graphs = list(_graphs(model.graph))
    domains = {node.domain for graph in graphs for node in graph.node}
    strange = sorted((domains - _DOMAINS) | {function.domain for function in model.functions})
    if strange:
        raise FitError(f"the ONNX model has operators of {', '.join(strange)}; allowed: those of ONNX and of its ML domain")
    if any(tensor.data_location for graph in graphs for tensor in _tensors(graph)):
        raise FitError("the ONNX model keeps tensors in other files; save it with them inside, as onnx.save does by default")
    if len(model.graph.input) - len({i.name for i in model.graph.input} & {t.name for t in model.graph.initializer}) != 1:
        raise FitError(f"the ONNX model has {len(model.graph.input)} inputs; allowed: one, of the shape (rows, features)")
    return content


def _graphs(graph: Any) -> Iterator[Any]:
    """A graph and those inside its nodes, at any depth."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer or inner.sparse_initializer:
                    yield from _graphs(inner)


def _tensors(graph: Any) -> Iterator[Any]:
    """The tensors of a graph itself and of the attributes of its nodes."""
    sparse = list(graph.sparse_initializer)
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)
