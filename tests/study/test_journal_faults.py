"""Journals that are removed, cut, broken or on a full disk: errors that say whether the study has survived."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest

from automl.errors import SettingError, StoreError
from automl.study import create_study, known_studies, load_study, make_pruner, make_sampler, repair_journal
from automl.study.lease import ProcessLease


def create(name: str = "mine", storage: Any = None, resume: bool = False) -> optuna.Study:
    return create_study(name, storage, sampler=make_sampler(None, 0), pruner=make_pruner(None), resume=resume)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> optuna.Study:
    """A study of four finished trials in the usual place."""
    monkeypatch.chdir(tmp_path)
    made = create()
    for value in range(4):
        trial = made.ask()
        trial.suggest_float("x", 0, 1)
        made.tell(trial, float(value))
    return made


@pytest.fixture
def journal(study: optuna.Study, tmp_path: Path) -> Path:
    return tmp_path / "mlruns" / "studies" / "mine.journal"


def break_line(journal: Path, number: int, text: bytes = b"\x00\xff broken\n") -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[number - 1] = text
    journal.write_bytes(b"".join(lines))


def test_removed_journal_is_an_error(study: optuna.Study, journal: Path) -> None:
    shutil.rmtree(journal.parents[1])
    with pytest.raises(
        StoreError, match=r"mine.journal must stay in place.*removed. The study in it is lost"
    ):
        study.ask()
    assert not journal.parents[1].exists()


def test_emptied_journal_is_an_error(study: optuna.Study, journal: Path) -> None:
    journal.write_bytes(b"")
    with pytest.raises(StoreError, match="it is empty. The study in it is lost"):
        study.ask()
    with pytest.raises(StoreError, match="it is empty. The study in it is lost"):
        load_study("mine")
    with pytest.warns(UserWarning, match="mine.journal is empty: the study starts with its first trial"):
        assert not create(resume=True).trials


def test_cut_journal_is_an_error(study: optuna.Study, journal: Path) -> None:
    os.truncate(journal, journal.stat().st_size // 2)
    with pytest.raises(StoreError, match="it was cut from .* survived up to there.*automl repair mine"):
        study.tell(study.ask(), 1.0)


def test_full_disk_is_an_error_and_leaves_the_study(
    study: optuna.Study, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = journal.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    storage: Any = study._storage
    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)  # after a part of the lines was written
        storage._backend._synced = -10.0
        with pytest.raises(StoreError, match=r"No space left.*has survived.*automl resume mine"):
            study.ask()
    assert journal.read_bytes() == before
    assert sorted(file.name for file in journal.parent.iterdir()) == ["mine.journal"]
    study.tell(study.ask(), 5.0)
    assert len(load_study("mine").trials) == 5


@pytest.mark.parametrize(
    "text",
    [b"\x00\xff broken\n", b"{}\n", b"[1]\n", b'{"op_code":99,"worker_id":"x"}\n', b"[" * 20_000 + b"\n"],
    ids=["bytes", "no fields", "a list", "an unknown code", "deep"],
)
def test_broken_line_is_named_and_repaired(study: optuna.Study, journal: Path, text: bytes) -> None:
    n_lines = len(journal.read_bytes().splitlines())
    break_line(journal, 6, text)  # of the second trial: its parameter or its value
    with pytest.raises(
        StoreError, match=r"mine.journal:6: must be a line of Optuna's journal.*automl repair mine"
    ):
        load_study("mine")
    with pytest.raises(StoreError, match="mine.journal:6"):
        create(resume=True)
    made = repair_journal("mine")
    assert (made.kept, made.dropped, made.n_trials) == (n_lines - 1, [6], 4)
    assert made.original is not None
    assert text in made.original.read_bytes()
    assert [trial.number for trial in load_study("mine").trials] == [0, 1, 2, 3]
    assert load_study("mine").best_value == 3.0
    assert repair_journal("mine").dropped == []


def test_line_without_a_field_is_named_and_repaired(journal: Path) -> None:
    break_line(journal, 6, b'{"op_code":6,"worker_id":"x"}\n')
    with pytest.raises(StoreError, match="mine.journal:6: must be a line"):
        load_study("mine")
    assert repair_journal("mine").dropped == [6]
    assert len(load_study("mine").trials) == 4


def test_repair_keeps_the_numbers_of_trials(study: optuna.Study, journal: Path) -> None:
    lines = journal.read_bytes().splitlines(keepends=True)
    made_third = [number for number, line in enumerate(lines, 1) if b'"op_code":4' in line][2]
    for text in (b'{"op_code":4,"worker_id":"broken\n', b"nothing that can be read\n"):
        journal.write_bytes(b"".join(lines))
        break_line(journal, made_third, text)
        repair_journal("mine")
        trials = load_study("mine").trials
        assert [trial.value for trial in trials] == [0.0, 1.0, 2.0, 3.0]
        assert [len(trial.params) for trial in trials] == [1, 1, 1, 1]


def test_repair_replaces_the_line_that_made_the_study(journal: Path) -> None:
    break_line(journal, 1)
    repair_journal("mine")
    assert known_studies() == ["mine"]
    assert load_study("mine").best_value == 3.0


def test_repair_refuses_what_it_cannot_repair(journal: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="must have a journal file"):
        repair_journal("other")
    with pytest.raises(SettingError, match="A database needs no repair"):
        repair_journal("mine", "sqlite:///optuna.db")
    lease = ProcessLease("mine", None)
    lease.observe(load_study("mine"))
    with pytest.raises(SettingError, match="must not be searched at the same time"):
        repair_journal("mine")
    lease.release()
    journal.write_bytes(b"nothing\n" * 10)
    with pytest.raises(StoreError, match="holds no study that can be repaired. It is as it was"):
        repair_journal("mine")
    assert journal.read_bytes() == b"nothing\n" * 10


def test_commands_in_messages_name_another_file(tmp_path: Path) -> None:
    file = tmp_path / "other.journal"
    study = create("mine", file)
    study.ask()
    study.ask()
    break_line(file, 2)
    with pytest.raises(StoreError, match=f"automl repair other --storage {file}"):
        load_study("mine", file)
    assert repair_journal("other", file).dropped == [2]
