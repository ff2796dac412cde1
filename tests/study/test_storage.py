import os
import sys

import optuna
import pytest

import automl
from automl.errors import SettingError, StoreError
from automl.study import create_study, known_studies, load_study, make_pruner, make_sampler


def create(name, storage=None):
    return create_study(name, storage, sampler=make_sampler(None, 0), pruner=make_pruner(None))


def test_a_study_has_a_journal_of_its_own_and_the_newest_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for age, name in ((20, "older"), (10, "newer"), (30, "oldest")):
        create(name).ask()
        file = tmp_path / "mlruns" / "studies" / f"{name}.journal"
        os.utime(file, (1e9 - age, 1e9 - age))
    assert known_studies() == ["oldest", "older", "newer"]
    assert load_study().study_name == "newer"
    assert len(load_study("oldest").trials) == 1
    assert load_study("oldest").direction == optuna.study.StudyDirection.MAXIMIZE


@pytest.mark.parametrize("kind", ["default", "path", "text", "url", "object"])
def test_a_name_is_used_once_in_a_storage(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    storage = {
        "default": None,
        "path": tmp_path / "one.journal",
        "text": str(tmp_path / "two.journal"),
        "url": f"sqlite:///{tmp_path}/optuna.db",
        "object": optuna.storages.InMemoryStorage(),
    }[kind]
    create("mine", storage)
    with pytest.raises(SettingError, match='study_name: must be new in its storage; got "mine"'):
        create("mine", storage)
    assert load_study("mine", storage).study_name == "mine"
    with pytest.raises(
        SettingError, match='must name a study of the storage; got "mien". Did you mean "mine"'
    ):
        load_study("mien", storage)


@pytest.mark.parametrize(
    "storage", ["{}/file/s.journal", "{}", "sqlite:///{}/absent/optuna.db", "nosuch://x"]
)
def test_a_storage_that_cannot_be_written_is_a_store_error(tmp_path, storage):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="storage: must be a place where the study can be kept; got"):
        create("mine", storage.format(tmp_path))


def test_nothing_to_read_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match="needs a study to read"):
        load_study()
    with pytest.raises(StoreError, match="there is no journal file"):
        load_study("mine", tmp_path / "absent.journal")


def test_a_name_must_be_a_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match="study_name: must be a plain name"):
        create("../elsewhere")


def test_two_writers_of_a_journal_lose_nothing(tmp_path):
    one = create("mine", tmp_path / "s.journal")
    two = load_study("mine", tmp_path / "s.journal")
    for study in (one, two) * 5:
        study.tell(study.ask(), 1.0)
    assert [trial.number for trial in one.trials] == list(range(10))
    assert one.trials == load_study("mine", tmp_path / "s.journal").trials


def test_half_a_line_of_a_process_that_died_is_cut_off(tmp_path):
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


def test_the_lock_of_the_dead_is_freed(tmp_path):
    study = create("mine", tmp_path / "s.journal")
    os.symlink(tmp_path / "s.journal", tmp_path / "s.journal.lock")
    assert study.ask().number == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "s.journal"]


def test_a_failing_journal_releases_its_lock(tmp_path, monkeypatch):
    study = create("mine", tmp_path / "s.journal")
    with monkeypatch.context() as broken:
        broken.setattr("json.dumps", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            study.ask()
    assert list(tmp_path.iterdir()) == [tmp_path / "s.journal"]
    assert study.ask().number == 0


@pytest.mark.postgres
def test_a_study_in_postgresql(postgres):
    study = create("in-postgresql", postgres)
    study.tell(study.ask(), 1.0)
    assert known_studies(postgres)[-1] == "in-postgresql"
    assert load_study("in-postgresql", postgres).best_value == 1.0


@pytest.mark.postgres
@pytest.mark.parametrize("part", ["/postgres", ":open"])
def test_a_password_is_not_shown(postgres, part):
    wrong = postgres.replace(part, "/absent" if part == "/postgres" else ":wrong")
    with pytest.raises(StoreError, match=r"got postgresql://automl:\*\*\*@127") as caught:
        create("mine", wrong)
    assert "sesame" not in f"{caught.value} {caught.value!s}"
    search = automl.Search(storage=postgres, n_trials=1)
    shown = f"{search!r} {search._repr_mimebundle_()}"
    assert "sesame" not in shown
    assert "postgresql://automl:***@127" in shown
    assert search.get_params()["storage"] == postgres


def test_a_driver_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'automl-orchestrator\[postgres\]'"):
        create("mine", "postgresql+psycopg://127.0.0.1/absent")
