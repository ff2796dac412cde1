"""Encoders of categories as tables: an encoder's own output for each category, missing and an unseen one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from automl.export.onnx.graph import Graph, NotConvertible

__all__ = ["convert_encoder"]

_UNSEEN = "\x00 a category that training has not seen"
_UNSEEN_NUMBER = -1234567.0


def convert_encoder(graph: Graph, encoder: Any, columns: dict[str, str]) -> str:
    """Return the matrix of a fitted encoder, each of whose columns depends on one column of categories.

    Parameters
    ----------
    encoder : transformer
        Of columns of texts, or of whole numbers.
    columns : dict of str to str
        The tensor (n, 1) of each column: texts, "" where missing; or float64, NaN where missing.

    Raises
    ------
    NotConvertible
        If a category alone does not determine the result.
    """
    known = _categories(encoder, list(columns))
    texts = graph.dtypes[next(iter(columns.values()))].kind == "O"
    missing, unseen = (np.nan, _UNSEEN) if texts else (np.nan, _UNSEEN_NUMBER)
    base = dict.fromkeys(columns, missing)
    blocks, order = [], []
    for name, tensor in columns.items():
        values = [value for value in known[name] if not pd.isna(value)]
        rows = [*({**base, name: value} for value in (*values, missing, unseen))]
        table = np.asarray(encoder.transform(_frame(rows, known, texts)), dtype=np.float32)
        blocks.append((tensor, values, table))
    varying = [_varies(table) for _, _, table in blocks]
    if (np.sum(varying, axis=0) > 1).any():
        raise NotConvertible(f"{type(encoder).__name__}, which combines columns")
    made = []
    for position, ((tensor, values, table), own) in enumerate(zip(blocks, varying, strict=True)):
        if position == 0:  # constant columns are in every table
            own = own | ~np.any(varying, axis=0)
        if own.any():
            codes = _codes(graph, tensor, values, texts)
            made.append(graph.op("Gather", graph.constant(table[:, own]), codes, axis=0, dtype=np.float32))
            order += np.flatnonzero(own).tolist()
    if not made:
        raise NotConvertible(f"{type(encoder).__name__} without columns")
    return graph.columns(graph.concat(made), np.argsort(order))


def _codes(graph: Graph, tensor: str, values: list[Any], texts: bool) -> str:
    """Return the place of each value, shape (n,); after the values that of missing, then that of unseen ones."""
    if texts:
        attributes = {"keys_strings": [*values, ""], "values_int64s": list(range(len(values) + 1))}
        places = graph.op(
            "LabelEncoder", tensor, ml=True, dtype=np.int64, default_int64=len(values) + 1, **attributes
        )
    else:
        equal = graph.op("Equal", tensor, graph.constant([values], np.float64), dtype=bool)
        missing = graph.op("IsNaN", tensor, dtype=bool)
        found = graph.op("Concat", equal, missing, axis=1)
        # An unseen value equals none: the last column is below 1, above 0.
        unseen = graph.op(
            "Add", graph.op("Mul", tensor, graph.constant(0.0, np.float64)), graph.constant(0.5)
        )
        unseen = graph.op("Where", missing, graph.constant(0.0, np.float64), unseen, dtype=np.float64)
        scores = graph.op("Concat", graph.cast(found, np.float64), unseen, axis=1)
        places = graph.op("ArgMax", scores, axis=1, keepdims=1, dtype=np.int64)
    return graph.op("Squeeze", places, graph.constant([1], np.int64))


def _frame(rows: list[dict[str, Any]], known: dict[str, list[Any]], texts: bool) -> pd.DataFrame:
    if not texts:
        return pd.DataFrame(rows).astype(float)
    columns = {}
    for name, values in known.items():
        categories = pd.Index([*(value for value in values if not pd.isna(value)), _UNSEEN], dtype=object)
        columns[name] = pd.Categorical([row[name] for row in rows], categories=categories)
    return pd.DataFrame(columns)


def _varies(table: np.ndarray) -> np.ndarray:
    first = table[:1]
    same: np.ndarray = ((table == first) | (np.isnan(table) & np.isnan(first))).all(axis=0)
    return ~same


def _categories(encoder: Any, names: list[str]) -> dict[str, list[Any]]:
    """Return the categories that an encoder has learned, by column."""
    if isinstance(encoder, Pipeline):
        return _categories(encoder.steps[0][1], names)
    if isinstance(encoder, FeatureUnion):
        parts = [_categories(one, names) for _, one in encoder.transformer_list]
        return {name: list(dict.fromkeys(value for part in parts for value in part[name])) for name in names}
    inner = getattr(encoder, "encoder_", None)
    if isinstance(inner, ColumnTransformer):  # by the number of categories
        found = dict.fromkeys(names, list[Any]())
        for _, one, some in inner.transformers_:
            if not isinstance(one, str):
                found |= _categories(one, list(some))
        return found
    learned = getattr(encoder, "categories_", None)
    if not isinstance(learned, list):
        raise NotConvertible(type(encoder).__name__)
    return {name: list(values) for name, values in zip(names, learned, strict=True)}
