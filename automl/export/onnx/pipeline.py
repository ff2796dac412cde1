"""Write a pipeline, or an ensemble of pipelines, as an ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from automl.ensemble import CalibratedClassifier
from automl.errors import Fault, SettingError, StoreError
from automl.export.onnx.columns import add_inputs, convert_prepare, onnx_inputs
from automl.export.onnx.graph import Graph, NotConvertible
from automl.export.onnx.models import Predicted, convert_model

__all__ = ["TOLERANCE", "save_onnx"]

TOLERANCE = 1e-5  # of a prediction, relative to the largest of them if that is above 1


def save_onnx(estimator: Any, path: str | Path, X_example: Any, metadata: Mapping[str, Any]) -> Path:
    """Write a fitted model as an ONNX file, and compare its predictions for some rows.

    The file has an input of shape (n, 1) for each column: float64 for numbers and booleans (NaN where missing), text
    for categories ("" where missing). Its outputs are ``label`` (n,) with ``probabilities`` (n, classes), or with
    ``scores`` of a classifier without probabilities; for a regression ``prediction`` (n,).

    Parameters
    ----------
    estimator : Pipeline, EnsembleClassifier, EnsembleRegressor or CalibratedClassifier
        A fitted model of a search.
    path : str or Path
        A new file.
    X_example : table
        Raw rows to compare predictions on.
    metadata : mapping
        Plain values that are saved with the model, as JSON in the property ``automl``.

    Raises
    ------
    SettingError
        If the file exists, a step cannot be converted to ONNX, or the package onnx is missing.
    StoreError
        If the file cannot be written, or predictions differ by more than 1e-5.
    """
    file = Path(path)
    if file.exists():
        came, remedy = f"{path}, which exists", "Name another file, or remove it."
        raise SettingError(Fault("the ONNX file", "must be new", came, remedy))
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError as error:
        remedy = "pip install 'automl-orchestrator[onnx]'."
        raise SettingError(
            Fault("format", "needs the packages onnx and onnxruntime", f"no {error.name}", remedy)
        ) from error
    try:
        graph = _convert(estimator)
    except NotConvertible as error:
        other = (
            ', or one pipeline of it (what="best")'
            if hasattr(_without_calibration(estimator), "members_")
            else ""
        )
        remedy = f"Export it as an MLflow model{other}, or leave that step out of the space."
        raise SettingError(
            Fault("the model", "must have steps that ONNX knows", str(error), remedy)
        ) from error
    try:
        content = graph.build({"automl": json.dumps(dict(metadata), default=str)}).SerializeToString()
    except ValueError as error:
        raise SettingError(Fault("the model", "must be one that ONNX can hold (2 GB)", str(error))) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    _compare(estimator, onnxruntime.InferenceSession(content, options), X_example)
    try:
        file.absolute().parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    return file


def _convert(model: Any) -> Graph:
    graph, estimator = Graph(), _without_calibration(model)
    whole = hasattr(estimator, "members_")
    members, weights = (estimator.members_, estimator.weights_) if whole else ([estimator[1:]], [1.0])
    tensors = add_inputs(graph, _columns(model))
    found = []
    for number, member in enumerate(members, start=1):
        try:
            found.append(_convert_steps(graph, member, tensors))
        except NotConvertible as error:
            of_many = f"member {number} of {len(members)}, " if len(members) > 1 else ""
            raise NotConvertible(f"{of_many}{error}") from error
    predicted = _average(graph, found, weights)
    if isinstance(model, CalibratedClassifier):
        predicted = _calibrated(graph, predicted.values, model)
    _add_outputs(graph, predicted, model)
    return graph


def _without_calibration(model: Any) -> Any:
    return model.model_ if isinstance(model, CalibratedClassifier) else model


def _columns(model: Any) -> Any:
    """Return the first step of a pipeline, or of all members of an ensemble."""
    estimator = _without_calibration(model)
    return estimator.columns_ if hasattr(estimator, "members_") else estimator.steps[0][1]


def _calibrated(graph: Graph, probabilities: str, model: CalibratedClassifier) -> Predicted:
    """Scale the log probabilities and shift those of the second class, as `ensemble.calibrated` does."""
    wide = graph.cast(probabilities, np.float64)
    logits = graph.op("Log", graph.op("Max", wide, graph.constant(1e-12, np.float64)))
    logits = graph.op("Mul", logits, graph.constant(model.slope, np.float64))
    shift = np.zeros(len(model.classes_))
    shift[1] = model.shift
    logits = graph.op("Add", logits, graph.constant(shift, np.float64))
    return Predicted(graph.op("Softmax", logits, axis=1), "probabilities")


def _convert_steps(graph: Graph, pipeline: Any, tensors: dict[str, str]) -> Predicted:
    (_, prepare), (_, model) = pipeline.steps
    matrix = graph.cast(convert_prepare(graph, prepare, tensors), np.float32)
    try:
        return convert_model(graph, model, matrix)
    except NotConvertible as error:
        raise NotConvertible(f'step "model", {error}') from error


def _average(graph: Graph, found: list[Predicted], weights: Any) -> Predicted:
    if len(found) == 1:
        return found[0]
    total = ""
    for one, weight in zip(found, weights, strict=True):
        values = graph.cast(one.values, np.float64)
        share = graph.op("Mul", values, graph.constant(weight, np.float64))
        total = share if not total else graph.op("Add", total, share)
    return Predicted(total, found[0].kind)


def _add_outputs(graph: Graph, predicted: Predicted, estimator: Any) -> None:
    values = predicted.values
    if not is_classifier(estimator):
        graph.output("prediction", graph.op("Squeeze", values, graph.constant([1], np.int64)), None)
        return
    classes = np.asarray(estimator.classes_)
    if predicted.kind == "scores" and len(classes) == 2:
        above = graph.op("Greater", values, graph.constant(0, graph.dtypes[values]), dtype=bool)
        places = graph.op("Squeeze", graph.cast(above, np.int64), graph.constant([1], np.int64))
    elif getattr(estimator, "threshold", None) is not None:
        chosen = graph.columns(values, [estimator.positive])
        limit = graph.constant(estimator.threshold, graph.dtypes[values])
        above = graph.cast(graph.op("GreaterOrEqual", chosen, limit, dtype=bool), np.int64)
        pair = graph.constant([1 - estimator.positive, estimator.positive], np.int64)
        chosen = graph.op("Gather", pair, above, axis=0)
        places = graph.op("Squeeze", chosen, graph.constant([1], np.int64))
    else:
        places = graph.op("ArgMax", values, axis=1, keepdims=0, dtype=np.int64)
    if classes.dtype == object:
        classes = np.array([str(label) for label in classes], dtype=object)
    labels = graph.constant(classes)
    graph.output("label", graph.op("Gather", labels, places, axis=0, dtype=classes.dtype), None)
    columns = 1 if predicted.kind == "scores" and len(classes) == 2 else len(classes)
    graph.output(predicted.kind, values, columns)


def _compare(estimator: Any, session: Any, X: Any) -> None:
    """Raise StoreError if the ONNX model predicts other values than the estimator."""
    names = [output.name for output in session.get_outputs()]
    found = session.run([names[-1]], onnx_inputs(_columns(estimator), X))[0]
    method = {"probabilities": "predict_proba", "scores": "decision_function", "prediction": "predict"}[
        names[-1]
    ]
    wanted = np.asarray(getattr(estimator, method)(X), dtype=float)
    difference = float(np.max(np.abs(found.reshape(wanted.shape) - wanted)))
    if not difference <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise StoreError(
            f"the ONNX model predicts other values than the pipeline: they differ by {difference:g}"
        )
