"""How near the corrected score of an ensemble is to its score on other rows.

Drawn data: 600 rows, 40 trials of three families with independent errors, 20,000 other rows.

::

    python benchmarks/ensemble_score.py [--searches 25]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from automl.metrics import Predictions, metric_for
from automl.records import TrialRecord
from automl.select import (
    OutOfFold,
    baseline_predictions,
    choose_ensemble,
    corrected_score,
    save_predictions,
    with_ensemble_score,
)

N, N_OTHER, N_TRIALS, N_FOLDS = 600, 20_000, 40, 5
CASES = {
    "noise, roc_auc": (0.0, "roc_auc"),
    "signal, roc_auc": (0.3, "roc_auc"),
    "noise, log loss": (0.0, "neg_log_loss"),
}


def one_search(folder: Path, seed: int, signal: float, scoring: str) -> list[float] | None:
    """Return own score, corrected score and interval, score on other rows, seconds; None without an ensemble."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(N + N_OTHER) % 2)
    number = np.arange(N) % N_FOLDS
    folds = [(np.flatnonzero(number != k), np.flatnonzero(number == k)) for k in range(N_FOLDS)]
    metric, found, shares = metric_for(scoring, "binary", 2), OutOfFold(folder, y[:N], folds), []
    for trial in range(N_TRIALS):
        one = 1 / (1 + np.exp(-signal * (2 * y - 1) - rng.normal(size=N + N_OTHER)))
        shares.append(np.stack([1 - one, one], axis=1).astype(np.float32))
        parts = [Predictions(shares[-1][rows].argmax(axis=1), shares[-1][rows]) for _, rows in folds]
        save_predictions(folder, trial, parts)
        scores = [metric(y[rows], part) for part, (_, rows) in zip(parts, folds, strict=True)]
        record = TrialRecord(
            number=trial, configuration={}, params={}, seed=0, state="complete", family="abc"[trial % 3],
            score=float(np.mean(scores)),
        )  # fmt: skip
        found.add(record)
    ensemble, baseline = choose_ensemble(found, metric), baseline_predictions(y[:N], folds, 2)
    if not ensemble.members:
        return None
    predictions = [found.predictions(record.number) for record in found.records]
    best = corrected_score(metric, found.y, found.fold, predictions, baseline)
    started = time.perf_counter()
    corrected = with_ensemble_score(best, metric, found, ensemble, baseline)
    seconds = time.perf_counter() - started
    average = sum(weight * shares[trial][N:] for trial, weight in ensemble.members)
    other = metric(y[N:], Predictions(average.argmax(axis=1), average))
    interval = [corrected.ensemble_low, corrected.ensemble_high]
    return [ensemble.score, corrected.ensemble_score, *interval, other, seconds]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searches", type=int, default=25)
    options = parser.parse_args()
    print("| data, scorer | searches | own score | corrected | other rows | covered | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, (signal, scoring) in CASES.items():
        found = []
        for seed in range(options.searches):
            with tempfile.TemporaryDirectory() as folder:
                if (one := one_search(Path(folder), seed, signal, scoring)) is not None:
                    found.append(one)
        own, corrected, low, high, other, seconds = np.array(found).T
        means = (f"{values.mean():.4f}" for values in (own, corrected, other))
        covered = np.mean((low <= other) & (other <= high))
        print(
            f"| {name} | {len(found)} | {' | '.join(means)} | {covered:.0%} | {seconds.mean():.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
