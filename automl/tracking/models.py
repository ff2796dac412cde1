"""Write, log, register and find MLflow models."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.errors import AutomlError, NoModelError, StoreError, public_cause
from automl.persistence import dump_skops, needed_types
from automl.tracking.model_code import code_archive, requirements
from automl.tracking.pyfunc import LOADER, PREDICT_METHOD, PREDICT_METHODS
from automl.tracking.read_runs import get_run
from automl.tracking.registry import register
from automl.tracking.store import open_store, quiet, resolve_uri

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

__all__ = ["fetch_model", "find_model", "log_model", "read_example", "warm_up", "write_model"]

# pandas' names of the column types that MLflow supports.
_KNOWN = ("string", "floating", "integer", "boolean", "datetime64", "datetime", "date", "mixed-integer-float")
_EXAMPLE_ROWS = 5
_CODE = "code/automl.zip"  # MLflow lets Python import from it


def write_model(
    estimator: Any,
    folder: Path,
    X_example: pd.DataFrame,
    metadata: Mapping[str, Any],
    trusted: Sequence[str] = (),
    *,
    with_code: bool = True,
    **identity: Any,
) -> None:
    """Write a fitted pipeline as an MLflow model folder in skops format.

    Parameters
    ----------
    estimator : estimator
        A fitted scikit-learn pipeline.
    folder : Path
        Must not exist, or be empty.
    X_example : DataFrame, or array for a sparse table
        Some rows of the table; the signature comes from them, the first five become the input example.
    metadata : mapping
        Saved with the model as plain values; ``automl_version`` is added.
    trusted : sequence of str
        Types besides those of automl and scikit-learn that it may hold.
    with_code : bool
        Whether the folder has a copy of the code of this package.
    **identity
        Arguments of ``mlflow.models.Model`` that link it to a run.

    Raises
    ------
    SettingError
        If the pipeline holds types that are not trusted.
    StoreError
        If skops or MLflow cannot write it.
    """
    try:
        _write(
            estimator, folder, X_example, metadata, trusted, code_archive() if with_code else b"", identity
        )
    except AutomlError:
        raise
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StoreError(f"the model cannot be written: {reason}") from public_cause(error)


def _write(
    estimator: Any,
    folder: Path,
    X_example: pd.DataFrame,
    metadata: Mapping[str, Any],
    trusted: Sequence[str],
    code: bytes,
    identity: dict[str, Any],
) -> None:
    from automl.version import __version__

    with tempfile.TemporaryDirectory() as scratch, quiet():
        file = Path(scratch) / "model.skops"
        dump_skops(estimator, file)
        names = needed_types(file, trusted)
        import mlflow.sklearn
        from mlflow.models import Model
        from sklearn.dummy import DummyClassifier

        example = _known_example(X_example) if hasattr(X_example, "apply") else X_example
        probabilities = hasattr(estimator, "predict_proba")
        model = Model(metadata={**_plain(metadata), "automl_version": __version__}, **identity)
        # MLflow writes a small model, which the file above replaces: large ones take seconds to write and to read.
        mlflow.sklearn.save_model(
            DummyClassifier(),
            str(folder),
            mlflow_model=model,
            serialization_format="skops",
            skops_trusted_types=names,
            signature=_signature(example, _predictions(estimator, X_example), probabilities=probabilities),
            input_example=example[:_EXAMPLE_ROWS],
            # Without requirements, MLflow would load the model in another process to infer them.
            pip_requirements=requirements([*names, *trusted]),
        )
        if code:
            (folder / _CODE).parent.mkdir()
            (folder / _CODE).write_bytes(code)
            for flavor in model.flavors.values():
                flavor["code"] = _CODE
        model.flavors["python_function"]["loader_module"] = LOADER
        shutil.move(file, folder / model.flavors["sklearn"]["pickled_model"])
        model.model_size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        model.save(str(folder / "MLmodel"))


@cache
def warm_up() -> None:
    """Write a tiny model to a temporary folder, once: the first one imports MLflow's and skops' parts for a second."""
    import pandas as pd
    from sklearn.dummy import DummyClassifier

    example = pd.DataFrame({"x": [0.0, 1.0]})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:  # the process may end meanwhile
        model = DummyClassifier().fit(example, [0, 1])
        write_model(model, Path(scratch) / "model", example, {}, with_code=False)


def read_example(folder: Path) -> pd.DataFrame:
    """Return the input example of a model folder.

    Raises
    ------
    StoreError
        If MLflow cannot read it.
    """
    with quiet():
        from mlflow.models import Model

        try:
            example: pd.DataFrame = Model.load(str(folder)).load_input_example(str(folder))
        except Exception as error:
            raise StoreError(f"the input example of {folder} cannot be read: {error}") from error
    return example


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata as plain values for YAML; unknown objects become text."""
    text = json.dumps(dict(metadata), default=lambda x: x.tolist() if hasattr(x, "tolist") else str(x))
    return dict(json.loads(text))


