"""Out-of-fold predictions of the best trials of a search, in one file a trial."""

from __future__ import annotations

import io
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from automl.metrics import Predictions
from automl.records import SearchRecord, TrialRecord
from automl.select.fold_models import delete_fold_models, load_fold_models
from automl.select.ranking import rank

__all__ = ["OutOfFold", "pack_predictions", "put_predictions", "save_predictions"]

Array = npt.NDArray[Any]

# Predictions that stay on disk besides the best and the first trial of each family: bytes, and least and most trials.
_BYTES = 1 << 28
_FEWEST_KEPT, _MOST_KEPT = 30, 500
_MODELS_KEPT = 10  # trials whose fold models stay on disk, besides the best and the first of each family
# Content of a file: classes have probabilities if the model gives them. Numbers keep all their digits.
_KINDS = {"probabilities": np.float32, "decision": np.float32, "values": np.float64}


def save_predictions(folder: Path, number: int, by_fold: Sequence[Predictions]) -> None:
    """Write the predictions of a trial for the validation rows of all folds, one fold after the other.

    The file appears as a whole or not at all. A trial that is trained again replaces it.

    Parameters
    ----------
    folder : Path
        Folder of the search.
    number : int
        Number of the trial.
    by_fold : sequence of Predictions
        One for each fold.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    kind, values = _content(by_fold)
    folder.mkdir(parents=True, exist_ok=True)
    _delete(folder, number)
    unfinished = folder / f"{number}.unfinished"
    with unfinished.open("wb") as file:
        np.save(file, values)
    unfinished.replace(_file(folder, number, kind))


def pack_predictions(number: int, by_fold: Sequence[Predictions]) -> dict[str, bytes]:
    """Return the file that `save_predictions` would write, by its name; parameters as there."""
    kind, values = _content(by_fold)
    file = io.BytesIO()
    np.save(file, values)
    return {_name(number, kind): file.getvalue()}


def put_predictions(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files of `pack_predictions` to a folder.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        number = name.partition(".")[0]
        _delete(folder, int(number))
        unfinished = folder / f"{number}.unfinished"
        unfinished.write_bytes(content)
        unfinished.replace(folder / name)


class OutOfFold:
    """Out-of-fold predictions of the trials that may be in an ensemble, mapped from files.

    Only the best trials, 30 to 500 by the size of their files, and the best and the first of each family are kept; the
    files of other trials are deleted as soon as better trials have ended. Which trials are kept depends on the results
    alone, not on their order.

    Parameters
    ----------
    folder : Path or None
        Folder of the files, which later processes of the search use too; None makes a temporary folder, which is
        deleted with this object.
    y : ndarray of shape (n,)
        Class codes or numbers of the whole table.
    folds : sequence of (train, valid)
        Row numbers.
    search : SearchRecord, optional
        The search, for its constraints and its seed.
    weight : ndarray of shape (n,), optional
        Row weights of scores.
    models : Path or None
        Folder of the trials' fold models, which only this process and its workers can write.

    Attributes
    ----------
    folder, models : Path
        The folders.
    rows : ndarray of shape (m,)
        Row numbers in the table: the validation rows of the folds, one fold after the other. Of a single holdout,
        only its validation rows.
    fold : ndarray of shape (m,)
        Number of the fold of each of these rows.
    y : ndarray of shape (m,)
        Their targets.
    weight : ndarray of shape (m,) or None
        Their weights in scores; None weighs all equally.
    random_state : int
        Seed of the search.
    records : list of TrialRecord
        The kept trials, best first.
    """

    def __init__(
        self,
        folder: Path | None,
        y: Array,
        folds: Sequence[tuple[Array, Array]],
        search: SearchRecord | None = None,
        weight: Array | None = None,
        models: Path | None = None,
    ) -> None:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="automl-predictions-"))
            weakref.finalize(self, shutil.rmtree, folder, True)
        self.folder = folder
        self.rows = np.concatenate([valid for _, valid in folds])
        self.fold = np.repeat(np.arange(len(folds)), [len(valid) for _, valid in folds])
        self.y = y[self.rows]
        self.weight = None if weight is None else weight[self.rows]
        self.random_state = 0 if search is None else search.random_state
        self.records: list[TrialRecord] = []
        self.models, self._search = models, search
        row_bytes = 8 if self.y.dtype.kind == "f" else 4 * (1 + int(y.max(initial=0)))
        self._most = int(np.clip(_BYTES // (row_bytes * max(1, len(self.rows))), _FEWEST_KEPT, _MOST_KEPT))

    def add(self, record: TrialRecord) -> None:
        """Take note of a trial that has ended, and delete the files of trials that are no longer kept."""
        if record.repeats:
            return
        known = [*self.records, record]
        self.records = _best_of(known, self._search, self._most)
        kept = {one.number for one in self.records}
        with_models = {one.number for one in _best_of(known, self._search, _MODELS_KEPT)}
        for one in known:
            if one.number not in kept:
                _delete(self.folder, one.number)
            if self.models is not None and one.number not in with_models:
                delete_fold_models(self.models, one.number)

    def predictions(self, number: int) -> Predictions | None:
        """Return the predictions of a trial for `rows`; None if they are not kept.

        Class codes are those of the greatest probability.
        """
        for kind in _KINDS:
            file = _file(self.folder, number, kind)
            try:
                stored = np.load(file, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError):  # none; or damaged by a crash of the machine
                continue
            if len(stored) == len(self.rows):
                return _predictions(kind, stored)
        return None

    def fold_models(self, number: int) -> list[Any] | None:
        """Return the fitted model of each fold of a trial; None if they are not kept."""
        return None if self.models is None else load_fold_models(self.models, number)


def _predictions(kind: str, stored: Array) -> Predictions:
    if kind == "values":
        return Predictions(stored)
    if kind == "probabilities":
        return Predictions(stored.argmax(axis=1), probabilities=stored)
    codes = (stored > 0).astype(np.int64) if stored.ndim == 1 else stored.argmax(axis=1)
    return Predictions(codes, decision=stored)


def _best_of(records: Sequence[TrialRecord], search: SearchRecord | None, most: int) -> list[TrialRecord]:
    """Return the trials to keep: the best ones, and the best and the first of each family."""
    whole = [record for record in records if record.state in ("complete", "stopped") and not record.early]
    ranked = [record for record in rank(whole, search) if record.score is not None]
    best = {record.family: record.number for record in reversed(ranked)}
    first = {one.family: one.number for one in sorted(ranked, key=lambda one: -one.number)}
    return [
        record
        for n, record in enumerate(ranked)
        if n < most or record.number in (best[record.family], first[record.family])
    ]


def _content(by_fold: Sequence[Predictions]) -> tuple[str, Array]:
    """Return the kind of the predictions, and their values for the rows of all folds."""
    kind = next(name for name in _KINDS if getattr(by_fold[0], name) is not None)
    return kind, np.concatenate([getattr(one, kind) for one in by_fold]).astype(_KINDS[kind])


def _name(number: int, kind: str) -> str:
    return f"{number}.{kind}.npy"


def _file(folder: Path, number: int, kind: str) -> Path:
    return folder / _name(number, kind)


def _delete(folder: Path, number: int) -> None:
    for kind in _KINDS:
        _file(folder, number, kind).unlink(missing_ok=True)
