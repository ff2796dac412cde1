"""What stopping a trial between its folds would save, by replaying finished searches.

::

    python benchmarks/racing.py --timeout 30
    python benchmarks/racing.py --data FOLDER --only phoneme credit_g

The rule: a trial stops once the mean of its scores on the folds so far is below the lowest fold score of the best trial
so far (Bergman et al. 2024). A family with several rungs trains all folds in lockstep and is pruned between rungs, so
the rule can only stop a family with one rung: forests, trees, linear models of scikit-learn. ``pruned`` is the share of
training time that the pruner of rungs saves already, where pruned trials cost as much as finished ones of their family
on average; ``racing`` is the share that the rule would save besides; ``most`` is what it would save if every family
trained fold after fold without the pruner of rungs. ``wrong`` counts stopped trials that were better than the best
before them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from quality import names, read

from automl.records import TrialRecord
from automl.search import Search
from automl.study import read_records


def folds_until_stopped(record: TrialRecord, best: TrialRecord | None) -> int:
    """Return the number of folds that the rule trains."""
    scores = record.fold_scores
    for n in range(1, len(scores) if best is not None else 1):
        if best is not None and np.mean(scores[:n]) < min(best.fold_scores):
            return n
    return len(scores)


def savings(records: Sequence[TrialRecord]) -> tuple[float, float, float, int, int]:
    """Return the shares of training time saved by rungs, by the rule besides, by the rule alone, and two counts."""
    whole = defaultdict(list)
    for record in records:
        if record.state == "complete":
            whole[record.family].append(record.seconds)
    spent = saved_by_rungs = besides = alone = 0.0
    stopped = wrong = 0
    best: TrialRecord | None = None
    for record in records:
        if record.score is None or len(record.fold_scores) < 2:
            continue
        spent += record.seconds
        if record.state == "pruned":
            saved_by_rungs += max(0.0, np.mean(whole[record.family] or [record.seconds]) - record.seconds)
            continue
        n, k = folds_until_stopped(record, best), len(record.fold_scores)
        share = 1 - n / k
        alone += share * record.seconds
        if len(record.curve.rungs) == 1:
            besides += share * record.seconds
        stopped += n < k
        if best is None or best.score is None or record.score > best.score:
            wrong += n < k
            best = record
    total = max(spent + saved_by_rungs, 1e-9)  # a holdout has no second fold to save
    return saved_by_rungs / total, besides / total, alone / total, stopped, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--timeout", type=float, default=30.0)
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    data = None if asked.data is None else asked.data.resolve()
    warnings.simplefilter("ignore")
    print(f"{'table':22}{'trials':>7}{'pruned':>8}{'racing':>8}{'most':>7}{'stopped':>9}{'wrong':>7}")
    found = []
    for name in asked.only or names(data):
        X, y, _ = read(data, name)
        for seed in range(asked.seeds):
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                search = Search(timeout=asked.timeout, random_state=seed, progress=False, ensemble=False)
                search.fit(X, y)
                records = read_records(search.study_)
                os.chdir("/")
            found.append(savings(records))
            rungs, besides, alone, stopped, wrong = found[-1]
            print(
                f"{name:22}{len(records):>7}{rungs:>8.1%}{besides:>8.1%}{alone:>7.1%}{stopped:>9}{wrong:>7}",
                flush=True,
            )
    rungs, besides, alone, stopped, wrong = (np.mean(column) for column in zip(*found, strict=True))
    print(f"{'mean':22}{'':7}{rungs:>8.1%}{besides:>8.1%}{alone:>7.1%}{stopped:>9.1f}{wrong:>7.1f}")


if __name__ == "__main__":
    main()
