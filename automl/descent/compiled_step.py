"""The compiled twin of a group's stepper: from gradient to step in one call for trials of several optimizers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from typing_extensions import override

from automl.descent import updates
from automl.descent.arrays import Array
from automl.descent.compiled_losses import compiled
from automl.descent.config import TrainConfig
from automl.descent.optimizers import State

__all__ = ["SeveralKinds", "go", "stepper_of"]

_f = np.float32

_SETTINGS = np.dtype(
    [(name, _f) for name in ("beta1", "beta2", "epsilon", "nesterov", "l1", "l2", "decay", "clip")]
    + [("adapts", np.bool_)]
)

_STATES: dict[str, dict[str, str]] = {
    "sgd": {},
    "momentum": {"velocity": "sum"},
    **dict.fromkeys(("adam", "adamw"), {name: name for name in ("sum", "squares", "power1", "power2")}),
}
"""Optimizers with a decaying sum of gradients, over the root of a sum of squares in Adam's: the optimizer's own
names for its state, and those here."""


@compiled
def go(rates, theta, g, mask, settings, sums, squares, power1, power2):  # type: ignore[no-untyped-def]
    """Step as `updates.Stepper` does; plain descent has a sum that keeps nothing of what was."""
    k, p = theta.shape
    for i in range(k):
        rate, h = rates[i, 0], settings[i]
        beta1, beta2, l1, l2, decay = h.beta1, h.beta2, h.l1, h.l2, h.decay
        if h.clip < np.inf:
            size = 0.0
            for j in range(p):
                size += g[i, j] * g[i, j]
            share = _f(h.clip / max(np.sqrt(size), 1e-30))
            if share < 1:
                for j in range(p):
                    g[i, j] *= share
        scale, epsilon, below = _f(0), _f(0), _f(1) - beta1
        if h.adapts:
            power1[i, 0] *= beta1
            power2[i, 0] *= beta2
            first, second = (1 - power1[i, 0]) / (_f(1) - beta1), (1 - power2[i, 0]) / (_f(1) - beta2)
            scale, epsilon, below = _f(first / np.sqrt(second)), _f(first * h.epsilon), _f(1 / first)
            for j in range(p):
                slope = g[i, j] + l2 * mask[j] * theta[i, j]
                sums[i, j] = sums[i, j] * beta1 + slope
                squares[i, j] = squares[i, j] * beta2 + slope * slope
                g[i, j] = sums[i, j] / (np.sqrt(squares[i, j]) * scale + epsilon)
        else:
            ahead, share = h.nesterov, beta1 if h.nesterov > 0 else _f(1)
            for j in range(p):
                slope = g[i, j] + l2 * mask[j] * theta[i, j]
                sums[i, j] = sums[i, j] * beta1 + slope
                g[i, j] = share * sums[i, j] + ahead * slope
        for j in range(p):
            theta[i, j] -= rate * (g[i, j] + decay * mask[j] * theta[i, j])
        if l1 > 0:
            for j in range(p):
                root = np.sqrt(squares[i, j]) * scale + epsilon if h.adapts else _f(1)
                size = abs(theta[i, j]) - l1 * mask[j] * rate / (root * below)
                theta[i, j] = np.copysign(_f(0) if size < 0 else size, theta[i, j])


class SeveralKinds(updates.Stepper):
    """Steps trials of any of the optimizers of `_STATES`."""

    @override
    def start(self, theta: Array) -> State:
        ones = np.ones((len(theta), 1))
        sums = {"sum": np.zeros_like(theta), "squares": np.zeros_like(theta)}
        return sums | {"power1": ones, "power2": ones.copy()}

    @override
    def names(self, i: int) -> Mapping[str, str]:
        return self._names[i]

    @override
    def follow(self, configs: Sequence[TrainConfig], mask: Array) -> None:
        self._names = [_STATES[config.optimizer] for config in configs]
        rows = []
        for config in configs:
            h = updates.given(config)
            beta1 = h.get("beta1", h.get("momentum", 0))
            own = beta1, h.get("beta2", 0), h.get("epsilon", 0), h.get("nesterov", 0)
            decay = config.weight_decay + h.get("weight_decay", 0)
            clip = np.inf if config.clip_norm is None else config.clip_norm
            rows.append((*own, config.l1, config.l2, decay, clip, "beta2" in h))
        self.arrays = (
            *(self.theta, self.gradient, mask.astype(_f), np.array(rows, _SETTINGS)),
            *(self.state[name] for name in ("sum", "squares", "power1", "power2")),
        )

    @override
    def step(self, rates: Array) -> None:
        go(rates[self.part], *self.arrays)
        self.count(1)


def stepper_of(optimizer: str) -> Callable[[Array], updates.Stepper]:
    """Return one stepper for all optimizers of `_STATES`, and NumPy's for each of the others."""
    return SeveralKinds if optimizer in _STATES else updates.stepper_of(optimizer)
