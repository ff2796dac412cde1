"""Export fitted pipelines as MLflow model folders in skops format, and load them."""

from __future__ import annotations

from automl.export.file_predictions import predict_file
from automl.export.model import What, check_new_folder, export_run, load_model, model_metadata, save_model

__all__ = [
    "What",
    "check_new_folder",
    "export_run",
    "load_model",
    "model_metadata",
    "predict_file",
    "save_model",
]
