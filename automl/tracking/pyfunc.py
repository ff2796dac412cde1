"""The loader that MLflow calls for a model's generic form: predictions, or class probabilities where asked for.

The models name this module, so it and `_load_pyfunc` keep their names.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["LOADER", "PREDICT_METHOD", "PREDICT_METHODS", "ServedModel"]

LOADER = __name__
PREDICT_METHOD = "predict_method"  # the parameter of a prediction
PREDICT_METHODS = ("predict", "predict_proba")

_SERVER = "mlflow.pyfunc.scoring_server"


class ServedModel:
    """A pipeline as MLflow's generic model.

    Parameters
    ----------
    estimator : estimator
        A fitted pipeline.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def get_raw_model(self) -> Any:
        """Return the pipeline; MLflow's `unwrap_python_model` calls this."""
        return self.estimator

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return predictions, or probabilities of shape (n, n_classes) for ``{"predict_method": "predict_proba"}``.

        Raises
        ------
        ValueError
            If the method is another one; MLflow's server answers with the text.
        """
        method = (params or {}).get(PREDICT_METHOD, PREDICT_METHODS[0])
        if method not in PREDICT_METHODS:
            raise ValueError(f"{PREDICT_METHOD}: must be one of {', '.join(PREDICT_METHODS)}, got {method!r}")
        return getattr(self.estimator, method)(data)


def _load_pyfunc(path: str) -> ServedModel:
    """Load a model; MLflow calls this with the path of its file."""
    from mlflow.sklearn import _load_pyfunc as load

    _let_server_read_csv()
    return ServedModel(load(path).get_raw_model())


def _let_server_read_csv() -> None:
    """Let MLflow's scoring server, in its process, read CSV for columns of any type.

    Its own parser wants a pandas type for each column and refuses other signatures. Such a table is read as
    `automl.read_table` reads it: pandas' guess would lose leading zeros and categories named "NA".
    """
    server = sys.modules.get(_SERVER)
    parse = getattr(server, "parse_csv_input", None)
    if server is not None and parse is not None and not getattr(parse, "of_automl", False):
        server.parse_csv_input = _parser(parse)  # type: ignore[attr-defined]


def _parser(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Return a parser of CSV for signatures with columns of any type; ``parse`` reads all others."""

    def parse_csv_input(csv_input: Any, schema: Any = None) -> Any:
        if schema is None or not _are_of_any_type(schema):
            return parse(csv_input, schema)
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import BAD_REQUEST

        from automl.table import read_csv_text

        text = csv_input.read() if hasattr(csv_input, "read") else csv_input
        try:
            return read_csv_text(text if isinstance(text, bytes) else text.encode())
        except ValueError as error:
            message = f"The input is no table with names in its first line: {error}"
            raise MlflowException(message, error_code=BAD_REQUEST) from error

    parse_csv_input.of_automl = True  # type: ignore[attr-defined]
    return parse_csv_input


def _are_of_any_type(schema: Any) -> bool:
    from mlflow.types.schema import AnyType

    return all(isinstance(getattr(column, "type", None), AnyType) for column in schema.inputs)
