"""Checks of the data that a training is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.descent.config import Architecture
from automl.descent.kernels import Array
from automl.descent.losses import Loss
from automl.descent.records import Snapshot
from automl.errors import Fault, InputError

__all__ = ["check_data", "check_snapshots", "mean_one"]


def mean_one(sample_weight: Any, n: int) -> Array:
    """Return row weights ``(n,)`` of mean one."""
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, float)
    return np.asarray(weight / weight.mean())


def check_data(
    loss: Loss, architecture: Architecture, X: Any, y: Array, sample_weight: Any, n_outputs: int
) -> None:
    """Raise one `InputError` with every rule that the data of a training breaks."""
    if getattr(X, "ndim", 0) != 2:
        raise InputError(Fault("X", "must have two dimensions", str(getattr(X, "shape", type(X).__name__))))
    found, n, codes = [], X.shape[0], max(2, n_outputs)
    if len(architecture.categories) > X.shape[1]:
        rule = f"must have a column for each of {len(architecture.categories)} categories"
        found.append(Fault("X", rule, f"{X.shape[1]} columns"))
    if y.shape != (n,) or not n:
        found.append(Fault("y", f"must have one value for each of {n} rows, at least one", str(y.shape)))
    elif y.dtype.kind not in "iuf":
        found.append(Fault("y", "must be numbers", str(y.dtype)))
    elif rule := loss.target_error(y):
        found.append(Fault("y", rule, f"values from {y.min()} to {y.max()}"))
    elif "regression" not in loss.tasks and y.max() >= codes:
        found.append(Fault("y", f"must be codes below {codes}", str(y.max())))
    one, several = loss.tasks & {"binary", "regression"}, loss.tasks & {"multiclass"}
    if n_outputs < 1 or not (one if n_outputs == 1 else several):
        rule = " or ".join(name for name, tasks in (("1", one), ("the number of classes", several)) if tasks)
        found.append(Fault("n_outputs", f"must be {rule} for the loss {architecture.loss}", str(n_outputs)))
    if sample_weight is not None:
        weight = np.asarray(sample_weight, float)
        if weight.shape != (n,) or not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
            rule = "must be one finite number of at least 0 a row, not all 0"
            found.append(Fault("sample_weight", rule, "others"))
    if found:
        raise InputError(found)


def check_snapshots(snapshots: Sequence[Snapshot], k: int, p: int) -> None:
    """Raise an `InputError` unless there are ``k`` snapshots of ``p`` parameters."""
    sizes = [snapshot.theta.shape for snapshot in snapshots]
    if sizes != [(p,)] * k:
        rule = f"must be a snapshot of {p} parameters for each of {k} configs"
        remedy = "Columns, outputs and layers must be those of the training it was taken from."
        raise InputError(Fault("resume", rule, f"shapes {sizes}", remedy))
