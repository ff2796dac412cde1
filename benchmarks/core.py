"""Time of the gradient-descent core, compared with scikit-learn and with its bare matrix products.

``python benchmarks/core.py`` prints a table. ``--json`` prints one object a line, ``--case NAME`` (repeatable) runs
some cases only, ``--quick`` uses a tenth of the rows. All run on one thread with the same rows, epochs, batch size and
architecture; a time is the median of interleaved runs, in processor seconds a trial. ``limit`` is the time of the
matrix products alone, in the same shapes and the same run. ``gains`` is the speed-up of eight trials trained together
over one after the other. Each case runs with NumPy and, if it is installed, with Numba. ``compile`` is the time to
compile once, and to read the compiled code in each later process. Peak memory of the MLP case excludes memory used
before, in multiples of its lower bound: training matrix, weights and optimizer state.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import SGDClassifier
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from automl.descent import OPTIMIZERS, SCHEDULES, Architecture, TrainConfig, Training
from automl.descent.kernels import SWITCH, uses_numba

REPEATS = 5


@dataclass
class Case:
    """A cohort, and the same training for a peer."""

    n: int
    d: int
    classes: int
    k: int
    batch: int
    hidden: tuple[int, ...] = ()
    epochs: int = 2
    peer: str = "SGDClassifier"
    configs: Callable[[Case], list[TrainConfig]] | None = None
    reach: float = math.nan
    table: tuple[Any, Any] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        X = rng.normal(size=(self.n, self.d)).astype(np.float32)
        z = X @ rng.normal(size=(self.d, self.classes)) / math.sqrt(self.d) + rng.normal(
            size=(self.n, self.classes)
        )
        self.table = X, z.argmax(axis=1)

    @property
    def architecture(self) -> Architecture:
        """The cohort's architecture."""
        return Architecture("logistic" if self.classes == 2 else "softmax", self.hidden)

    @property
    def outputs(self) -> int:
        """Outputs of the model."""
        return 1 if self.classes == 2 else self.classes

    def cohort(self) -> list[TrainConfig]:
        """Return the trials: plain gradient descent, or Adam with hidden layers."""
        if self.configs is not None:
            return self.configs(self)
        kind = "adam" if self.hidden else "sgd"
        rates = np.geomspace(1e-4, 1e-2, self.k)
        return [
            TrainConfig(kind, learning_rate=rate, batch_size=self.batch, max_epochs=self.epochs, seed=i)
            for i, rate in enumerate(rates.tolist())
        ]


def mixed(case: Case) -> list[TrainConfig]:
    """Return trials of every optimizer and schedule, with three strengths of l2."""
    optimizers, schedules = list(OPTIMIZERS), list(SCHEDULES)
    return [
        TrainConfig(
            optimizers[i % len(optimizers)],
            learning_rate=1e-3,
            schedule=schedules[i % len(schedules)],
            batch_size=case.batch,
            max_epochs=case.epochs,
            l2=1e-4 * (i % 3),
            seed=i,
        )
        for i in range(case.k)
    ]


CASES: dict[str, dict[str, Any]] = {
    "softmax": {"n": 100_000, "d": 100, "classes": 7, "k": 32, "batch": 256, "reach": 70},
    "binary": {"n": 100_000, "d": 100, "classes": 2, "k": 32, "batch": 256, "reach": 45},
    "mlp": {
        "n": 50_000, "d": 50, "classes": 5, "k": 32, "batch": 256, "hidden": (64,), "peer": "MLPClassifier",
        "reach": 4.5,
    },
    "small": {"n": 2_000, "d": 20, "classes": 2, "k": 64, "batch": 32, "epochs": 10, "reach": 20},
    "mixed": {
        "n": 100_000, "d": 100, "classes": 7, "k": 32, "batch": 256, "configs": mixed, "peer": "softmax",
        "reach": 0.5,
    },
    "stochastic": {"n": 10_000, "d": 30, "classes": 2, "k": 64, "batch": 1, "epochs": 1, "reach": 1},
}  # fmt: skip


