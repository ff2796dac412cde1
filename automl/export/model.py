"""Save, export and load model folders."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from automl.errors import Fault, NoModelError, SettingError, StoreError
from automl.export.folder import read_metadata, skops_path, warn_of_other_versions
from automl.export.onnx import save_onnx
from automl.persistence import load_skops
from automl.tracking import fetch_model, find_model, read_example, write_model

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ModelFormat",
    "What",
    "check_new_folder",
    "export_run",
    "load_model",
    "model_metadata",
    "save_model",
]

What = Literal["auto", "best", "ensemble"]
ModelFormat = Literal["mlflow", "onnx"]


def check_new_folder(path: str | Path) -> None:
    """Check that a model can be written to a folder.

    Parameters
    ----------
    path : str or Path
        The folder.

    Raises
    ------
    SettingError
        If it is a file, or is not empty.
    """
    folder = Path(path)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        came = f"{path}, {'a file' if folder.is_file() else 'a folder with files'}"
        raise SettingError(
            Fault("the folder of a model", "must be new or empty", came, "Name another folder, or remove it.")
        )


def save_model(
    estimator: Any,
    path: str | Path,
    X_example: pd.DataFrame,
    metadata: Mapping[str, Any],
    trusted: Sequence[str] = (),
) -> Path:
    """Write a fitted pipeline as an MLflow model folder.

    Parameters
    ----------
    estimator : estimator
        A fitted scikit-learn pipeline.
    path : str or Path
        A new or empty folder.
    X_example : DataFrame
        Some rows of the table, for the signature and the input example.
    metadata : mapping
        Saved with the model as plain values, e.g. task, target, classes, scoring. ``automl_version`` is added.
    trusted : sequence of str
        Types besides those of automl and scikit-learn that the pipeline may hold, by full name.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    SettingError
        If the folder is not empty, or the pipeline holds types that are not trusted.
    StoreError
        If it cannot be written.
    """
    with _whole(Path(path)) as folder:
        write_model(estimator, folder, X_example, metadata, trusted)
    return Path(path)


def export_run(
    run_id: str,
    path: str | Path,
    tracking_uri: str | None = None,
    what: What = "auto",
    trusted: Sequence[str] = (),
    format: ModelFormat = "mlflow",
) -> Path:
    """Copy the model of a search from its tracking store to a folder, or write it as an ONNX file.

    Parameters
    ----------
    run_id : str
        The run of the search, or of its best trial.
    path : str or Path
        A new or empty folder.
    tracking_uri : str or None
        The store; None for the default one.
    what : {"auto", "best", "ensemble"}
        The model that the search predicts with, its best pipeline, or its ensemble.
    trusted : sequence of str
        As in `load_model`; used to take the best pipeline out of an ensemble, and for ONNX.
    format : {"mlflow", "onnx"}
        The form of the model; ``path`` is a new file for ONNX.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    NoModelError
        If the run holds no such model.
    SettingError
        If there is no such run, or the folder is not empty.
    StoreError
        If there is no such store, or the folder cannot be written.
    """
    if format == "onnx":
        with tempfile.TemporaryDirectory() as scratch:
            folder = export_run(run_id, Path(scratch) / "model", tracking_uri, what, trusted)
            model, metadata = load_model(folder, trusted=trusted), model_metadata(folder)
            return save_onnx(model, path, read_example(folder), metadata)
    model_uri = find_model(run_id, tracking_uri)
    with _whole(Path(path)) as folder, tempfile.TemporaryDirectory() as scratch:
        fetched = fetch_model(model_uri, Path(scratch), tracking_uri)
        members = model_metadata(fetched).get("members")
        if what == "ensemble" and not members:
            raise NoModelError(f"the search of run {run_id} has no ensemble: its model is one pipeline")
        if what == "best" and members:
            _write_best(fetched, folder, trusted)
        else:
            shutil.copytree(fetched, folder, dirs_exist_ok=True)
    return Path(path)


def _write_best(ensemble: Path, folder: Path, trusted: Sequence[str]) -> None:
    """Write the best trial's pipeline, one of the members of an ensemble, as a model folder."""
    from sklearn.pipeline import Pipeline

    metadata, model = model_metadata(ensemble), load_model(ensemble, trusted=trusted)
    numbers = [number for number, _ in metadata.pop("members")]
    if metadata["trial"] not in numbers:
        rule = "must be a member of the ensemble to be taken out of it"
        raise SettingError(
            Fault("the best trial", rule, "another one", "Use Search.export after the search.")
        )
    member = model.members_[numbers.index(metadata["trial"])]
    pipeline = Pipeline([("columns", model.columns_), *member.steps])
    write_model(pipeline, folder, read_example(ensemble), metadata, trusted)


def load_model(path: str | Path, tracking_uri: str | None = None, trusted: Sequence[str] = ()) -> Any:
    """Load a pipeline that was saved, exported or logged.

    Parameters
    ----------
    path : str or Path
        The folder, or a URI ``models:/m-...`` or ``models:/name/version``.
    tracking_uri : str or None
        The store of a URI; None for the default one.
    trusted : sequence of str
        Types besides those of automl and scikit-learn that it may hold. Lists in the folder are ignored.

    Returns
    -------
    Pipeline
        Fitted, with ``predict`` and, for classification, ``predict_proba``.

    Raises
    ------
    SettingError
        If there is no such folder, it is damaged, or it holds types that are not trusted.
    StoreError
        If a URI cannot be found.

    Warns
    -----
    UserWarning
        If it was written with another minor version of scikit-learn or automl.
    """
    if isinstance(path, str) and path.startswith("models:/"):
        with tempfile.TemporaryDirectory() as scratch:
            return load_model(fetch_model(path, Path(scratch), tracking_uri), trusted=trusted)
    content = read_metadata(Path(path))
    file = skops_path(Path(path), content)
    warn_of_other_versions(content)
    return load_skops(file, trusted)


def model_metadata(path: str | Path) -> dict[str, Any]:
    """Return the metadata of a model: task, target, classes, versions.

    Parameters
    ----------
    path : str or Path
        A model folder.

    Returns
    -------
    dict
        The metadata of `save_model`, with ``automl_version``.

    Raises
    ------
    SettingError
        If there is no such folder, or it is no MLflow model.
    """
    metadata = read_metadata(Path(path)).get("metadata")
    return metadata if isinstance(metadata, dict) else {}


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``, and rename it to ``path`` on success."""
    check_new_folder(path)
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.absolute().parent) as scratch:
            folder = Path(scratch) / "model"
            yield folder
            folder.replace(path)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
