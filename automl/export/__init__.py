"""A fitted pipeline as a folder that loads anywhere: MLflow's model format, with skops instead of pickle."""

from __future__ import annotations

from automl.export.model import check_new_folder, export_run, load_model, model_metadata, save_model

__all__ = ["check_new_folder", "export_run", "load_model", "model_metadata", "save_model"]
