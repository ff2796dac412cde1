"""Encoders of categorical columns, in one table.

To add an encoder, write a function that returns a scikit-learn transformer and add one row to `ENCODERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import KFold
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

__all__ = ["ENCODERS", "Encoder", "EncoderContext"]

_TARGET_TYPES = {"binary": "binary", "multiclass": "multiclass", "regression": "continuous", None: "auto"}


@dataclass(frozen=True)
class EncoderContext:
    """Facts that an encoder may use.

    Parameters
    ----------
    settings : mapping
        The section ``categorical`` of the preprocessing, defaults included.
    task : {"binary", "multiclass", "regression"} or None
        The task, where it is known.
    random_state : int
        Seed of the search.
    """

    settings: Mapping[str, Any]
    task: str | None
    random_state: int


@dataclass(frozen=True)
class Encoder:
    """One row of the table.

    Parameters
    ----------
    build : callable
        ``EncoderContext -> transformer``, not fitted, from columns of categories to numbers.
    scaled : bool
        Whether its columns are scaled like numeric ones.
    """

    build: Callable[[EncoderContext], Any]
    scaled: bool = True


def _onehot(context: EncoderContext) -> Any:
    return OneHotEncoder(
        max_categories=context.settings["max_categories"],
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
        dtype=np.float32,
    )


def _ordinal(context: EncoderContext) -> Any:
    return OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2, dtype=np.float64
    )


def _target(context: EncoderContext) -> Any:
    folds = KFold(5, shuffle=True, random_state=context.random_state)
    return TargetEncoder(target_type=_TARGET_TYPES[context.task], cv=folds)


ENCODERS: dict[str, Encoder] = {
    "onehot": Encoder(_onehot, scaled=False),
    "ordinal": Encoder(_ordinal),
    "target": Encoder(_target),
}
