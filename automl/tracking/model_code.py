"""Code and requirements that a model carries for another environment."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import packages_distributions, version
from pathlib import Path

__all__ = ["code_paths", "requirements"]

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


def code_paths() -> list[str]:
    """Return the folders of code that a model carries, so that it loads where this package is not installed."""
    package = Path(__file__).resolve().parents[1]
    spaces = package.parent / "search_spaces"  # beside the package in a checkout, inside it when installed
    return [str(package), *([] if (package / "search_spaces").is_dir() else [str(spaces)])]


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
