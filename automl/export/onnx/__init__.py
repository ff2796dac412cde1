"""Fitted pipelines as ONNX models, which run without Python or this package."""

from __future__ import annotations

from automl.export.onnx.columns import onnx_inputs
from automl.export.onnx.pipeline import save_onnx

__all__ = ["onnx_inputs", "save_onnx"]
