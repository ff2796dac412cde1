"""Repair of a journal file: keep the lines that are intact, and the numbers of the trials."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage

from automl.errors import Fault, SettingError, StoreError
from automl.study.attributes import RECORD
from automl.study.journal import Journal
from automl.study.journal_faults import emptied, is_log
from automl.study.locks import file_lock, held, is_held
from automl.study.storage import is_file, journal_file

__all__ = ["Repair", "repair_journal"]

_CREATE_STUDY, _STUDY_ATTR, _CREATE_TRIAL, _STATE, _TRIAL_ATTR = 0, 2, 4, 6, 8
_ABOUT_A_STUDY, _ABOUT_A_TRIAL = (1, 2, 3, 4), (5, 6, 7, 8, 9)
_DIRECTIONS = {"minimize": 1, "maximize": 2}
_CREATES_TRIAL = re.compile(rb'"op_code":\s*4\b')
_MAX_REFUSED = 1000  # lines that Optuna refuses, before a file counts as not worth repair


@dataclass
class Repair:
    """Result of a repair.

    Parameters
    ----------
    file : Path
        The journal.
    kept : int
        Number of lines that were kept.
    dropped : list of int
        Numbers of the lines that were dropped.
    n_trials, n_ended : int
        Trials of the repaired study, and those of them that have ended with a result.
    original : Path or None
        Copy of the file as it was; None if nothing was wrong.
    """

    file: Path
    kept: int = 0
    dropped: list[int] = field(default_factory=list)
    n_trials: int = 0
    n_ended: int = 0
    original: Path | None = None


def repair_journal(study_name: str, storage: str | Path | None = None) -> Repair:
    """Drop the broken lines of a study's journal, so that the study can be read and resumed.

    A trial whose result was in a broken line runs again. The original is kept as ``NAME.journal.broken``.

    Parameters
    ----------
    study_name : str
        The study.
    storage : str, Path or None
        As in `create_study`.

    Returns
    -------
    Repair
        The numbers of kept and dropped lines and trials.

    Raises
    ------
    SettingError
        If the storage is no journal file, there is none, or a process is using it.
    StoreError
        If nothing in it is intact, or it cannot be written.
    """
    if not is_file(storage):
        raise SettingError(
            Fault("storage", "must be a journal file", str(storage), "A database needs no repair.")
        )
    file = journal_file(study_name, storage)
    if not file.is_file():
        raise SettingError(Fault("study_name", "must have a journal file", f"none at {file}"))
    if any(is_held(lease) for lease in file.parent.glob(f"{file.name}.*.seat")):
        rule = "must not be searched at the same time"
        raise SettingError(Fault("study_name", rule, f'"{study_name}", which is', "Wait for it, or stop it."))
    try:
        with held(file_lock(Path(f"{file}.writer"))):
            return _repair(file, study_name)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"storage: {file} cannot be repaired ({error.strerror or error}). It is as it was."
        ) from error


def _repair(file: Path, study_name: str) -> Repair:
    raw = file.read_bytes()
    if not raw.strip():
        raise emptied(str(file))
    lines = raw.splitlines(keepends=True)
    refused: set[int] = set()
    new = file.with_name(f"{file.name}.repaired")
    try:
        while True:
            logs, dropped = _intact(lines, refused, study_name)
            if not logs or len(refused) > _MAX_REFUSED:
                raise StoreError(f"storage: {file} holds no study that can be repaired. It is as it was.")
            new.write_text("".join(f"{json.dumps(log, separators=(',', ':'))}\n" for _, log in logs))
            journal = Journal(str(new))
            try:
                storage = JournalStorage(journal)
            except StoreError:
                raise
            except Exception:  # a line without a field, or of a trial that is not there
                refused.add(logs[journal.line - 1][0])
                continue
            break
        names = optuna.get_all_study_names(storage)
        trials = [
            trial for name in names for trial in optuna.load_study(study_name=name, storage=storage).trials
        ]
        made = Repair(file, len(lines) - len(dropped), dropped, len(trials))
        made.n_ended = sum(trial.state.is_finished() for trial in trials)
        if dropped:
            made.original = file.with_name(f"{file.name}.broken")
            made.original.write_bytes(raw)
            with new.open("rb") as done:
                os.fsync(done.fileno())
            new.replace(file)
        return made
    finally:
        new.unlink(missing_ok=True)


def _intact(
    lines: list[bytes], refused: set[int], study_name: str
) -> tuple[list[tuple[int, Any]], list[int]]:
    """Return the logs to keep with their line numbers, and the numbers of the lines to drop.

    Optuna numbers studies and trials by their order, so a lost line that made one is replaced.
    """
    read = [(number, None if number in refused else _read(line)) for number, line in enumerate(lines, 1)]
    results = {
        log["trial_id"]: log["user_attr"][RECORD]
        for _, log in read
        if log and RECORD in log.get("user_attr", ())
    }
    kept: list[tuple[int, Any]] = []
    dropped: list[int] = []
    n_studies = n_trials = 0
    for number, log in read:
        code = None if log is None else log["op_code"]
        if log is None:
            dropped.append(number)
            if _CREATES_TRIAL.search(lines[number - 1]):
                kept.append((number, _trial()))
                n_trials += 1
            continue
        if code == _STATE and results and log.get("trial_id") not in results:
            dropped.append(number)  # its result is lost: it runs again
            continue
        if code in _ABOUT_A_STUDY and not n_studies:
            kept.append((number, _study(study_name, read)))
            n_studies = 1
        if code in _ABOUT_A_TRIAL:
            for _ in range(_missing(log, n_trials, len(dropped))):
                kept.append((number, _trial()))
                n_trials += 1
        n_studies += code == _CREATE_STUDY
        n_trials += code == _CREATE_TRIAL
        kept.append((number, log))
    return (kept if n_studies else []), dropped


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        log = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return log if is_log(log) and line.endswith(b"\n") else None


def _missing(log: dict[str, Any], n_trials: int, n_dropped: int) -> int:
    """Return how many trials must have been made in lost lines, for a line about a trial to make sense."""
    trial_id = log.get("trial_id")
    return min(max(0, trial_id + 1 - n_trials), n_dropped) if isinstance(trial_id, int) else 0


def _trial() -> dict[str, Any]:
    return {"op_code": _CREATE_TRIAL, "worker_id": "repair", "study_id": 0, "datetime_start": None}


def _study(study_name: str, read: list[tuple[int, Any]]) -> dict[str, Any]:
    """Return the line that makes a study, with the directions of its search."""
    attributes = (log.get("user_attr", {}) for _, log in read if log)
    facts: dict[str, Any] = next((found["search"] for found in attributes if "search" in found), {})
    directions = [_DIRECTIONS[name] for name in facts.get("directions", ("maximize",))]
    return {
        "op_code": _CREATE_STUDY,
        "worker_id": "repair",
        "study_name": study_name,
        "directions": directions,
    }
