"""Write torch_trajectories.json: ten steps of each optimizer that PyTorch has on a small noisy quadratic.

Run with torch and numpy installed: ``python torch_trajectories.py``. The test needs neither.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import optim

RATE = 0.1
STEPS = 10
START = [1.0, -2.0, 0.5, 3.0]
CURVATURE = [1.0, 0.1, 3.0, 0.5]

# our name, our parameters, and the same thing in torch
BETAS = {"beta1": 0.8, "beta2": 0.95, "epsilon": 0.01}
THEIRS = {"betas": (0.8, 0.95), "eps": 0.01}
CASES = [
    ("sgd", {}, optim.SGD, {}),
    ("momentum", {"momentum": 0.8}, optim.SGD, {"momentum": 0.8}),
    ("momentum", {"momentum": 0.8, "nesterov": True}, optim.SGD, {"momentum": 0.8, "nesterov": True}),
    ("adagrad", {"epsilon": 0.01}, optim.Adagrad, {"eps": 0.01}),
    ("adadelta", {"decay": 0.8, "epsilon": 1e-3}, optim.Adadelta, {"rho": 0.8, "eps": 1e-3}),
    ("rmsprop", {"decay": 0.8, "epsilon": 0.01}, optim.RMSprop, {"alpha": 0.8, "eps": 0.01}),
    ("adam", BETAS, optim.Adam, THEIRS),
    ("amsgrad", BETAS, optim.Adam, THEIRS | {"amsgrad": True}),
    # their momentum is beta1 (1 - 0.96^(t momentum_decay) / 2), which a large decay makes beta1 at once
    ("nadam", BETAS, optim.NAdam, THEIRS | {"momentum_decay": 1e6}),
    ("adamw", BETAS | {"weight_decay": 0.3}, optim.AdamW, THEIRS | {"weight_decay": 0.3}),
]


def gradient(theta: np.ndarray, step: int) -> np.ndarray:
    return np.array(CURVATURE) * theta + 0.3 * np.sin(step + np.arange(4))


def trajectory(kind: type[optim.Optimizer], settings: dict) -> list[list[float]]:
    theta = torch.tensor(START, dtype=torch.float64)
    optimizer = kind([theta], lr=RATE, **settings)
    path = []
    for step in range(STEPS):
        theta.grad = torch.from_numpy(gradient(theta.numpy(), step))
        optimizer.step()
        path.append(theta.tolist())
    return path


if __name__ == "__main__":
    written = {
        "made_with": {"torch": torch.__version__},
        "rate": RATE,
        "start": START,
        "curvature": CURVATURE,
        "cases": [
            {"optimizer": name, "params": params, "path": trajectory(kind, settings)}
            for name, params, kind, settings in CASES
        ],
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(written) + "\n")
