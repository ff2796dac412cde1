"""Tags about where a search ran: user, versions, machine."""

from __future__ import annotations

import getpass
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version

from automl.version import __version__

__all__ = ["origin", "surroundings"]

_PACKAGES = ("catboost", "lightgbm", "mlflow", "numpy", "optuna", "pandas", "scikit-learn", "xgboost")


def origin() -> dict[str, str]:
    """Return the tags that MLflow shows as a run's user and source."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        user = "unknown"
    return {"mlflow.user": user, "mlflow.source.name": "automl", "mlflow.source.type": "LOCAL"}


def surroundings() -> dict[str, str]:
    """Return tags with the versions of packages and the machine."""
    system = f"{platform.system()} {platform.machine()}"
    return {
        "automl.version": __version__,
        "automl.python": platform.python_version(),
        "automl.packages": json.dumps({name: found for name in _PACKAGES if (found := _version(name))}),
        "automl.machine": f"{platform.node()}: {system}, {os.cpu_count()} CPUs{_memory()}",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _memory() -> str:
    try:
        return f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (AttributeError, ValueError, OSError):  # Windows
        return ""
