"""Journal files: several writers, and writers that are killed."""

import multiprocessing
import os
import pickle
from contextlib import contextmanager
from pathlib import Path

import pytest

from automl.errors import StoreError
from automl.study import create_study, load_study, make_pruner, make_sampler
from automl.study.journal import Journal, batched_writes
from automl.time_limit import in_time


def create(name, storage=None):
    return create_study(name, storage, sampler=make_sampler(None, 0), pruner=make_pruner(None))


def test_journal_keeps_lines_of_two_writers(tmp_path):
    one = create("mine", tmp_path / "s.journal")
    two = load_study("mine", tmp_path / "s.journal")
    for study in (one, two) * 5:
        study.tell(study.ask(), 1.0)
    assert [trial.number for trial in one.trials] == list(range(10))
    assert one.trials == load_study("mine", tmp_path / "s.journal").trials


def test_journal_drops_unfinished_line(tmp_path):
    study = create("mine", tmp_path / "s.journal")
    study.ask()
    with open(tmp_path / "s.journal", "ab") as journal:
        journal.write(b'{"op_code":4,"worker_id":"')
    assert len(load_study("mine", tmp_path / "s.journal").trials) == 1
    again = create_study(
        "mine", tmp_path / "s.journal", sampler=make_sampler(None, 0), pruner=make_pruner(None), resume=True
    )
    again.ask()
    assert [trial.number for trial in load_study("mine", tmp_path / "s.journal").trials] == [0, 1]


def test_journal_removes_stale_lock(tmp_path):
    study = create("mine", tmp_path / "s.journal")
    (tmp_path / "s.journal.lock").touch()
    assert study.ask().number == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "s.journal"]


@contextmanager
def read_only(folder):
    """Take the right to write in a folder away; root changes to another user, because root may always write."""
    folder.chmod(0o555)
    is_root = not os.geteuid()
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="has no users")
@pytest.mark.parametrize("lock", [True, False], ids=["stale lock", "no lock"])
def test_journal_in_read_only_folder_raises_at_once(tmp_path, monkeypatch, lock):
    monkeypatch.chdir(tmp_path)
    study = create("mine", "s.journal")
    if lock:
        Path("s.journal.lock").touch()
    with read_only(tmp_path), pytest.raises(StoreError, match="cannot be written .Permission denied"):
        in_time(study.ask, 5.0)
    with read_only(tmp_path), pytest.raises(StoreError, match="cannot be written"), batched_writes(study):
        pass
    assert study.ask().number == 0


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="has no users")
def test_lock_that_may_not_be_removed_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("s.journal").touch()
    journal = Journal("s.journal")
    Path("s.journal.lock").touch()
    with read_only(tmp_path), pytest.raises(PermissionError):
        journal._optuna_lock.release()


def test_journal_releases_locks_after_error(tmp_path, monkeypatch):
    study = create("mine", tmp_path / "s.journal")
    with monkeypatch.context() as broken:
        broken.setattr("json.dumps", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            study.ask()
    assert list(tmp_path.iterdir()) == [tmp_path / "s.journal"]
    assert study.ask().number == 0


def _write(file, n_lines):
    journal = Journal(str(file))
    for line in range(n_lines):
        journal.append_logs([{"op_code": 2, "worker_id": "", "line": line}])


def test_journal_keeps_lines_of_two_processes(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(tmp_path / "s.journal", 80)) for _ in range(2)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    lines = [log["line"] for log in Journal(str(tmp_path / "s.journal")).read_logs(0)]
    assert sorted(lines) == sorted([*range(80), *range(80)])
    assert list(tmp_path.iterdir()) == [tmp_path / "s.journal"]


def test_batched_writes_hold_the_lock_once(tmp_path):
    study = create("mine", tmp_path / "s.journal")
    with batched_writes(study):
        assert {file.name for file in tmp_path.iterdir()} == {
            "s.journal",
            "s.journal.lock",
            "s.journal.writer",
        }
        with batched_writes(study):
            study.ask()
        study.ask()
        assert (tmp_path / "s.journal.lock").exists()
    assert list(tmp_path.iterdir()) == [tmp_path / "s.journal"]
    assert len(study.trials) == 2


def test_journal_can_be_pickled(tmp_path):
    study = create("mine", tmp_path / "s.journal")
    study.ask()
    again = pickle.loads(pickle.dumps(study))
    again.ask()
    assert len(study.trials) == 2
