"""Set-up of a batch group: which trials step together, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from automl.descent.data import CHUNK_ROWS
from automl.descent.kernels import Array, Ops
from automl.descent.layers import LinearPass, SharedBits
from automl.descent.losses import Loss, Targets
from automl.descent.model import BindContext, BufferPool, Model
from automl.descent.optimizers import OPTIMIZERS
from automl.descent.updates import ForwardBackward, StepRunner, Updater

__all__ = ["LinearRunner", "RunnerSetup", "step_order", "updaters"]

_CACHED_FLOATS = 1 << 15
_LARGE_STEP = 1 << 15  # products of a step from which two products cost more than the calls they save


def step_order(configs: Sequence[Any], model: Model) -> list[int]:
    """Return positions sorted by activation, where there are hidden units, and optimizer, fused ones first."""
    kinds = list(OPTIMIZERS)

    def key(i: int) -> tuple[str, bool, int]:
        activation, optimizer = configs[i].activation, configs[i].optimizer
        return (
            activation if model.hidden_units else "",
            not OPTIMIZERS[optimizer].fused,
            kinds.index(optimizer),
        )

    return sorted(range(len(configs)), key=key)


def updaters(configs: Sequence[Any], theta: Array, ops: Ops) -> Iterator[Updater]:
    """Yield an updater for each run of neighbouring trials that can be stepped together.

    For large models each has only as many trials as stay in the cache with their state.
    """
    most, start = max(1, _CACHED_FLOATS // theta.shape[1]), 0

    def kind(config: Any) -> str:
        fused = OPTIMIZERS[config.optimizer].fused and ops.fused_step is not None
        return "fused" if fused else str(config.optimizer)

    for _, run in groupby(configs, kind):
        stop = start + len(list(run))
        for first in range(start, stop, most):
            trials = slice(first, min(first + most, stop))
            yield Updater(configs[trials], theta[trials], ops)
        start = stop


@dataclass(frozen=True)
class LinearRunner:
    """The steps of linear models whose loss and optimizers have kernels: a chunk in a few calls.

    Batches are small, and the calls of a step would take longer than the step.
    """

    kernel: Callable[..., None]
    some: ForwardBackward
    updater: Updater

    def fill(self, x: Array, targets: Targets, per_row: Array) -> None:
        """Fill the gradients, as `StepRunner.fill` does."""
        self.some.fill(x, targets, per_row)

    def run(self, x: Array, targets: Targets, per_row: Array, rates: Array) -> None:
        """Do a step for each of ``s`` batches, as `StepRunner.run` does."""
        layer, updater, trials = self.some.layers[0], self.updater, self.updater.trials
        assert isinstance(layer, LinearPass)
        smoothing = self.some.smoothing
        if smoothing is None:
            smoothing = np.zeros(len(layer.buffer), np.float32)
        arrays, done = (layer.transposes, smoothing, layer.buffer, *updater.fused_arrays), 0
        while done < len(x):
            steps = slice(done, done + updater.steps_to_flush)
            own = per_row[steps, trials], rates[steps, trials]
            self.kernel(x[steps], tuple(target[steps] for target in targets), *own, *arrays)
            updater.count(len(x[steps]))
            done = steps.stop


@dataclass(frozen=True)
class RunnerSetup:
    """The parts of a batch group from which its runners are made.

    ``theta`` and ``gradient`` ``(k, p)`` are the arrays that the runners read and write.
    """

    model: Model
    loss: Loss
    configs: Sequence[Any]
    theta: Array
    gradient: Array
    smoothing: Array | None
    updaters: Sequence[Updater]
    batch: int
    bits: SharedBits
    ops: Ops

    def runners(self, m: int) -> list[StepRunner | LinearRunner]:
        """Return what steps all trials over batches of ``m`` rows: kernels for some, calls for the others."""
        kernel = getattr(self.ops, self.loss.linear_steps or "", None) if self.model.is_linear else None
        one_call = [one for one in self.updaters if one.fused_arrays] if kernel is not None else []
        products = m * len(self.configs) * self.model.size
        if len(one_call) > 1 or (len(self.updaters) > 1 and products > _LARGE_STEP):
            one_call = []  # a step takes longer than its calls, and one wide product is faster than two
        others = [one for one in self.updaters if one not in one_call]
        found: list[StepRunner | LinearRunner] = [
            LinearRunner(kernel, self._passes(m, [one])[0], one) for one in one_call if kernel is not None
        ]
        if others:
            found.append(StepRunner(self._passes(m, others), others, self.bits))
        return found

    def _passes(self, m: int, some: Sequence[Updater]) -> list[ForwardBackward]:
        """Return the passes of neighbouring trials, a few at a time so that their units stay in the cache."""
        start, stop = some[0].trials.start, some[-1].trials.stop
        size = max(1, min(self.model.trials_per_pass(min(self.batch, CHUNK_ROWS)), stop - start))
        buffers = BufferPool()
        return [
            self._pass(slice(first, min(first + size, stop)), m, buffers)
            for first in range(start, stop, size)
        ]

    def _pass(self, trials: slice, m: int, buffers: BufferPool) -> ForwardBackward:
        context = BindContext(self.configs[trials], self.bits.of, self.ops, buffers)
        layers = self.model.bind(self.theta[trials], self.gradient[trials], m, context)
        smoothing = None if self.smoothing is None else self.smoothing[trials]
        return ForwardBackward(trials, layers, self.loss, smoothing)
