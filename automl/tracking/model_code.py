"""Code and requirements that a model carries for another environment."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

__all__ = ["code_archive", "requirements"]

# Distributions that a loaded pipeline imports, and those that load it.
_ALWAYS = ("mlflow", "numpy", "pandas", "pydantic", "scikit-learn", "skops", "skrub", "typing-extensions")
_CARRIED = (
    "automl",
    "builtins",
    "collections",
    "numpy",
    "scipy",
    "sklearn",
)  # packages that need no line more


@cache
def code_archive() -> bytes:
    """Return the code that a model carries, so that it loads where this package is not installed.

    It is a ZIP file, which Python imports from like from a folder: a server takes as long for each of hundreds of small
    files as for one.
    """
    package = Path(__file__).resolve().parents[1]
    if package.parent.is_file():  # this code has been imported from such a file
        return package.parent.read_bytes()
    spaces = package.parent / "search_spaces"  # beside the package in a checkout, inside it when installed
    folders = [package, *([] if (package / "search_spaces").is_dir() else [spaces])]
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for folder in folders for file in folder.rglob("*") if file.is_file()):
            if "__pycache__" not in file.parts:
                name = file.relative_to(package.parent).as_posix()
                archive.writestr(zipfile.ZipInfo(name), file.read_bytes(), zipfile.ZIP_DEFLATED)
    return found.getvalue()


def requirements(types: Sequence[str]) -> list[str]:
    """Return the distributions that a model needs, with their versions here.

    Parameters
    ----------
    types : sequence of str
        Full names of the types in the model, and packages of classes that a space named.
    """
    packages = {name.partition(".")[0] for name in types} - {*_CARRIED}
    by_package = packages_distributions() if packages else {}
    # A module imported from a folder has no distribution.
    names = {*_ALWAYS, *(name for package in packages for name in by_package.get(package, ()))}
    return [f"{name}=={version(name)}" for name in sorted(names)]
