"""Read an MLflow model folder that may be damaged or crafted, without leaving it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from automl.errors import Fault, SettingError

__all__ = ["read_metadata", "skops_path", "warn_of_other_versions"]

_LARGEST = 1 << 24  # bytes of an MLmodel file; one of 10,000 columns takes 1 MB
_MOST_EVENTS = 100_000  # values and ends of lists; a model of ours has a hundred
_DEEPEST = 50
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where libyaml is
_AGAIN = "Export the model again."


def read_metadata(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's MLmodel file.

    Raises
    ------
    SettingError
        If there is no such folder or file, or it holds no YAML mapping.
    """
    if not _exists(folder):
        raise SettingError(
            Fault("model", "must be a folder that exists", _short(folder), "Export one first.")
        )
    file = folder / "MLmodel"
    if not file.is_file():
        remedy = "Name the folder that `export` made; it holds a file called MLmodel."
        raise SettingError(Fault("model", "must be an MLflow model folder", str(folder), remedy))
    file = _inside(folder, "MLmodel")
    try:
        content = _load_yaml(file)
    except (
        Exception
    ) as error:  # YAML's own errors; and ValueError, RecursionError, ... of the values it makes
        came = f"a damaged file ({type(error).__name__})"
        raise SettingError(Fault(str(file), "must be a YAML mapping", came, _AGAIN)) from error
    if not isinstance(content, dict):
        raise SettingError(Fault(str(file), "must be a YAML mapping", f"a {type(content).__name__}", _AGAIN))
    return content


def skops_path(folder: Path, content: Mapping[str, Any]) -> Path:
    """Return the skops file that a folder's MLmodel file names.

    Raises
    ------
    SettingError
        If the model is in another format, or the file is missing or outside the folder.
    """
    flavor = _mapping(_mapping(content.get("flavors")).get("sklearn"))
    if flavor.get("serialization_format") != "skops":
        remedy = "Load it with mlflow.sklearn.load_model if you trust where it comes from."
        raise SettingError(
            Fault(str(folder), "must be a scikit-learn model in skops format", "another format", remedy)
        )
    return _inside(folder, flavor.get("pickled_model"))


def warn_of_other_versions(content: Mapping[str, Any]) -> None:
    """Warn if a model was written with another minor version of scikit-learn or automl."""
    import sklearn

    from automl.version import __version__

    written_with = _mapping(_mapping(content.get("flavors")).get("sklearn")).get("sklearn_version")
    ours = _mapping(content.get("metadata")).get("automl_version")
    for name, written, here in (
        ("scikit-learn", written_with, sklearn.__version__),
        ("automl-orchestrator", ours, __version__),
    ):
        if (
            re.fullmatch(r"[\w.+!-]{1,40}", str(written or ""))
            and str(written).split(".")[:2] != here.split(".")[:2]
        ):
            warnings.warn(
                f"The model was written with {name} {written}, this is {name} {here}: predictions may "
                f"differ. Install {name}=={written}, or train it again.",
                stacklevel=4,
            )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _short(name: Any) -> str:
    """Return a name of a message, without what a terminal would act on."""
    text = name if str(name).isprintable() else repr(name)
    return str(text)[:200]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or that holds a NUL
        return False


def _inside(folder: Path, name: Any) -> Path:
    """Return a file of a folder; links and names that lead out of it are refused."""
    rule = "must be the name of a file in the folder of the model"
    if not isinstance(name, str) or not name or "\0" in name:
        raise SettingError(Fault(f"{folder}, pickled_model", rule, _short(name), _AGAIN))
    try:
        file = (folder / name).resolve()
        inside = file.is_relative_to(folder.resolve())
        found = inside and file.is_file()
    except (OSError, RuntimeError) as error:  # a name that is too long; links in a circle
        raise SettingError(Fault(f"{folder}, pickled_model", rule, _short(name), _AGAIN)) from error
    if not inside:
        raise SettingError(Fault(f"{folder}, pickled_model", rule, _short(name), _AGAIN))
    if not found:
        raise SettingError(Fault(str(folder), f"must hold {name[:100]}", "a folder without it", _AGAIN))
    return file


def _load_yaml(file: Path) -> Any:
    if file.stat().st_size > _LARGEST:
        raise ValueError(f"more than {_LARGEST:,} bytes")
    text, depth = file.read_text(encoding="utf-8"), 0
    # Events first: a value that is nested too deep would end the process when it is made.
    for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        opens = isinstance(event, yaml.CollectionStartEvent)
        depth += opens - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST or number > _MOST_EVENTS:
            raise ValueError("too deep or too long")
    return yaml.load(text, Loader=_LOADER)  # a safe loader: plain values only
