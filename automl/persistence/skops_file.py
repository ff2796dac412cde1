"""Read skops files that may be damaged or crafted: explicit types only, no functions, one kind of error."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile

from automl.errors import AutomlError, Fault, SettingError
from automl.persistence.known_types import KNOWN_TYPES
from automl.persistence.moved import MOVED
from automl.persistence.trees import check_trees

__all__ = ["load_skops", "needed_types", "trusted_types"]

_SCHEMA = "schema.json"
# A file must not unpack to more than this many times its size: skops compresses nothing by default.
_MAX_RATIO = 100
_MIN_LIMIT = 1 << 26  # bytes that any file may unpack to


def trusted_types() -> list[str]:
    """Return the types that models of searches may hold, for loaders and writers of skops files by others.

    LightGBM, CatBoost and XGBoost are among them. Functions are not, and no type that runs code of a file.

    Returns
    -------
    list of str
        Full names.

    Examples
    --------
    In a run of your own::

        mlflow.sklearn.log_model(search.best_estimator_, skops_trusted_types=automl.trusted_types())
    """
    return sorted(KNOWN_TYPES)


def needed_types(file: Path | BinaryIO, trusted: Sequence[str] = ()) -> list[str]:
    """Return the types of a skops file that need explicit trust.

    Parameters
    ----------
    file : Path or binary file
        A file written by skops.
    trusted : sequence of str
        Types to trust besides `KNOWN_TYPES`, by full name; or packages, with everything in them.

    Returns
    -------
    list of str
        Full names.

    Raises
    ------
    SettingError
        If the file holds other types, or any function; all of them are named.
    """
    import skops.io

    needed: list[str] = skops.io.get_untrusted_types(file=file)
    unknown = [name for name in needed if not _is_trusted(name, trusted)]
    if unknown:
        remedy = f"If they are safe to load, pass them: trusted={unknown!r}."
        raise SettingError(
            Fault(
                "the model", "must hold known types of scikit-learn and automl only", _shown(unknown), remedy
            )
        )
    return needed


def load_skops(file: Path, trusted: Sequence[str] = ()) -> Any:
    """Load an estimator from a skops file without running code from it.

    Types and the indices of trees are checked. Other arrays are not: crafted numbers can crash the native code
    of scikit-learn.

    Parameters
    ----------
    file : Path
        A file written by skops, by this version of automl or an earlier one.
    trusted : sequence of str
        As in `needed_types`.

    Returns
    -------
    estimator
        With ``predict``.

    Raises
    ------
    SettingError
        If the file is damaged, or holds types that are not trusted.
    """
    import skops.io

    try:
        current = _with_current_names(file)
        model = skops.io.load(current, trusted=needed_types(current, trusted))
        check_trees(model)
        complete = callable(getattr(model, "predict", None))
    except AutomlError:
        raise
    except (
        Exception
    ) as error:  # zip, JSON, NumPy, skops and every class in the file raise errors of their own
        raise SettingError(_damaged(file, f"{type(error).__name__}: {error}")) from error
    if not complete:
        raise SettingError(_damaged(file, f"a {type(model).__name__} without predict"))
    return model


def _is_trusted(name: str, trusted: Sequence[str]) -> bool:
    return name in KNOWN_TYPES or name in trusted or name.partition(".")[0] in trusted


def _damaged(file: Path, came: str) -> Fault:
    return Fault(str(file), "must be a fitted model that skops can read", _shown([came]), "Export it again.")


def _shown(texts: Sequence[str], longest: int = 300) -> str:
    """Return texts from a file without control characters, which terminals would interpret."""
    line = ", ".join(texts).strip().partition("\n")[0]
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= longest else f"{line[:longest]}..."


def _with_current_names(file: Path) -> Path | io.BytesIO:
    """Return a skops file, or a copy in memory if classes in it have moved since it was written."""
    with ZipFile(file) as source:
        unpacked = sum(member.file_size for member in source.infolist())
        if unpacked > max(_MIN_LIMIT, _MAX_RATIO * file.stat().st_size):
            raise ValueError(f"it unpacks to {unpacked:,} bytes")
        schema = json.loads(source.read(_SCHEMA))
        moved = [node for node in _nodes(schema) if _name(node) in MOVED]
        if not moved:
            return file
        for node in moved:
            node["__module__"], _, node["__class__"] = MOVED[_name(node)].rpartition(".")
        copy = io.BytesIO()
        with ZipFile(copy, "w", ZIP_STORED) as target:
            for name in source.namelist():
                target.writestr(name, json.dumps(schema) if name == _SCHEMA else source.read(name))
    copy.seek(0)
    return copy


def _name(node: dict[str, Any]) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}"


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping of a schema."""
    rest = [schema]
    while rest:
        node = rest.pop()
        if isinstance(node, dict):
            yield node
            rest += node.values()
        elif isinstance(node, list):
            rest += node
