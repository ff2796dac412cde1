"""Journal files: several writers, and writers that are killed."""

import multiprocessing
import pickle

import pytest

from automl.study import create_study, load_study, make_pruner, make_sampler
from automl.study.journal import Journal, batched_writes


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
