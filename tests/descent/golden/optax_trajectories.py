"""Write optax_trajectories.json: ten steps of each optimizer on a small noisy quadratic.

Run with optax and jax installed: ``python optax_trajectories.py``. The test needs neither.
"""

import json
from pathlib import Path

import jax
import numpy as np
import optax

jax.config.update("jax_enable_x64", True)

RATE = 0.1
STEPS = 10
START = [1.0, -2.0, 0.5, 3.0]
CURVATURE = [1.0, 0.1, 3.0, 0.5]

# our name, our parameters, and the same thing in optax
CASES = [
    ("sgd", {}, optax.sgd(RATE)),
    ("momentum", {"momentum": 0.8}, optax.sgd(RATE, momentum=0.8)),
    ("momentum", {"momentum": 0.8, "nesterov": True}, optax.sgd(RATE, momentum=0.8, nesterov=True)),
    ("adagrad", {"epsilon": 1e-30}, optax.adagrad(RATE, initial_accumulator_value=0.0, eps=1e-30)),
    ("adadelta", {"decay": 0.8, "epsilon": 1e-3}, optax.adadelta(RATE, rho=0.8, eps=1e-3)),
    ("rmsprop", {"decay": 0.8, "epsilon": 1e-8}, optax.rmsprop(RATE, decay=0.8, eps=1e-8, eps_in_sqrt=False)),
    ("adam", {"beta1": 0.8, "beta2": 0.95, "epsilon": 0.01}, optax.adam(RATE, b1=0.8, b2=0.95, eps=0.01)),
    ("nadam", {"beta1": 0.8, "beta2": 0.95, "epsilon": 0.01}, optax.nadam(RATE, b1=0.8, b2=0.95, eps=0.01)),
    (
        "adamw",
        {"beta2": 0.95, "weight_decay": 0.3, "epsilon": 0.01},
        optax.adamw(RATE, b2=0.95, eps=0.01, weight_decay=0.3),
    ),
    ("lion", {"beta1": 0.8, "beta2": 0.9}, optax.lion(RATE, b1=0.8, b2=0.9, weight_decay=0.0)),
]


def gradient(theta: np.ndarray, step: int) -> np.ndarray:
    return np.array(CURVATURE) * theta + 0.3 * np.sin(step + np.arange(4))


def trajectory(optimizer: optax.GradientTransformation) -> list[list[float]]:
    theta = np.array(START)
    state = optimizer.init(theta)
    path = []
    for step in range(STEPS):
        updates, state = optimizer.update(gradient(theta, step), state, theta)
        theta = np.asarray(optax.apply_updates(theta, updates))
        path.append(theta.tolist())
    return path


if __name__ == "__main__":
    written = {
        "made_with": {"optax": optax.__version__, "jax": jax.__version__},
        "rate": RATE,
        "start": START,
        "curvature": CURVATURE,
        "cases": [
            {"optimizer": name, "params": params, "path": trajectory(optimizer)}
            for name, params, optimizer in CASES
        ],
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(written) + "\n")
