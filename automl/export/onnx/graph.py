"""An ONNX graph that is built node by node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Graph", "NotConvertible", "converter_of"]

_Converter = TypeVar("_Converter")

Array = npt.NDArray[Any]

_OPSET, _ML_OPSET, _IR = 21, 5, 10  # ai.onnx.ml 5 has TreeEnsemble with numbers of 64 bits
_ML = "ai.onnx.ml"


class NotConvertible(Exception):
    """A step that cannot be converted to ONNX.

    Parameters
    ----------
    step : str
        The step, with the reason.
    """


def converter_of(step: Any, converters: Mapping[str, _Converter]) -> _Converter:
    """Return the converter of a step's class, or of its nearest base class, by package and name.

    Raises
    ------
    NotConvertible
        If there is none.
    """
    for kind in type(step).__mro__:
        name = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        if name in converters:
            return converters[name]
    raise NotConvertible(type(step).__name__)


class Graph:
    """Nodes, constants and inputs of a model; tensors are named by the graph and have a NumPy dtype."""

    def __init__(self) -> None:
        self.dtypes: dict[str, np.dtype[Any]] = {}
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, dtype: Any) -> str:
        """Add an input of shape (n, 1) and return its name; the dtype ``object`` is for texts."""
        return self._declare(self._inputs, name, dtype, 1)

    def output(self, name: str, tensor: str, columns: int | None) -> None:
        """Name a tensor of shape (n,), or (n, columns), as an output."""
        self._add("Identity", [tensor], [name], "", {})
        self._declare(self._outputs, name, self.dtypes[tensor], columns)

    def constant(self, values: Any, dtype: Any = None) -> str:
        """Return the tensor of a constant array."""
        from onnx import numpy_helper

        array = np.asarray(values, dtype=dtype)
        name = self._name("constant")
        self._constants.append(numpy_helper.from_array(array, name))
        self.dtypes[name] = array.dtype
        return name

    def op(self, kind: str, *inputs: str, dtype: Any = None, ml: bool = False, **attributes: Any) -> str:
        """Add a node and return its only output; its dtype is that of the first input unless given."""
        name = self._name(kind)
        self._add(kind, list(inputs), [name], _ML if ml else "", attributes)
        self.dtypes[name] = np.dtype(self.dtypes[inputs[0]] if dtype is None else dtype)
        return name

    def cast(self, tensor: str, dtype: Any) -> str:
        """Return a tensor with another dtype."""
        from onnx.helper import np_dtype_to_tensor_dtype

        if self.dtypes[tensor] == np.dtype(dtype):
            return tensor
        return self.op("Cast", tensor, dtype=dtype, to=np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def like(self, kind: str, tensor: str, values: Any) -> str:
        """Apply an operation of two arguments to a tensor and a constant, in float64, rounded to the tensor's dtype."""
        wide = self.cast(tensor, np.float64)
        return self.cast(self.op(kind, wide, self.constant(values, np.float64)), self.dtypes[tensor])

    def concat(self, tensors: list[str], axis: int = 1) -> str:
        """Return tensors side by side, in the dtype that holds all of them."""
        if len(tensors) == 1:
            return tensors[0]
        dtype = np.result_type(*(self.dtypes[tensor] for tensor in tensors))
        return self.op("Concat", *(self.cast(tensor, dtype) for tensor in tensors), axis=axis)

    def columns(self, tensor: str, positions: Any) -> str:
        """Return some columns of a matrix."""
        return self.op("Gather", tensor, self.constant(positions, np.int64), axis=1)

    def build(self, metadata: dict[str, str]) -> Any:
        """Return the checked model."""
        import onnx
        from onnx import helper

        graph = helper.make_graph(self._nodes, "pipeline", self._inputs, self._outputs, self._constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_ML, _ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="automl-orchestrator")
        model.ir_version = _IR
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model

    def _name(self, kind: str) -> str:
        return f"{kind}_{len(self._nodes) + len(self._constants)}"

    def _add(self, kind: str, inputs: list[str], outputs: list[str], domain: str, attributes: Any) -> None:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, outputs, domain=domain, **attributes))

    def _declare(self, where: list[Any], name: str, dtype: Any, columns: int | None) -> str:
        from onnx import helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        shape = ["rows"] if columns is None else ["rows", columns]
        where.append(helper.make_tensor_value_info(name, kind, shape))
        self.dtypes[name] = np.dtype(dtype)
        return name
