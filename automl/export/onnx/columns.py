"""The first two steps of a pipeline: inputs by column, and the prepared matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from automl.export.onnx.categories import convert_encoder
from automl.export.onnx.graph import Graph, NotConvertible
from automl.export.onnx.numbers import convert_numbers
from automl.table import TypedColumns, usable_columns

__all__ = ["add_inputs", "convert_prepare", "onnx_inputs"]

_DTYPES = {"numeric": np.float64, "boolean": np.float64, "categorical": object}


def add_inputs(graph: Graph, columns: TypedColumns) -> dict[str, str]:
    """Add an input for each column, and return its tensor: float64 without infinite values, or text.

    Raises
    ------
    NotConvertible
        If a column holds dates or free text.
    """
    tensors = {}
    for name in usable_columns(columns.column_types_, text=columns.text):
        kind = columns.column_types_[name]
        if kind not in _DTYPES:
            raise NotConvertible(f'column "{name}", which holds {kind} values')
        tensor = graph.input(name, _DTYPES[kind])
        if kind == "numeric":
            endless = graph.op("IsInf", tensor, dtype=bool)
            missing = graph.constant(np.nan, np.float64)
            tensor = graph.op("Where", endless, missing, tensor, dtype=np.float64)
        tensors[name] = tensor
    return tensors


def convert_prepare(graph: Graph, prepare: Any, tensors: dict[str, str]) -> str:
    """Return the matrix that the preprocessing makes of the columns.

    Raises
    ------
    NotConvertible
        If a step of it cannot be converted to ONNX.
    """
    if isinstance(prepare, Pipeline):
        (_, columns), *rest = prepare.steps
        if rest:
            raise NotConvertible(f'step "prepare", {type(rest[0][1]).__name__}')
        return convert_prepare(graph, columns, tensors)
    if not isinstance(prepare, ColumnTransformer):
        raise NotConvertible(f'step "prepare", {type(prepare).__name__}')
    blocks = []
    for name, transformer, some in prepare.transformers_:
        of_block = {column: tensors[column] for column in some}
        if not of_block or transformer == "drop":
            continue
        try:
            block = _convert_block(graph, transformer, of_block)
        except NotConvertible as error:
            raise NotConvertible(f'step "prepare", block "{name}": {error}') from error
        if block is not None:
            blocks.append(block)
    return graph.concat(blocks)


def _convert_block(graph: Graph, transformer: Any, columns: dict[str, str]) -> str | None:
    if type(transformer).__name__ == "DiscreteNumbers":
        some = {name: columns[name] for name in transformer.columns_}
        return convert_encoder(graph, transformer.encoder_, some) if some else None
    texts = any(graph.dtypes[tensor].kind == "O" for tensor in columns.values())
    if texts or isinstance(transformer, FeatureUnion):
        return convert_encoder(graph, transformer, columns)
    if not len(transformer.get_feature_names_out()):  # e.g. marks of missing values where none are missing
        return None
    return convert_numbers(graph, transformer, graph.concat(list(columns.values())))


def onnx_inputs(columns: TypedColumns, X: Any) -> dict[str, np.ndarray]:
    """Return a table as the inputs of an exported ONNX model.

    Parameters
    ----------
    columns : TypedColumns
        The first step of the pipeline.
    X : table
        Raw rows.

    Returns
    -------
    dict of str to ndarray of shape (n, 1)
        Numbers as float64, NaN where missing; texts, "" where missing.
    """
    typed = columns.transform(X)
    inputs = {}
    for name, column in typed.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            texts = column.astype(object).where(column.notna(), "")
            inputs[str(name)] = texts.to_numpy(dtype=object)[:, None]
        else:
            inputs[str(name)] = column.to_numpy(dtype=np.float64)[:, None]
    return inputs