def median_times(*works: Callable[[], object]) -> list[float]:
    """Return the median processor seconds of each; runs are interleaved, so that a slow machine affects all."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(REPEATS):
        for work, own in zip(works, times, strict=True):
            start = time.process_time()
            work()
            own.append(time.process_time() - start)
    return [statistics.median(own) for own in times]


def engines() -> list[str]:
    """Return the available backends: NumPy, and Numba if installed."""
    os.environ.pop(SWITCH, None)
    return ["numpy", "numba"] if uses_numba() else ["numpy"]


def run_with(engine: str, case: Case) -> Training:
    os.environ[SWITCH] = str(int(engine == "numba"))
    return train(case)


def train(case: Case) -> Training:
    X, y = case.table
    training = Training(case.architecture, case.cohort(), X, y, n_outputs=case.outputs)
    training.advance(case.epochs)
    return training


def peer(case: Case) -> object:
    X, y = case.table
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if case.peer == "MLPClassifier":
            model = MLPClassifier(
                case.hidden, batch_size=case.batch, max_iter=case.epochs, tol=0.0, n_iter_no_change=10**6
            )
        else:
            model = SGDClassifier(
                "log_loss",
                max_iter=case.epochs,
                tol=None,
                learning_rate="constant",
                eta0=1e-3,
                random_state=0,
            )
        return model.fit(X, y)


def products(case: Case) -> None:
    """Do only the matrix products of training, for all steps."""
    rng = np.random.default_rng(0)
    k, n = case.k, min(case.batch, case.n)
    x = rng.normal(size=(n, case.d + 1)).astype(np.float32)
    sizes = [case.d, *case.hidden, case.outputs]
    steps = case.epochs * math.ceil(case.n / n)

    def stack(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    if not case.hidden:
        w, z, g = (
            stack(k * case.outputs, case.d + 1),
            stack(k * case.outputs, n),
            stack(k * case.outputs, case.d + 1),
        )
        # the faster layout, as in the core
        turned = np.asfortranarray(w) if 4 * len(w) <= n else w
        for _ in range(steps):
            np.dot(turned, x.T, out=z)
            np.dot(z, x, out=g)
        return
    weights = [stack(k, h, d + 1) for d, h in zip(sizes, sizes[1:], strict=False)]
    gradients = [np.empty_like(w) for w in weights]
    units = [stack(k, h + 1, n) for h in sizes[1:]]
    # separate outputs, so that values neither grow nor shrink
    out = [stack(k, h, n) for h in sizes[1:]]
    columns = np.ascontiguousarray(x.T)
    for _ in range(steps):
        np.matmul(weights[0], columns, out=out[0])
        for i in range(1, len(weights)):
            np.matmul(weights[i], units[i - 1], out=out[i])
        for i in reversed(range(1, len(weights))):
            np.matmul(units[i][:, :-1], units[i - 1].transpose(0, 2, 1), out=gradients[i])
            np.matmul(weights[i][:, :, :-1].transpose(0, 2, 1), units[i][:, :-1], out=out[i - 1])
        np.matmul(out[0], x, out=gradients[0])


def measure(name: str, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield a row for each engine."""
    options = CASES[name] | ({"n": CASES[name]["n"] // 10} if quick else {})
    case = Case(**options)
    found = engines()
    for engine in found:
        run_with(engine, case)
    works: list[Callable[[], object]] = [partial(run_with, engine, case) for engine in found]
    if case.peer == "softmax":
        plain = Case(**{key: value for key, value in options.items() if key not in ("configs", "peer")})
        works += [partial(run_with, engine, plain) for engine in found]
    else:
        works += [partial(peer, case)] * len(found)
    *times, limit = median_times(*works, partial(products, case))
    for engine, ours, theirs in zip(found, times, times[len(found) :], strict=False):
        peer_s = theirs / (case.k if case.peer == "softmax" else 1)
        row = {
            "case": name,
            "engine": engine,
            "ours_s": ours / case.k,
            "peer": case.peer,
            "peer_s": peer_s,
            "ratio": peer_s * case.k / ours,
            "reach": case.reach,
            "limit_s": limit / case.k,
            "limit_fraction": limit / ours,
        }
        if name == "mlp":
            os.environ[SWITCH] = str(int(engine == "numba"))
            row["memory"] = memory(case)
        yield row


def compiling() -> dict[str, Any]:
    """Return the processor seconds of a first training, without and with compiled code in the cache."""
    script = "import time; from automl.descent.__main__ import compile_all; compile_all(); print(time.process_time())"
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder, SWITCH: "1"}
        first, after = (
            float(
                subprocess.run([sys.executable, "-c", script], env=environment, stdout=-1, check=True).stdout
            )
            for _ in range(2)
        )
    return {"case": "compile", "first_s": first, "after_s": after}


def memory(case: Case) -> float:
    """Return the peak memory of training, in multiples of matrix, weights and optimizer state."""
    X, _ = case.table
    size = case.architecture.make_model(case.d, case.outputs).size
    # Adam keeps two averages of the size of the weights
    floor = X.nbytes + 3 * 4 * case.k * size
    tracemalloc.start()
    train(case)
    peak = tracemalloc.get_traced_memory()[1] + X.nbytes
    tracemalloc.stop()
    return float(peak / floor)


GROWTH: dict[str, list[int]] = {
    "n": [10_000, 100_000, 1_000_000],
    "d": [10, 100, 1_000],
    "k": [1, 8, 32, 128],
    "hidden": [16, 64, 256, 512],
}


def growth(quick: bool) -> list[dict[str, Any]]:
    """Return the time a trial and epoch as one size grows, with the exponent from the row before."""
    rows = []
    for axis, values in GROWTH.items():
        before: tuple[int, float] | None = None
        for value in values[: -1 if quick else None]:
            sizes: dict[str, Any] = {"n": 10_000, "d": 50, "k": 16, "hidden": ()}
            sizes[axis] = (value,) if axis == "hidden" else value
            case = Case(classes=5, batch=256, epochs=1, **sizes)
            ours = median_times(partial(train, case))[0] / case.k
            exponent = None
            if before is not None:
                exponent = math.log(ours / before[1]) / math.log(value / before[0])
            rows.append(
                {"case": "growth", "axis": axis, "value": value, "ours_s": ours, "exponent": exponent}
            )
            before = value, ours
    return rows


GAINS = {
    "mixed": ([32, 32, 32, 128, 128, 128, 512, 512], 0.0),
    "batch_32": ([32] * 8, 0.0),
    "dropout": ([32, 32, 32, 128, 128, 128, 512, 512], 0.2),
}


def gains(quick: bool) -> Iterator[dict[str, Any]]:
    """Yield the speed-up of eight trials trained together over one after the other, for one epoch."""
    rng = np.random.default_rng(0)
    n = 800 if quick else 8_000

    def epoch(hidden: tuple[int, ...], cohorts: list[list[TrainConfig]], X: Any, y: Any) -> None:
        for configs in cohorts:
            Training(Architecture("logistic", hidden), configs, X, y).advance(1)

    for d, hidden in product((5, 20, 100), ((), (32,), (128,), (128, 64))):
        X, y = rng.normal(size=(n, d)).astype(np.float32), rng.integers(0, 2, n)
        row: dict[str, Any] = {"case": "gains", "columns": d, "hidden": list(hidden)}
        for name, (batches, dropout) in GAINS.items():
            if not hidden and dropout:
                continue
            configs = [
                TrainConfig(batch_size=batch, dropout=dropout, activation="relu" if i % 2 else "tanh", seed=i)
                for i, batch in enumerate(batches)
            ]
            alone, together = median_times(
                partial(epoch, hidden, [[config] for config in configs], X, y),
                partial(epoch, hidden, [configs], X, y),
            )
            row |= {
                f"{name}_alone_s": alone,
                f"{name}_together_s": together,
                f"{name}_gain": alone / together,
            }
        yield row


def show(row: dict[str, Any]) -> str:
    """Return a line of the table."""
    if row["case"] == "compile":
        return (
            f"\nNumba: {row['first_s']:.1f} s of compiling once, {row['after_s']:.1f} s in each process after"
        )
    if row["case"] == "growth":
        exponent = "" if row["exponent"] is None else f"{row['exponent']:10.2f}"
        return f"{row['axis']:12}{row['value']:10d}{1e3 * row['ours_s']:10.2f}{exponent}"
    if row["case"] == "gains":
        found = [
            f"{1e3 * row[f'{name}_alone_s']:10.1f}{1e3 * row[f'{name}_together_s']:10.1f}{row[f'{name}_gain']:7.1f}"
            for name in GAINS
            if f"{name}_gain" in row
        ]
        return f"{row['columns']:8d}{', '.join(map(str, row['hidden'])) or 'none':>10}{'   '.join(found)}"
    more = f"   peak memory {row['memory']:.2f} x" if "memory" in row else ""
    return (
        f"{row['case']:12}{row['engine']:8}{1e3 * row['ours_s']:10.2f}{row['peer']:>16}{1e3 * row['peer_s']:10.2f}"
        f"{row['ratio']:8.1f}{row['reach']:7.1f}{row['limit_fraction']:8.0%}{more}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument(
        "--case", action="append", choices=[*CASES, "gains", "growth", "compile"], help="only this one"
    )
    options = parser.parse_args()
    names = options.case or [*CASES, "gains", "growth", "compile"]
    head = f"{'case':20}{'ours ms':>10}{'peer':>16}{'peer ms':>10}{'ratio':>8}{'reach':>7}{'limit':>8}"
    with threadpool_limits(1):
        if not options.json and set(names) & set(CASES):
            print(head)
        for name in names:
            rows: Iterable[dict[str, Any]]
            if name == "growth":
                os.environ.pop(SWITCH, None)
                rows = growth(options.quick)
                if not options.json:
                    print(f"\n{'grows':12}{'value':>10}{'ours ms':>10}{'exponent':>10}")
            elif name == "gains":
                os.environ.pop(SWITCH, None)
                rows = gains(options.quick)
                if not options.json:
                    heads = "   ".join(
                        f"{name.replace('_', ' ') + ', ms':>10}{'together':>10}{'gain':>7}" for name in GAINS
                    )
                    print(f"\n{'columns':>8}{'hidden':>10}{heads}")
            elif name == "compile":
                rows = [compiling()] if "numba" in engines() else []
            else:
                rows = measure(name, options.quick)
            for row in rows:
                print(json.dumps(row) if options.json else show(row), flush=True)


if __name__ == "__main__":
    main()
