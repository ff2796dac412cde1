"""The trees of scikit-learn, LightGBM, XGBoost and CatBoost in one form, with what becomes of their sums."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from automl.export.onnx.graph import NotConvertible
from automl.export.onnx.trees import Tree

__all__ = ["Sums", "catboost_sums", "histogram_sums", "lightgbm_sums", "sklearn_tree", "xgboost_sums"]


class Sums(NamedTuple):
    """A sum of trees for each output, and the link to predictions.

    Parameters
    ----------
    trees : list of Tree
        The trees.
    outputs : list of int
        The output of each tree.
    base : list of float
        Added to each output.
    link : {"identity", "exp", "sigmoid", "softmax"}
        Of the sums.
    """

    trees: list[Tree]
    outputs: list[int]
    base: list[float]
    link: str


_LINKS = {
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "quantile": "identity",
    "poisson": "exp",
    "binary": "sigmoid",
    "multiclass": "softmax",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "count:poisson": "exp",
    "binary:logistic": "sigmoid",
    "multi:softprob": "softmax",
    "RMSE": "identity",
    "MAE": "identity",
    "Poisson": "exp",
    "Logloss": "sigmoid",
    "MultiClass": "softmax",
    "squared_error": "identity",
    "absolute_error": "identity",
    "gamma": "exp",
}


def _link(loss: str, model: Any) -> str:
    if loss not in _LINKS:
        raise NotConvertible(f"{type(model).__name__} with the loss {loss}")
    return _LINKS[loss]


def sklearn_tree(estimator: Any) -> Tree:
    """Return a fitted decision tree of scikit-learn; its values have shape (number of nodes, outputs)."""
    tree = estimator.tree_
    missing = tree.missing_go_to_left.astype(bool)
    value = tree.value[:, 0, :]
    return Tree(tree.feature, tree.threshold, tree.children_left, tree.children_right, missing, value)


def histogram_sums(model: Any) -> Sums:
    """Return the trees of a histogram gradient boosting of scikit-learn."""
    encoder, known = model._preprocessor, list[Any]()
    positions = list(range(model.n_features_in_))
    if encoder is not None:  # categories come first there, as their places among those of training
        known = list(encoder.named_transformers_["encoder"].categories_)
        marked = np.asarray(model.is_categorical_, dtype=bool)
        positions = [*np.flatnonzero(marked).tolist(), *np.flatnonzero(~marked).tolist()]
    trees, outputs = [], []
    for iteration in model._predictors:
        for output, predictor in enumerate(iteration):
            trees.append(_histogram_tree(predictor, positions, known))
            outputs.append(output)
    loss = "binary" if model.n_trees_per_iteration_ == 1 else "multiclass"
    loss = model.loss if hasattr(model, "loss") and model.loss != "log_loss" else loss
    base = np.asarray(model._baseline_prediction, dtype=float).ravel().tolist()
    return Sums(trees, outputs, base, _link(loss, model))


def _histogram_tree(predictor: Any, positions: list[int], known: list[Any]) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    missing = nodes["missing_go_to_left"].astype(bool)
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    left, right = np.where(leaf, -1, left), np.where(leaf, -1, right)
    members = {}
    for node in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf):
        codes = known[nodes["feature_idx"][node]]
        bits = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
        goes_left = np.array(
            [bool(bits[i // 32] >> np.uint32(i % 32) & np.uint32(1)) for i in range(len(codes))]
        )
        if missing[node]:  # unseen categories go where missing values do: list those that go right
            left[node], right[node] = right[node], left[node]
            goes_left, missing[node] = ~goes_left, False
        members[int(node)] = [
            float(code) for code, among in zip(codes, goes_left, strict=True) if among and code == code
        ]
    features = np.array([positions[index] for index in nodes["feature_idx"]])
    return Tree(features, nodes["num_threshold"], left, right, missing, nodes["value"], members=members)


def lightgbm_sums(model: Any) -> Sums:
    """Return the trees of a LightGBM model."""
    dump = model.booster_.dump_model()
    if dump.get("average_output"):
        raise NotConvertible(f"{type(model).__name__} of averaged trees")
    loss = str(dump["objective"]).split()[0]
    n_outputs = dump["num_tree_per_iteration"]
    trees = [_lightgbm_tree(tree["tree_structure"]) for tree in dump["tree_info"]]
    link = _link(loss, model)
    return Sums(trees, [i % n_outputs for i in range(len(trees))], [0.0] * n_outputs, link)


def _lightgbm_tree(root: dict[str, Any]) -> Tree:
    rows, members = list[tuple[Any, ...]](), {}
    order = list(_lightgbm_nodes(root))
    places = {id(node): place for place, node in enumerate(order)}
    for place, node in enumerate(order):
        if "leaf_value" in node and "split_feature" not in node:
            if "leaf_coeff" in node:
                raise NotConvertible("LightGBM with linear trees")
            rows.append((0, 0.0, -1, -1, False, node["leaf_value"]))
            continue
        threshold, missing = node["threshold"], bool(node["default_left"])
        if node["missing_type"] == "Zero":
            raise NotConvertible("LightGBM with zero_as_missing")
        if node["decision_type"] == "==":
            members[place] = [float(code) for code in str(threshold).split("||")]
            threshold, missing = 0.0, False
        elif node["missing_type"] == "None":
            missing = threshold >= 0  # a missing value counts as 0
        children = (places[id(node["left_child"])], places[id(node["right_child"])])
        rows.append((node["split_feature"], threshold, *children, missing, 0.0))
    feature, threshold, left, right, towards, value = (np.array(column) for column in zip(*rows, strict=True))
    return Tree(feature, threshold, left, right, towards, value, members=members)


def _lightgbm_nodes(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a tree, the root first."""
    rest = [root]
    while rest:
        node = rest.pop()
        yield node
        if "split_feature" in node:
            rest += [node["right_child"], node["left_child"]]


