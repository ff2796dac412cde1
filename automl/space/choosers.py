"""Who chooses: an Optuna trial, or a random generator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from automl.space.index import takes
from automl.space.nodes import Branches, Choices, Node, Range
from automl.space.walk import Scalar, labels, range_path

__all__ = ["RandomChooser", "TrialChooser", "encode", "slots"]

_MOST_SLOTS = 60


class RandomChooser:
    """Draws from the space as it is written, weights and logarithms included.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers come from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def option(self, path: str, options: list[Scalar], weights: tuple[float, ...] | None) -> int:
        """Draw an option by its weight."""
        shares = None if weights is None else np.asarray(weights) / np.sum(weights)
        return int(self.rng.choice(len(options), p=shares))

    def number(self, path: str, node: Range) -> float:
        """Draw a number; of a fidelity the whole of it."""
        if node.fidelity:
            return node.last
        if node.step:
            return node.nth(int(self.rng.integers(node.points or 1)))
        # Whole numbers own half a unit to either side, so that the ends are as likely as their neighbours.
        margin = 0.5 if node.integer else 0.0
        low, high = node.low - margin, node.high + margin
        drawn = (
            math.exp(self.rng.uniform(math.log(low), math.log(high)))
            if node.log
            else self.rng.uniform(low, high)
        )
        drawn = min(max(drawn, node.low), node.high)
        return round(drawn) if node.integer else drawn


class TrialChooser:
    """Asks an Optuna trial, or anything with its three ``suggest`` methods.

    Options are asked for in the order of their text, so that spaces with the same digest ask the same.
    Optuna knows no weights; an option with a greater one is given more categories, which is the prior its
    samplers start from.

    Parameters
    ----------
    trial : optuna.trial.BaseTrial
        The trial.
    """

    def __init__(self, trial: Any) -> None:
        self.trial = trial

    def option(self, path: str, options: list[Scalar], weights: tuple[float, ...] | None) -> int:
        """Suggest one of the options."""
        categories = slots(options, weights)
        return categories[self.trial.suggest_categorical(path, list(categories))]

    def number(self, path: str, node: Range) -> float:
        """Suggest a number; a fidelity is not asked for, it is given whole."""
        if node.fidelity:
            return node.last
        if node.integer:
            step = 1 if node.step is None else int(node.step)
            return int(self.trial.suggest_int(path, int(node.low), int(node.last), step=step, log=node.log))
        return float(self.trial.suggest_float(path, node.low, node.last, step=node.step, log=node.log))


def encode(node: Node, path: str, value: Any) -> dict[str, Any]:
    """Return what `TrialChooser` would have been answered, by name, where ``value`` came out.

    Empty for what is not asked: constants, fidelities, and the only branch there is.
    """
    match node:
        case Range() if not node.fidelity:
            return {path: value}
        case Branches(branches) if len(branches) > 1:
            return {path: value}
        case Choices(options):
            index = next(index for index, option in enumerate(options) if takes(option, value))
            return {path: labels(node)[index], **encode(options[index], range_path(path, node, index), value)}
        case _:
            return {}


def slots(options: list[Scalar], weights: tuple[float, ...] | None) -> dict[Scalar, int]:
    """Return Optuna's categories, each with the position of its option.

    Examples
    --------
    >>> slots(["mlp", "linear"], (1.0, 2.0))
    {'linear': 1, 'linear (2)': 1, 'mlp': 0}
    """
    counts = _counts(weights) if weights else [1] * len(options)
    order = sorted(range(len(options)), key=lambda i: (isinstance(options[i], str), str(options[i])))
    found: dict[Scalar, int] = {}
    for index in order:
        for copy in range(1, counts[index] + 1):
            found[options[index] if copy == 1 else f"{options[index]} ({copy})"] = index
    return found


def _counts(weights: tuple[float, ...]) -> list[int]:
    """Return the small whole numbers nearest to the weights' proportions."""
    shares = np.asarray(weights) / min(weights)
    shares = np.minimum(shares, _MOST_SLOTS / len(weights))
    errors = {
        scale: float(np.max(np.abs(shares * scale - np.round(shares * scale)) / shares))
        for scale in range(1, 11)
        if scale == 1 or scale * shares.sum() <= _MOST_SLOTS
    }
    scale = min(errors, key=lambda scale: (round(errors[scale], 2), scale))
    return [max(1, round(share * scale)) for share in shares.tolist()]
