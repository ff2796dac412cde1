"""Time to load the shipped spaces, to sample from them, and to suggest by Optuna trials.

``python benchmarks/spaces.py`` prints a table, ``--json`` one object a line. Milliseconds, median of repeated runs in
one process after imports. ``YAML alone`` is the time of PyYAML for the same file, ``limit`` the limit for loading.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import optuna
import yaml

from automl.families import load_space
from automl.space import shipped_folder, shipped_names

REPEATS = 15
LIMIT = 100.0  # ms, for the default space


def milliseconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def measure(name: str) -> dict[str, float | str]:
    text = (shipped_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    space, rng = load_space(name), np.random.default_rng(0)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return {
        "space": name,
        "load": milliseconds(lambda: load_space(name)),
        "YAML alone": milliseconds(
            lambda: yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        ),
        "sample": milliseconds(lambda: space.sample(rng)),
        "suggest": milliseconds(lambda: space.suggest(study.ask())),
        "digest": milliseconds(space.digest),
        "limit": LIMIT,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one object a line")
    as_json = parser.parse_args().json
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows = [measure(name) for name in shipped_names()]
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    print(" ".join(f"{column:>10}" for column in rows[0]))
    for row in rows:
        print(
            " ".join(
                f"{value:>10.2f}" if isinstance(value, float) else f"{value:>10}" for value in row.values()
            )
        )
    (default,) = (row for row in rows if row["space"] == "tabular")
    verdict = "within" if float(default["load"]) < LIMIT else "beyond"
    print(f"\nloading tabular takes {default['load']:.1f} ms, {verdict} its limit of {LIMIT:.0f} ms")


if __name__ == "__main__":
    main()