def xgboost_sums(model: Any) -> Sums:
    """Return the trees of an XGBoost model."""
    booster = model.get_booster()
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    gradient = learner["gradient_booster"]
    if gradient["name"] != "gbtree":
        raise NotConvertible(f"{type(model).__name__} with the booster {gradient['name']}")
    link = _link(learner["objective"]["name"], model)
    text = learner["learner_model_param"]["base_score"].strip("[]")
    base = [float(part) for part in text.split(",")]
    n_outputs = max(1, int(learner["learner_model_param"]["num_class"]))
    base = base if len(base) == n_outputs else base * n_outputs
    if link == "sigmoid":
        base = [float(np.log(share / (1 - share))) for share in base]
    elif link == "exp":
        base = np.log(base).tolist()
    content = gradient["model"]
    stop = getattr(model, "best_iteration", None) if booster.attr("best_iteration") else None
    n_trees = len(content["trees"]) if stop is None else content["iteration_indptr"][stop + 1]
    trees = [_xgboost_tree(tree) for tree in content["trees"][:n_trees]]
    return Sums(trees, content["tree_info"][:n_trees], base, link)


def _xgboost_tree(tree: dict[str, Any]) -> Tree:
    if any(tree.get("split_type", ())):
        raise NotConvertible("XGBoost with categorical splits")
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    missing = np.array(tree["default_left"]).astype(bool)
    return Tree(np.array(tree["split_indices"]), conditions, left, right, missing, conditions, below=True)


def catboost_sums(model: Any) -> tuple[Sums, bool]:
    """Return the trees of a CatBoost model, and whether their leaves hold a value for each output."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.json"
        model.save_model(str(file), format="json")
        content = json.loads(file.read_text(encoding="utf-8"))
    if content["features_info"].get("categorical_features") or "oblivious_trees" not in content:
        raise NotConvertible(f"{type(model).__name__} with native categories or asymmetric trees")
    scale, base = content["scale_and_bias"]
    features = content["features_info"]["float_features"]
    positions = [feature["flat_feature_index"] for feature in features]
    treatments = [feature.get("nan_value_treatment", "AsIs") for feature in features]
    base = base if isinstance(base, list) else [base]
    n_outputs = len(base)
    trees = [
        _catboost_tree(tree, positions, treatments, scale, n_outputs) for tree in content["oblivious_trees"]
    ]
    link = _link(model.get_all_params()["loss_function"].partition(":")[0], model)
    return Sums(trees, [0] * len(trees), list(map(float, base)), link), n_outputs > 1


def _catboost_tree(
    tree: dict[str, Any], positions: list[int], treatments: list[str], scale: float, n_outputs: int
) -> Tree:
    splits = tree["splits"][::-1]  # the first split is the lowest bit of a leaf's number
    depth = len(splits)
    n_inner = 2**depth - 1
    feature, threshold = np.zeros(n_inner + 2**depth, np.int64), np.zeros(n_inner + 2**depth)
    left, right = np.full(len(feature), -1), np.full(len(feature), -1)
    missing = np.zeros(len(feature), bool)
    for node in range(n_inner):
        split = splits[int(np.log2(node + 1))]
        if split["split_type"] != "FloatFeature":
            raise NotConvertible("CatBoost with splits by category")
        index = split["float_feature_index"]
        feature[node], threshold[node] = positions[index], np.float32(split["border"])
        left[node], right[node] = 2 * node + 1, 2 * node + 2
        missing[node] = treatments[index] != "AsTrue"
    leaves = np.array(tree["leaf_values"], dtype=float).reshape(2**depth, n_outputs) * scale
    value = np.vstack([np.zeros((n_inner, n_outputs)), leaves])
    return Tree(feature, threshold, left, right, missing, value if n_outputs > 1 else value[:, 0])