def _known_example(X_example: pd.DataFrame) -> pd.DataFrame:
    """Return rows with the columns that MLflow has no type for as text; those of plain numbers are not looked at."""
    changed = {}
    for name, dtype in X_example.dtypes.items():
        if isinstance(dtype, np.dtype) and dtype.kind in "fibM":
            continue
        column = X_example[name]
        if (found := _known_to_mlflow(column)) is not column:
            changed[name] = found
    known = X_example.copy() if changed else X_example
    for name, found in changed.items():
        known[name] = found
    return known


def _known_to_mlflow(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column, as text if MLflow has no type for it (times, decimals, intervals, ...)."""
    import pandas as pd

    if isinstance(column.dtype, pd.SparseDtype):
        column = pd.Series(column.to_numpy(), column.index, name=column.name)
    if column.dtype == "uint64":
        return column.astype("float64")
    if column.dtype.kind == "m":
        seconds: pd.Series[Any] = column.dt.total_seconds()  # models use durations as seconds
        return seconds
    cells = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    if column.isna().all() or pd.api.types.infer_dtype(cells, skipna=True) in _KNOWN:
        return column
    return column.astype(object).map(str, na_action="ignore")


def _predictions(estimator: Any, X_example: Any) -> Any:
    """Return predictions for some rows; the labels of a classifier have their type, and wide tables take seconds."""
    labels = getattr(estimator, "classes_", None)
    return estimator.predict(X_example) if labels is None else labels


def _signature(X_example: pd.DataFrame, predictions: Any, *, probabilities: bool) -> ModelSignature:
    """Return the signature of a model: every column is optional and of any type.

    The pipeline converts and checks its columns itself. MLflow's types would refuse valid input: whole numbers
    with missing ones among them, categories, dates as text or with a time zone. A model with probabilities has a
    parameter for them.
    """
    from mlflow.models import ModelSignature, infer_signature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    outputs = infer_signature(model_output=predictions).outputs
    params = (
        ParamSchema([ParamSpec(PREDICT_METHOD, DataType.string, PREDICT_METHODS[0])])
        if probabilities
        else None
    )
    inputs = (
        Schema([ColSpec(AnyType(), name, required=False) for name in X_example.columns])
        if hasattr(X_example, "columns")
        else infer_signature(model_input=X_example).inputs  # an array, for a sparse table
    )
    return ModelSignature(inputs=inputs, outputs=outputs, params=params)


def log_model(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    estimator: Any,
    X_example: pd.DataFrame,
    *,
    registered_model_name: str | None,
    metadata: Mapping[str, Any],
    trusted: Sequence[str],
) -> str:
    """Write a model into the store as an output of a run, register it, and return its URI."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    plain = {name: str(value) for name, value in metadata.items()}
    model = client.create_logged_model(experiment_id, name="model", source_run_id=run_id, tags=plain)
    identity = {"artifact_path": model.artifact_location, "run_id": run_id}
    identity |= {"model_uuid": model.model_id, "model_id": model.model_id}
    folder = _local_folder(model.artifact_location)
    if folder is not None:  # the files are written once
        write_model(estimator, folder, X_example, metadata, trusted, **identity)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "model"
            write_model(estimator, folder, X_example, metadata, trusted, **identity)
            client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    client.set_tag(run_id, "automl.model_uri", model.model_uri)
    if registered_model_name is not None:
        register(client, registered_model_name, model, run_id, metadata)
    return str(model.model_uri)


def _local_folder(location: str) -> Path | None:
    """Return the folder that a location of artifacts names; None for another kind of place."""
    from mlflow.utils.file_utils import local_file_uri_to_path
    from mlflow.utils.uri import is_local_uri

    if not is_local_uri(location, is_tracking_or_registry_uri=False):
        return None
    return Path(local_file_uri_to_path(location))


def find_model(run_id: str, tracking_uri: str | None = None) -> str:
    """Return the URI of the model of a search.

    Parameters
    ----------
    run_id : str
        The run of the search, or of its best trial.
    tracking_uri : str or None
        The store; None for `default_tracking_uri`.

    Returns
    -------
    str
        ``models:/m-...``, for `fetch_model`.

    Raises
    ------
    SettingError
        If there is no such run.
    NoModelError
        If the run has no model; the message names the run that has.
    StoreError
        If there is no such store.
    """
    uri = resolve_uri(tracking_uri)
    client = open_store(uri, create=False)
    run = get_run(client, run_id, uri)
    if run.data.tags.get("automl.kind") == "trial":
        parent_id = run.data.tags["mlflow.parentRunId"]
        search = get_run(client, parent_id, uri)
        best_id = search.data.tags.get("automl.best_run_id")
        if best_id != run_id:
            winner = f", that of the winning trial is {best_id}" if best_id else ""
            raise NoModelError(
                f"Run {run_id} is the trial {run.info.run_name!r}, and only a search's winner is kept as a "
                f"model. The run of its search is {parent_id}{winner}."
            )
        run = search
    model_uri = run.data.tags.get("automl.model_uri")
    if model_uri is None:
        state = run.info.status.lower()
        raise NoModelError(
            f"Run {run.info.run_id} ({run.info.run_name!r}, {state}) holds no model: its search has not "
            "finished, was not refitted, or no trial of it completed."
        )
    return str(model_uri)


def fetch_model(model_uri: str, folder: Path, tracking_uri: str | None = None) -> Path:
    """Copy a model out of a store.

    Parameters
    ----------
    model_uri : str
        ``models:/m-...``, or ``models:/name/version`` or ``models:/name@alias`` of MLflow's registry.
    folder : Path
        The target folder; created if missing.
    tracking_uri : str or None
        The store; None for `default_tracking_uri`.

    Returns
    -------
    Path
        The MLflow model folder.

    Raises
    ------
    StoreError
        If there is no such model or store.
    """
    uri = resolve_uri(tracking_uri)
    client = open_store(uri, create=False)
    with quiet():
        from mlflow.artifacts import download_artifacts

        try:
            # MLflow would resolve the URI in its global store, so it gets the location.
            place = _place(client, model_uri)
            folder.mkdir(parents=True, exist_ok=True)
            return Path(download_artifacts(place, dst_path=str(folder), tracking_uri=uri, registry_uri=uri))
        except Exception as error:
            raise StoreError(
                f"{model_uri} cannot be read from {uri}: {str(error).strip()}"
            ) from public_cause(error)


def _place(client: MlflowClient, model_uri: str) -> str:
    name, _, number = model_uri.removeprefix("models:/").strip("/").partition("/")
    if "@" in name:
        name, _, alias = name.partition("@")
        number = str(client.get_model_version_by_alias(name, alias).version)
    if number:
        return str(client.get_model_version_download_uri(name, number))
    return str(client.get_logged_model(name).artifact_location)
