"""The loader that MLflow calls for a model's generic form: predictions, or class probabilities where asked for.

The models name this module, so it and `_load_pyfunc` keep their names.
"""

from __future__ import annotations

from typing import Any

__all__ = ["LOADER", "PREDICT_METHOD", "PREDICT_METHODS", "ClassifierModel"]

LOADER = __name__
PREDICT_METHOD = "predict_method"  # the parameter of a prediction
PREDICT_METHODS = ("predict", "predict_proba")


class ClassifierModel:
    """A classifier as MLflow's generic model.

    Parameters
    ----------
    estimator : estimator
        A fitted pipeline with ``predict_proba``.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def get_raw_model(self) -> Any:
        """Return the pipeline; MLflow's `unwrap_python_model` calls this."""
        return self.estimator

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return labels, or probabilities of shape (n, n_classes) for ``{"predict_method": "predict_proba"}``.

        Raises
        ------
        ValueError
            If the method is another one; MLflow's server answers with the text.
        """
        method = (params or {}).get(PREDICT_METHOD, PREDICT_METHODS[0])
        if method not in PREDICT_METHODS:
            raise ValueError(f"{PREDICT_METHOD}: must be one of {', '.join(PREDICT_METHODS)}, got {method!r}")
        return getattr(self.estimator, method)(data)


def _load_pyfunc(path: str) -> ClassifierModel:
    """Load a model; MLflow calls this with the path of its file."""
    from mlflow.sklearn import _load_pyfunc as load

    return ClassifierModel(load(path).get_raw_model())
