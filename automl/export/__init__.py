"""Export fitted pipelines as MLflow model folders in skops format, and load them."""

from __future__ import annotations

from automl.export.file_predictions import predict_file
from automl.export.model import (
    ModelFormat,
    What,
    check_new_folder,
    export_run,
    load_model,
    model_metadata,
    save_model,
)
from automl.export.onnx import onnx_inputs, save_onnx

__all__ = [
    "ModelFormat",
    "What",
    "check_new_folder",
    "export_run",
    "load_model",
    "model_metadata",
    "onnx_inputs",
    "predict_file",
    "save_model",
    "save_onnx",
]
