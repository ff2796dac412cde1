"""Trees of all libraries in one form, and as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from automl.export.onnx.graph import Graph

__all__ = ["Tree", "leaf_values", "sum_of_trees"]

Array = npt.NDArray[Any]

_AT_MOST, _BELOW, _MEMBER = 0, 1, 6  # comparisons of TreeEnsemble


@dataclass(frozen=True)
class Tree:
    """A tree; a row goes to the left child where its value is at most the threshold, or among the members.

    Parameters
    ----------
    feature, threshold : ndarray of shape (number of nodes,)
        The column and the threshold of each inner node.
    left, right : ndarray of shape (number of nodes,)
        The children; -1 at leaves.
    missing_left : ndarray of shape (number of nodes,), bool
        Whether rows with a missing value go left.
    value : ndarray of shape (number of nodes,) or (number of nodes, number of outputs)
        The value of each leaf.
    below : bool
        Whether a value equal to the threshold goes right.
    members : mapping of int to sequence of float
        The categories of nodes that split by category.
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    missing_left: Array
    value: Array
    below: bool = False
    members: Mapping[int, Sequence[float]] = field(default_factory=dict)


def sum_of_trees(graph: Graph, x: str, trees: Sequence[Tree], outputs: Sequence[int], n_outputs: int) -> str:
    """Return the sums of the values of the leaves that each row reaches, float64 of shape (n, n_outputs).

    Parameters
    ----------
    x : str
        The rows.
    trees : sequence of Tree
        Trees with one value a leaf.
    outputs : sequence of int
        The output that each tree adds to.
    """
    values = [np.asarray(tree.value, dtype=np.float64) for tree in trees]
    return _ensemble(graph, x, trees, values, outputs, n_outputs)


def leaf_values(graph: Graph, x: str, trees: Sequence[Tree]) -> str:
    """Return the vectors of the leaves that each row reaches, float64 of shape (n, number of trees, outputs)."""
    numbers, table, start = [], [], 0
    for tree in trees:
        leaf = tree.left < 0
        numbers.append(start + np.cumsum(leaf, dtype=np.float64) - 1)
        table.append(tree.value[leaf])
        start += int(leaf.sum())
    reached = _ensemble(graph, x, trees, numbers, range(len(trees)), len(trees))
    places = graph.cast(reached, np.int64)
    return graph.op("Gather", graph.constant(np.concatenate(table), np.float64), places, axis=0)


def _ensemble(
    graph: Graph,
    x: str,
    trees: Sequence[Tree],
    values: Sequence[Array],
    outputs: Sequence[int],
    n_outputs: int,
) -> str:
    from onnx import numpy_helper

    parts: dict[str, list[Any]] = {
        name: [] for name in ("mode", "feature", "split", "yes", "yes_leaf", "no", "no_leaf", "missing")
    }
    roots, members, targets, weights = list[int](), list[float](), list[int](), list[float]()
    for tree, value, output in zip(trees, values, outputs, strict=True):
        leaf = tree.left < 0
        places = np.empty(len(leaf), dtype=np.int64)  # among all inner nodes, or all leaves
        places[~leaf] = len(parts["mode"]) + np.arange((~leaf).sum())
        places[leaf] = len(targets) + np.arange(leaf.sum())
        targets += [int(output)] * int(leaf.sum())
        weights += value[leaf].tolist()
        if leaf[0]:  # a tree without a split: ONNX needs one
            roots.append(len(parts["mode"]))
            row = (_AT_MOST, 0, 0.0, places[0], 1, places[0], 1, 0)
            for name, entry in zip(parts, row, strict=True):
                parts[name].append(int(entry) if name != "split" else entry)
            continue
        roots.append(int(places[0]))
        for node in np.flatnonzero(~leaf):
            among = tree.members.get(int(node))
            if among is not None:
                members += [*among, np.nan]
            yes, no = tree.left[node], tree.right[node]
            mode = _MEMBER if among is not None else _BELOW if tree.below else _AT_MOST
            parts["mode"].append(mode)
            parts["feature"].append(int(tree.feature[node]))
            parts["split"].append(0.0 if among is not None else float(tree.threshold[node]))
            parts["yes"].append(int(places[yes]))
            parts["yes_leaf"].append(int(leaf[yes]))
            parts["no"].append(int(places[no]))
            parts["no_leaf"].append(int(leaf[no]))
            parts["missing"].append(int(tree.missing_left[node]))
    more = {"membership_values": numpy_helper.from_array(np.array(members, np.float64))} if members else {}
    return graph.op(
        "TreeEnsemble",
        graph.cast(x, np.float64),
        ml=True,
        n_targets=n_outputs,
        aggregate_function=1,  # the sum
        post_transform=0,
        tree_roots=roots,
        nodes_modes=numpy_helper.from_array(np.array(parts["mode"], np.uint8)),
        nodes_featureids=parts["feature"],
        nodes_splits=numpy_helper.from_array(np.array(parts["split"], np.float64)),
        nodes_truenodeids=parts["yes"],
        nodes_trueleafs=parts["yes_leaf"],
        nodes_falsenodeids=parts["no"],
        nodes_falseleafs=parts["no_leaf"],
        nodes_missing_value_tracks_true=parts["missing"],
        leaf_targetids=targets,
        leaf_weights=numpy_helper.from_array(np.array(weights, np.float64)),
        **more,
    )
